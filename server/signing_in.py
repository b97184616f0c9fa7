"""`stockdesk login`: the sign-in of the CLI that the sessions use."""

import subprocess
import sys

import anyio.to_thread

from handlers.analyst.cli import CliNotFoundError, find_cli
from handlers.analyst.standing import release_signed_in
from server.desk import make_folders, open_database
from server.settings import Settings


async def sign_in(settings: Settings) -> tuple[str, bool]:
    """Run `claude auth login` in this terminal; when it succeeds, end the holds that a sign-in mends.

    Returns a sentence, and whether the sign-in succeeded.
    """
    if not sys.stdin.isatty():
        return (
            "The sign-in asks questions: run `stockdesk login` in a terminal, or set ANTHROPIC_API_KEY.",
            False,
        )
    try:
        command = [str(find_cli(settings.claude_cli)), "auth", "login"]
        ended = await anyio.to_thread.run_sync(lambda: subprocess.run(command, check=False))  # noqa: S603 (our own CLI)
    except CliNotFoundError as error:
        return str(error), False
    except OSError as error:
        return f"The Claude CLI cannot be run: {error}; correct STOCKDESK_CLAUDE_CLI or unset it.", False
    if ended.returncode != 0:
        return f"The sign-in did not succeed (exit code {ended.returncode}); nothing was changed.", False
    make_folders(settings)
    database = open_database(settings)
    try:
        released = await database.write(release_signed_in)
    finally:
        database.close()
    return f"Signed in. {'ai_analysis goes on.' if released else 'ai_analysis was not held for it.'}", True
