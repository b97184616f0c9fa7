"""On what a benchmark ran: the first lines of every result."""

import os
import platform
import sqlite3
from importlib.metadata import version

import apsw


def describe(*packages: str) -> str:
    """Machine, Python, both SQLite builds, and the versions of these packages."""
    lines = [
        f"machine: {os.cpu_count()} cores ({_cpu()}), {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, its SQLite {sqlite3.sqlite_version}, apsw's {apsw.sqlite_lib_version()}",
    ]
    if packages:
        lines.append(", ".join(f"{package} {version(package)}" for package in packages))
    return "\n".join(lines)


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 (no path is built)
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()
