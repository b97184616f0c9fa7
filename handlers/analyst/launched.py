"""Which process a session's folder stands for, written where its desk may die before it can tell."""

from contextlib import suppress
from pathlib import Path

from queues.processes import Process


def record(folder: Path, process: Process) -> None:
    (folder / "started").write_text(process.started, encoding="utf-8")
    (folder / "pid").write_text(f"{process.pid}\n", encoding="utf-8")


def recorded(folder: Path) -> Process | None:
    """The process that was recorded in this folder, None if none was; it may have ended."""
    with suppress(OSError, ValueError):
        pid = int((folder / "pid").read_text(encoding="utf-8"))
        return Process(pid, (folder / "started").read_text(encoding="utf-8"))
    return None
