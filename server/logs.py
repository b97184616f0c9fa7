"""Logs go to stderr and to a rotating file of this process; never to stdout, which belongs to the protocol."""

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# A file per process: two processes that rotate one file lose each other's lines.
FILE_BYTES = 2_000_000
BACKUPS = 1
FILES_KEPT = 20


def configure_logs(folder: Path, level: str, *, command: str) -> None:
    """Send the logs of this process to stderr and to `folder/COMMAND-PID.log`."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    _forget_old_files(folder)
    path = folder / f"{command}-{os.getpid()}.log"
    handlers.append(
        RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=BACKUPS, encoding="utf-8", delay=True)
    )
    logging.basicConfig(level=level, format=FORMAT, handlers=handlers, force=True)
    # One line per request of a library would drown the desk's own.
    for chatty in ("httpx", "httpcore", "mcp", "claude_agent_sdk"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _forget_old_files(folder: Path) -> None:
    newest_first = sorted(folder.glob("*.log*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[FILES_KEPT:]:
        path.unlink(missing_ok=True)
