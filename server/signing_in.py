"""`stockdesk login`: the sign-in of the CLI that the sessions use."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import anyio.to_thread

from handlers.analyst.cli import CliNotFoundError, find_cli
from handlers.analyst.secrets import CREDENTIALS
from handlers.analyst.standing import release_signed_in
from server.desk import make_folders, open_database
from server.settings import Settings


async def sign_in(settings: Settings) -> tuple[str, bool]:
    """Run `claude auth login` in this terminal; when the CLI then is signed in, end the holds that this mends.

    Returns a sentence, and whether the sign-in succeeded.
    """
    if not sys.stdin.isatty():
        return (
            "The sign-in asks questions: run `stockdesk login` in a terminal, or set ANTHROPIC_API_KEY.",
            False,
        )
    try:
        failure = await anyio.to_thread.run_sync(_sign_in_with, find_cli(settings.claude_cli))
    except CliNotFoundError as error:
        return str(error), False
    except OSError as error:
        return f"The Claude CLI cannot be run: {error}; correct STOCKDESK_CLAUDE_CLI or unset it.", False
    if failure is not None:
        return failure, False
    make_folders(settings)
    database = open_database(settings)
    try:
        released = await database.write(release_signed_in)
    finally:
        database.close()
    return f"Signed in. {'ai_analysis goes on.' if released else 'ai_analysis was not held for it.'}", True


def _sign_in_with(cli: Path) -> str | None:
    """Why nobody is signed in afterwards; None where somebody is."""
    ended = subprocess.run([cli, "auth", "login"], check=False)  # noqa: S603 (our own CLI)
    if ended.returncode != 0:
        return f"The sign-in did not succeed (exit code {ended.returncode}); nothing was changed."
    # A key in this terminal's environment would make the CLI say that it is signed in.
    environment = {name: value for name, value in os.environ.items() if name not in CREDENTIALS}
    status = subprocess.run(  # noqa: S603 (our own CLI)
        [cli, "auth", "status"], env=environment, stdout=subprocess.PIPE, check=False
    )
    if status.returncode == 0 and _says_signed_in(status.stdout):
        return None
    return (
        "`claude auth login` ended without an error, but `claude auth status` does not say that anybody is signed in "
        f"(exit code {status.returncode}); nothing was changed. Run `stockdesk login` again."
    )


def _says_signed_in(status: bytes) -> bool:
    try:
        told = json.loads(status)
    except ValueError:
        return False
    return isinstance(told, dict) and cast("dict[str, Any]", told).get("loggedIn") is True
