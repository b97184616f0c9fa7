"""Logs go to stderr and to a rotating file of this process; never to stdout, which belongs to the protocol."""

import logging
import os
import queue
import sys
from contextlib import suppress
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import TextIO

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# A file per process: two processes that rotate one file lose each other's lines.
FILE_BYTES = 2_000_000
BACKUPS = 1
FILES_KEPT = 20
# Lines that wait for a host to read stderr; later ones are in the file only.
STDERR_LINES = 1_000


class _Stderr(QueueHandler):
    """Writes in a thread of its own: a host that never reads stderr must not stop the server."""

    def __init__(self, stream: TextIO) -> None:
        lines: queue.Queue[logging.LogRecord] = queue.Queue(STDERR_LINES)
        super().__init__(lines)
        writer = logging.StreamHandler(stream)
        writer.setFormatter(logging.Formatter(FORMAT))
        self._listener: QueueListener | None = QueueListener(lines, writer)
        self._listener.start()

    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self.queue.put_nowait(record)

    def close(self) -> None:
        """Write what waits; blocks for as long as stderr does."""
        listener, self._listener = self._listener, None  # logging closes its handlers once more at exit
        if listener is not None:
            listener.stop()
        super().close()


def configure_logs(folder: Path, level: str, *, command: str) -> None:
    """Send the logs of this process to stderr and to `folder/COMMAND-PID.log`."""
    # A full disk would else print a traceback for each line that the file does not take; stderr still has the lines.
    logging.raiseExceptions = False
    _forget_old_files(folder)
    path = folder / f"{command}-{os.getpid()}.log"
    file = RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=BACKUPS, encoding="utf-8", delay=True)
    file.setFormatter(logging.Formatter(FORMAT))
    logging.basicConfig(level=level, format="%(message)s", handlers=[file, _Stderr(sys.stderr)], force=True)
    # One line per request of a library would drown the desk's own.
    for chatty in ("httpx", "httpcore", "mcp", "claude_agent_sdk", "sse_starlette"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def close_logs() -> None:
    """Write what waits for stderr; blocks for as long as stderr does. The last call before the process ends."""
    for handler in logging.getLogger().handlers:
        handler.close()


def _forget_old_files(folder: Path) -> None:
    """Keep the newest; other processes of this home may do the same at this moment."""
    ages: list[tuple[float, Path]] = []
    for path in folder.glob("*.log*"):
        with suppress(FileNotFoundError):
            ages.append((path.stat().st_mtime, path))
    for _, path in sorted(ages, reverse=True)[FILES_KEPT:]:
        path.unlink(missing_ok=True)
