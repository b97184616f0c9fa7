"""Finds the Claude CLI, and writes the launcher that starts it under the guard."""

import os
import shlex
import shutil
import sys
from pathlib import Path

import claude_agent_sdk

from handlers.analyst import __path__ as _here
from handlers.analyst.launched import record, recorded
from handlers.analyst.limits import is_bare_name
from queues.processes import kill_now, process_of


class CliNotFoundError(Exception):
    """No Claude CLI that can run on this machine; the message says where it was looked for."""


def find_cli(configured: Path | None = None) -> Path:
    """The CLI to run: the configured one, else that of the claude-agent-sdk wheel, else `claude` on PATH.

    A bare name is looked for on PATH.

    Raises:
        CliNotFoundError: none of them exists, or the configured one cannot be run.
    """
    if configured is not None and is_bare_name(configured):
        if (named := shutil.which(configured)) is None:
            raise CliNotFoundError(
                f"No `{configured}` is on PATH; correct STOCKDESK_CLAUDE_CLI (a path means that file) or unset it."
            )
        return Path(named).absolute()
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
    """A script in `folder` that starts `cli` under the guard, which records the process in `folder`.

    A launcher, because the SDK wants one executable path. On Windows, which has neither, the CLI itself.
    """
    if sys.platform == "win32":
        return cli
    guard = Path(next(iter(_here))) / "guard.py"
    command = [sys.executable, "-IS", guard, folder, lock_file, os.getpid(), cli]
    launcher = folder / "claude"
    launcher.write_text(
        f'#!/bin/sh\nexec {shlex.join(str(part) for part in command)} "$@"\n', encoding="utf-8"
    )
    launcher.chmod(0o700)
    return launcher


def end_orphans(sessions: Path) -> None:
    """Kill what the sessions of a killed desk left running, and clear their folders.

    For the only process that may run sessions, while it runs none. Linux has no orphans (the guard's parent-death
    signal), other systems may.
    """
    for folder in sessions.glob("*/"):
        kill_launched(folder)
        shutil.rmtree(folder, ignore_errors=True)


def record_launched(folder: Path, client: claude_agent_sdk.ClaudeSDKClient) -> None:
    """Record what `client` has started where no guard did, on Windows."""
    if recorded(folder) is not None:
        return
    # The SDK names the process nowhere else; a version that does not leaves it unrecorded.
    launched = getattr(getattr(client, "_transport", None), "_process", None)
    process = None if launched is None else process_of(launched.pid)
    if process is not None:
        record(folder, process)


def kill_launched(folder: Path) -> None:
    """Kill at once what was launched in `folder`, if it still runs."""
    process = recorded(folder)
    if process is not None:
        kill_now(process)
