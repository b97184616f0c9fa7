"""A key in the environment reaches the API's header, and nothing that the desk keeps, sends, logs or says."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.ai_analysis import AnalystSettings
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed
from tests.handlers.claude import INFY, analyse, know, payload
from tests.handlers.conftest import TaskRunner
from tests.standins.claude_scripts import always
from tests.standins.messages_api import Fails, MessagesApi

AI = QueueName.AI_ANALYSIS
CANARY = "sk-ant-canary-0123456789abcdefghijklmnop"
# Found by its value, not only by its form.
SHAPELESS = "canary_0123456789_without_a_known_prefix"

CREDENTIALS = pytest.mark.parametrize(
    ("variable", "secret"),
    [
        ("ANTHROPIC_API_KEY", CANARY),
        ("ANTHROPIC_API_KEY", SHAPELESS),
        ("ANTHROPIC_AUTH_TOKEN", SHAPELESS),
        ("CLAUDE_CODE_OAUTH_TOKEN", CANARY),
    ],
)


@pytest.fixture(autouse=True)
def every_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def kept(folder: Path) -> list[Path]:
    """The desk's files in which a canary stands. A database is read as it lies on disk, free pages included."""
    files = [file for file in folder.rglob("*") if file.is_file() and "claude home" not in file.parts]
    return [file for file in files if any(each.encode() in file.read_bytes() for each in (CANARY, SHAPELESS))]


def sign_in(monkeypatch: pytest.MonkeyPatch, variable: str, secret: str) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv(variable, secret)


@CREDENTIALS
async def test_a_key_is_in_no_prompt_and_nothing_that_a_session_leaves_behind(
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    variable: str,
    secret: str,
) -> None:
    sign_in(monkeypatch, variable, secret)
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))
    outcome = await analyse(ctx, claude)
    running_task.end(ctx, outcome)
    assert isinstance(outcome, Completed)
    assert secret in str(api.requests[0].headers)
    assert not [request for request in api.requests if secret in str(request.body)]
    assert secret not in f"{outcome} {caplog.text}"
    assert kept(tmp_path) == []


@CREDENTIALS
async def test_a_cli_that_prints_its_environment_tells_no_key(
    api: MessagesApi,  # noqa: ARG001 (its environment)
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    variable: str,
    secret: str,
) -> None:
    sign_in(monkeypatch, variable, secret)
    cli = tmp_path / "talkative"
    cli.write_text(f'#!/bin/sh\necho "it failed with {variable}=${variable}" >&2\nexit 1\n', encoding="utf-8")
    cli.chmod(0o755)
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))
    outcome = await analyse(ctx, replace(claude, cli=cli))
    running_task.end(ctx, outcome)
    assert f"it failed with {variable}=" in str(outcome)
    assert secret not in f"{outcome} {caplog.text}"
    assert kept(tmp_path / "the sessions") == []
    assert [file for file in kept(tmp_path) if file != cli] == []


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_an_error_of_the_api_that_repeats_the_key_is_told_without_it(
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    status: int,
) -> None:
    sign_in(monkeypatch, "CLAUDE_CODE_OAUTH_TOKEN", CANARY)
    api.script = always(Fails(status, "invalid_request_error", f"the key {CANARY} is not liked here"))
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))
    outcome = await analyse(ctx, claude)
    running_task.end(ctx, outcome)
    assert CANARY not in f"{outcome} {caplog.text}"
    assert kept(tmp_path) == []
