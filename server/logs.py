"""Logs go to stderr and to a rotating file of this process; never to stdout, which belongs to the protocol.

By default stderr has text, for it is read by people: in a terminal, in a client's window of logs. The file has one
JSON object per line, for it is searched by programs, and only there each line names its task, claim and session.
"""

import json
import logging
import os
import queue
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import Literal, TextIO, TypeAlias

from handlers.analyst.secrets import redact
from queues.observing import current_log_fields
from server.escaping import escaped

Form: TypeAlias = Literal["text", "json"]
Hide: TypeAlias = Callable[[str], str]

# A file per process: two processes that rotate one file lose each other's lines.
FILE_BYTES = 2_000_000
BACKUPS = 1
FILES_KEPT = 20
# Lines that wait for a host to read stderr; later ones are in the file only.
STDERR_LINES = 1_000


class _Text(logging.Formatter):
    """A line per message. What else belongs to it is indented, so that no text of others can pass for a line."""

    def __init__(self, hide: Hide) -> None:
        super().__init__()
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        first = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"
        return self._hide("\n    ".join(map(escaped, (first, *_traceback(self, record).splitlines()))))


class _Json(logging.Formatter):
    """One JSON object per line, all ASCII; the ids are those of where it is formatted, which is where it is logged."""

    def __init__(self, hide: Hide, command: str) -> None:
        super().__init__()
        self._hide = hide
        self._command = command

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        error = _traceback(self, record)
        fields = {
            "ts": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._hide(record.getMessage()),
            **current_log_fields(),
            "process": record.process,
            "command": self._command,
        }
        return json.dumps(fields | ({"error": self._hide(error)} if error else {}))


def _formatter(form: Form, command: str) -> logging.Formatter:
    # A copy, for to look into the environment takes a microsecond per variable.
    hide = partial(redact, environment=dict(os.environ))
    return _Json(hide, command) if form == "json" else _Text(hide)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""


class _Stderr(QueueHandler):
    """Writes in a thread of its own: a host that never reads stderr must not stop the server.

    A line is formatted before it waits, in the thread that logs it.
    """

    def __init__(self, stream: TextIO) -> None:
        lines: queue.Queue[logging.LogRecord] = queue.Queue(STDERR_LINES)
        super().__init__(lines)
        self._listener: QueueListener | None = QueueListener(lines, logging.StreamHandler(stream))
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


def configure_logs(folder: Path, level: str, *, command: str, form: Form | None = None) -> None:
    """Send the logs of this process to stderr and to `folder/COMMAND-PID.log`; where None, as text and as JSON."""
    # A full disk would else print a traceback for each line that the file does not take; stderr still has the lines.
    logging.raiseExceptions = False
    _forget_old_files(folder)
    path = folder / f"{command}-{os.getpid()}.log"
    file = RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=BACKUPS, encoding="utf-8", delay=True)
    stderr = _Stderr(sys.stderr)
    file.setFormatter(_formatter(form or "json", command))
    stderr.setFormatter(_formatter(form or "text", command))
    logging.basicConfig(level=level, handlers=[file, stderr], force=True)
    # One line per request of a library would drown the desk's own.
    for chatty in ("httpx", "httpcore", "mcp", "claude_agent_sdk", "sse_starlette", "urllib3"):
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
