"""`stockdesk login`, with a program in the place of the Claude CLI that signs in, or does not."""

import os
import subprocess
from pathlib import Path

import pytest

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


def login(folder: Path, cli: Path, *, in_a_terminal: bool = True) -> "subprocess.CompletedProcess[str]":
    keyboard, terminal = os.openpty()
    try:
        return subprocess.run(
            [STOCKDESK, "login"],
            env=desk_environment(folder, STOCKDESK_CLAUDE_CLI=str(cli)),
            stdin=terminal if in_a_terminal else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(keyboard)
        os.close(terminal)


def program(folder: Path, text: str, mode: int = 0o700) -> Path:
    path = folder / "fake-claude"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_sign_in_lets_the_analyses_go_on_that_waited_for_it(held: Path) -> None:
    ended = login(held, program(held, 'echo "asked to: $@"'))
    assert ended.returncode == 0
    assert "asked to: auth login" in ended.stdout
    assert "Signed in. ai_analysis goes on." in ended.stdout
    assert sources_of_holds(held) == ["user"]


def test_a_sign_in_that_fails_changes_nothing(held: Path) -> None:
    ended = login(held, program(held, "exit 3"))
    assert ended.returncode == 1
    assert "did not succeed (exit code 3)" in ended.stderr
    assert sources_of_holds(held) == [SIGN_IN, "user"]


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
