"""A session is a subscription's only where nobody is billed by tokens."""

import pytest
from claude_agent_sdk import AssistantMessage, SystemMessage, TextBlock

from handlers.ai_analysis import AnalystSettings
from handlers.analyst.watch import PAID_ELSEWHERE, Watch
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed
from tests.handlers.claude import INFY, analyse, know, payload
from tests.handlers.conftest import TaskRunner
from tests.standins.messages_api import MessagesApi


def billing(key_source: str) -> str | None:
    watch = Watch()
    watch.see(SystemMessage(subtype="init", data={"apiKeySource": key_source}))
    assert watch.billing is None, "nobody has answered yet"
    watch.see(AssistantMessage(content=[TextBlock("Yes.")], model="m", message_id="m1"))
    return watch.billing


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PAID_ELSEWHERE:
        monkeypatch.delenv(name, raising=False)


def test_a_key_is_billed_and_no_key_is_a_subscription() -> None:
    assert (billing("ANTHROPIC_API_KEY"), billing("none")) == ("api", "subscription")


@pytest.mark.parametrize("name", PAID_ELSEWHERE)
def test_a_gateway_or_a_cloud_is_no_subscription(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert billing("none") == "api"


@pytest.mark.parametrize("off", ["", "0", "False"])
def test_a_cloud_that_is_turned_off_does_not_pay(monkeypatch: pytest.MonkeyPatch, off: str) -> None:
    monkeypatch.setenv("CLAUDE_CODE_USE_BEDROCK", off)
    assert billing("none") == "subscription"


@pytest.mark.parametrize(
    ("signed_in_by", "pays"),
    [
        ({"CLAUDE_CODE_OAUTH_TOKEN": "a-token"}, "subscription"),
        ({"ANTHROPIC_AUTH_TOKEN": "a-token"}, "api"),
        # Both are set: the CLI sends the gateway's.
        ({"ANTHROPIC_AUTH_TOKEN": "a-token", "CLAUDE_CODE_OAUTH_TOKEN": "another"}, "api"),
        ({"ANTHROPIC_API_KEY": "a-key", "CLAUDE_CODE_OAUTH_TOKEN": "another"}, "api"),
    ],
    ids=str,
)
async def test_the_real_cli_is_billed_as_it_is_signed_in(
    api: MessagesApi,  # noqa: ARG001 (its environment)
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    monkeypatch: pytest.MonkeyPatch,
    signed_in_by: dict[str, str],
    pays: str,
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    for name, value in signed_in_by.items():
        monkeypatch.setenv(name, value)
    know(database, INFY)
    assert isinstance(await analyse(running_task(QueueName.AI_ANALYSIS, payload(INFY)), claude), Completed)
    assert database.read_now(lambda tx: tx.rows("SELECT billing FROM sessions")) == [(pays,)]
