"""Finds the Claude CLI, and writes the launcher that starts it under the guard."""

import os
import shlex
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

import claude_agent_sdk

from handlers.analyst import __path__ as _here


class CliNotFoundError(Exception):
    """No Claude CLI that can run on this machine; the message says where it was looked for."""


def find_cli(configured: Path | None = None) -> Path:
    """The CLI to run: the configured one, else that of the claude-agent-sdk wheel, else `claude` on PATH.

    Raises:
        CliNotFoundError: none of them exists, or the configured one cannot be run.
    """
    if configured is not None:
        path = configured.expanduser()
        if not path.is_file():
            raise CliNotFoundError(
                f"The Claude CLI {path} does not exist; correct STOCKDESK_CLAUDE_CLI or unset it."
            )
        if not os.access(path, os.X_OK):
            raise CliNotFoundError(
                f"The Claude CLI {path} is not executable; run `chmod +x` on it, or correct STOCKDESK_CLAUDE_CLI."
            )
        return path.absolute()
    name = "claude.exe" if sys.platform == "win32" else "claude"
    bundled = Path(claude_agent_sdk.__file__).parent / "_bundled" / name
    if bundled.is_file():
        return bundled
    if (on_path := shutil.which("claude")) is not None:
        return Path(on_path)
    raise CliNotFoundError(
        f"No Claude CLI: neither {bundled} nor `claude` on PATH exists; install it, or set STOCKDESK_CLAUDE_CLI."
    )


def write_launcher(folder: Path, lock_file: Path, cli: Path) -> Path:
    """A script in `folder` that starts `cli` under the guard, and leaves its process id in `folder/pid`.

    A launcher, because the SDK wants one executable path. On Windows, which has neither, the CLI itself.
    """
    if sys.platform == "win32":
        return cli
    guard = Path(next(iter(_here))) / "guard.py"
    command = [sys.executable, "-IS", guard, lock_file, os.getpid(), cli]
    launcher = folder / "claude"
    launcher.write_text(
        f"#!/bin/sh\necho $$ > {shlex.quote(str(folder / 'pid'))}\n"
        f'exec {shlex.join(str(part) for part in command)} "$@"\n',
        encoding="utf-8",
    )
    launcher.chmod(0o700)
    return launcher


def end_orphans(sessions: Path, lock_file: Path) -> None:
    """Clear the folders of sessions whose desk was killed; end a CLI that outlived it.

    For the only process that may run sessions, while it runs none: a lock that is held now is an orphan's. Linux
    has none left (the guard's parent-death signal), other systems may.
    """
    left_behind = [file.parent for file in sessions.glob("*/pid")]
    for folder in left_behind:
        if _is_locked(lock_file):
            kill_launched(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _is_locked(lock_file: Path) -> bool:
    import fcntl  # noqa: PLC0415 (not on Windows, where nothing takes the lock)

    with lock_file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def kill_launched(folder: Path) -> None:
    """Kill at once what the launcher of `folder` started, if it still runs.

    For the moment after its end was asked for: an id comes round again only after all others were used.
    """
    if sys.platform == "win32":
        return
    with suppress(OSError, ValueError):
        os.kill(int((folder / "pid").read_text(encoding="utf-8")), signal.SIGKILL)
