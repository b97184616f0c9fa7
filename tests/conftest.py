"""Fixtures that every kind of test shares."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

# A busy machine is no failure.
settings.register_profile("no wall clock", deadline=None)
settings.load_profile("no wall clock")

# A shell has what it starts in the background ignore Ctrl-C, and so would every process that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    """The product runs on asyncio; a second backend would only prove that anyio works."""
    return "asyncio"


@pytest.fixture(scope="session")
def require_program() -> Callable[[str, str], Path]:
    """`require_program(name, install_line)` finds a program on PATH, or skips the test with the line that installs it.

    With REQUIRE_HOST_PROGRAMS=1, as in .ci/run, a missing program fails the test.
    """

    def find(name: str, install_line: str) -> Path:
        found = shutil.which(name)
        if found is None:
            _missing(f"{name} is not on PATH; install it: {install_line}")
        return Path(found)

    return find


@pytest.fixture(scope="session")
def require_npm_package(require_program: Callable[[str, str], Path]) -> Callable[[str, str], Path]:
    """`require_npm_package(name, version)` is the folder of npm's global packages, which has this one.

    Skips or fails as `require_program` does.
    """

    def find(name: str, version: str) -> Path:
        install_line = f"npm install --global {name}@{version}"
        npm = require_program("npm", f"apt-get install nodejs npm; {install_line}")
        packages = _global_packages(npm)
        described = packages / name / "package.json"
        if not described.is_file() or json.loads(described.read_text("utf-8"))["version"] != version:
            _missing(f"{name} {version} is not among npm's global packages; install it: {install_line}")
        return packages

    return find


@cache
def _global_packages(npm: Path) -> Path:
    return Path(
        subprocess.run([npm, "root", "--global"], capture_output=True, text=True, check=True).stdout.strip()
    )


def _missing(sentence: str) -> NoReturn:
    if os.environ.get("REQUIRE_HOST_PROGRAMS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)
