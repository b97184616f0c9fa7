"""`stockdesk login`, with a program in the place of the Claude CLI that signs in, or does not."""

import os
import subprocess
from pathlib import Path

import pytest

from handlers.analyst.cli import find_cli
from handlers.analyst.secrets import CREDENTIALS
from handlers.analyst.standing import SIGN_IN
from queues.database import Database
from queues.holds import current_holds, hold_queue
from queues.model import QueueName
from tests.hosts.serve import STOCKDESK, desk_environment, look, opened


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """A desk whose analyses wait for a sign-in, and for the user too."""
    with opened(tmp_path) as database:
        hold(database, SIGN_IN, "Claude is not signed in.")
        hold(database, "user", "until Monday")
    return tmp_path


def hold(database: Database, source: str, reason: str) -> None:
    database.write_now(lambda tx: hold_queue(tx, QueueName.AI_ANALYSIS, source, reason))


def sources_of_holds(folder: Path) -> list[str]:
    return sorted(each.source for each in look(folder, lambda tx: current_holds(tx, QueueName.AI_ANALYSIS)))


def login(
    folder: Path, cli: Path, *, in_a_terminal: bool = True, **variables: str
) -> "subprocess.CompletedProcess[str]":
    keyboard, terminal = os.openpty()
    try:
        return subprocess.run(
            [STOCKDESK, "login"],
            env=desk_environment(folder, STOCKDESK_CLAUDE_CLI=str(cli), **variables),
            stdin=terminal if in_a_terminal else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(keyboard)
        os.close(terminal)


SIGNED_IN = """echo '{"loggedIn": true, "authMethod": "claude.ai"}'"""


def program(folder: Path, login: str, status: str = SIGNED_IN, mode: int = 0o700) -> Path:
    """A CLI that runs `login` for `auth login`, and `status` for `auth status`."""
    path = folder / "fake-claude"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in\n"auth login") {login};;\n"auth status") {status};;\n*) exit 64;;\nesac\n',
        encoding="utf-8",
    )
    path.chmod(mode)
    return path


def test_a_sign_in_lets_the_analyses_go_on_that_waited_for_it(held: Path) -> None:
    ended = login(held, program(held, "echo it asks for a code"))
    assert ended.returncode == 0
    assert "it asks for a code" in ended.stdout
    assert "Signed in. ai_analysis goes on." in ended.stdout
    assert sources_of_holds(held) == ["user"]


def test_a_sign_in_that_fails_changes_nothing(held: Path) -> None:
    ended = login(held, program(held, "exit 3"))
    assert ended.returncode == 1
    assert "did not succeed (exit code 3)" in ended.stderr
    assert sources_of_holds(held) == [SIGN_IN, "user"]


@pytest.mark.parametrize(
    "status",
    [
        """echo '{"loggedIn": false, "authMethod": "none"}'; exit 1""",
        """echo '{"loggedIn": false}'""",
        """echo '{"loggedIn": true}'; exit 1""",
        """echo '{"loggedIn": "true"}'""",
        "echo '[]'",
        "echo Signed in.",
        "exit 0",
        "exit 1",
    ],
)
def test_a_sign_in_that_the_cli_does_not_confirm_is_none(held: Path, status: str) -> None:
    ended = login(held, program(held, "exit 0", status))
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "does not say that anybody is signed in" in ended.stderr
    assert "Signed in." not in ended.stdout
    assert sources_of_holds(held) == [SIGN_IN, "user"]


def test_a_key_of_the_terminal_does_not_pass_for_the_sign_in(held: Path) -> None:
    status = f'[ -z "$ANTHROPIC_API_KEY$CLAUDE_CODE_OAUTH_TOKEN$ANTHROPIC_AUTH_TOKEN" ] || {SIGNED_IN}'
    keys = dict.fromkeys(CREDENTIALS, "a key of this terminal")
    ended = login(held, program(held, "exit 0", status), **keys)
    assert ended.returncode == 1
    assert sources_of_holds(held) == [SIGN_IN, "user"]


def test_the_bundled_cli_says_of_itself_whether_it_is_signed_in(tmp_path: Path) -> None:
    """The real answers to `auth status`; the login before it needs a person."""
    cli = program(tmp_path, "exit 0", f'exec "{find_cli()}" auth status')
    ended = login(tmp_path, cli)
    assert ended.returncode == 1
    assert "`claude auth status` does not say that anybody is signed in (exit code 1)" in ended.stderr


def test_a_sign_in_on_a_desk_that_waits_for_none_says_so(tmp_path: Path) -> None:
    ended = login(tmp_path, program(tmp_path, "exit 0"))
    assert ended.returncode == 0
    assert "ai_analysis was not held for it" in ended.stdout


def test_a_cli_that_does_not_exist_or_cannot_run_is_named(held: Path) -> None:
    missing = login(held, held / "nowhere")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    assert f"The Claude CLI {held}/nowhere does not exist" in missing.stderr

    unusable = login(held, program(held, "exit 0", mode=0o600))
    assert (unusable.returncode, unusable.stderr.count("\n")) == (1, 1)
    assert "fake-claude" in unusable.stderr
    assert sources_of_holds(held) == [SIGN_IN, "user"]


def test_without_a_terminal_it_does_not_wait_for_answers_that_nobody_can_give(held: Path) -> None:
    ended = login(held, program(held, "exit 0"), in_a_terminal=False)
    assert ended.returncode == 1
    assert "run `stockdesk login` in a terminal, or set ANTHROPIC_API_KEY" in ended.stderr
    assert sources_of_holds(held) == [SIGN_IN, "user"]
