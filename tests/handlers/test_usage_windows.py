"""A subscription's usage windows, as the real CLI tells of them."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.ai_analysis import AnalystSettings
from handlers.analyst.usage import UsageWindow, usage_warnings
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed
from tests.handlers.claude import INFY, analyse, know, payload
from tests.handlers.conftest import NOW, TaskRunner
from tests.standins.claude_scripts import nearly_used_up
from tests.standins.messages_api import MessagesApi

AI = QueueName.AI_ANALYSIS
RESETS_AT = datetime(2099, 12, 31, 5, 30, tzinfo=UTC)  # ahead of the CLI's own clock


@pytest.fixture
def subscription(api: MessagesApi, monkeypatch: pytest.MonkeyPatch) -> MessagesApi:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-dummy")
    return api


async def test_a_window_that_is_nearly_used_up_is_warned_of_until_its_reset_and_holds_nothing(
    subscription: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    subscription.script = nearly_used_up(0.93, int(RESETS_AT.timestamp()))
    know(database, INFY)

    assert isinstance(await analyse(running_task(AI, payload(INFY)), claude), Completed)

    warning = UsageWindow("five_hour", "allowed_warning", 0.93, RESETS_AT, seen_at=NOW)
    assert database.read_now(lambda tx: usage_warnings(tx, RESETS_AT - timedelta(seconds=1))) == [warning]
    assert database.read_now(lambda tx: usage_warnings(tx, RESETS_AT)) == []


async def test_a_key_has_no_window_to_be_warned_of(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    api.script = nearly_used_up(0.93, int(RESETS_AT.timestamp()))
    know(database, INFY)

    assert isinstance(await analyse(running_task(AI, payload(INFY)), claude), Completed)

    assert database.read_now(lambda tx: usage_warnings(tx, NOW)) == []
