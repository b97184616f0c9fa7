"""What each failure of the API becomes, through the real CLI; the rows of docs/claude.md."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.ai_analysis import AnalystSettings
from handlers.analyst.costs import sessions_of_task
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Retry, Snooze
from tests.handlers.claude import INFY, analyse, know, payload
from tests.handlers.conftest import TaskRunner
from tests.standins.claude_scripts import always
from tests.standins.messages_api import Fails, MessagesApi, Stalls

AI = QueueName.AI_ANALYSIS


@pytest.mark.parametrize(
    "failure",
    [
        Fails(429, "rate_limit_error", "slow down"),
        Fails(429, "rate_limit_error", "slow down", {"retry-after": "61"}),
        Fails(500, "api_error", "broken"),
        Fails(502, "api_error", "bad gateway"),
    ],
    ids=["429", "429, retry-after 61", "500", "502"],
)
async def test_a_passing_failure_costs_one_request_and_one_attempt(
    failure: Fails, api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    api.script = always(failure)
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))

    outcome = await analyse(ctx, claude)

    assert isinstance(outcome, Retry), outcome
    assert len(api.requests) == 1
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert (session.ended_as, session.spent.cost_usd, session.at_least) == ("Busy", 0, False)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_sign_in_that_is_refused_holds_the_queue_and_its_token_is_nowhere(
    status: int,
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("CLAUDE_CODE_OAUTH_TOKEN", token := "sk-ant-oat01-canary")
    api.script = always(Fails(status, "authentication_error", f"OAuth token {token} has been revoked"))
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))

    outcome = await analyse(ctx, claude)

    assert isinstance(outcome, Snooze), outcome
    assert outcome.hold is not None
    assert outcome.hold.source.startswith("sign_in")
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert token not in outcome.reason + session.detail


async def test_an_api_that_refuses_the_connection_costs_an_attempt(
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    know(database, INFY)

    outcome = await analyse(running_task(AI, payload(INFY)), claude)

    assert isinstance(outcome, Retry), outcome
    assert api.requests == []


async def test_no_response_is_given_up_after_the_timeout_and_costs_an_attempt(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    api.script = always(Stalls())
    know(database, INFY)

    outcome = await analyse(
        running_task(AI, payload(INFY)), replace(claude, api_timeout=timedelta(seconds=1))
    )

    assert isinstance(outcome, Retry), outcome
    assert outcome.error.startswith("The Claude API failed: ")
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("failure", "source"),
    [
        (Fails(404, "not_found_error", "model: claude-sonnet-4-5"), "model=claude-sonnet-4-5"),
        (
            Fails(400, "invalid_request_error", "Your credit balance is too low to access the API"),
            "billing=ANTHROPIC_API_KEY",
        ),
        (Fails(401, "authentication_error", "invalid x-api-key"), "sign_in=ANTHROPIC_API_KEY"),
    ],
)
async def test_what_only_a_person_can_mend_holds_the_queue(
    failure: Fails,
    source: str,
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
) -> None:
    api.script = always(failure)
    know(database, INFY)

    outcome = await analyse(running_task(AI, payload(INFY)), claude)

    assert isinstance(outcome, Snooze), outcome
    assert outcome.hold is not None
    assert outcome.hold.source == source
