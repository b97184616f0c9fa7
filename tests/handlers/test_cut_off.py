"""What the model handed in with its last answer is taken, even if the session ends before the call is delivered."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from claude_agent_sdk import AssistantMessage, TextBlock, ToolUseBlock

import handlers.analyst.session as session_module
from handlers.ai_analysis import AnalystSettings
from handlers.analyst.costs import sessions_of_task
from handlers.analyst.ending import BudgetExhausted, Finished
from handlers.analyst.options import Submit
from handlers.analyst.submissions import Answer
from handlers.analyst.watch import Watch
from handlers.verdicts import verdicts_of_task
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed
from tests.handlers.claude import INFY, TCS, WIPRO, analyse, follow_ups, know, payload
from tests.handlers.conftest import TaskRunner
from tests.standins.claude_scripts import submits_one_per_turn
from tests.standins.messages_api import MessagesApi, submits_all

FIRST, SECOND = {"symbol": "NSE:INFY"}, {"symbol": "NSE:TCS"}


def answer(message_id: str, *calls: dict[str, Any]) -> AssistantMessage:
    blocks = [ToolUseBlock(id="t", name="mcp__desk__submit_verdict", input=call) for call in calls]
    return AssistantMessage(content=[TextBlock("So."), *blocks], model="m", message_id=message_id)


def test_only_undelivered_calls_of_the_last_answer_were_cut_off() -> None:
    watch = Watch(ending=BudgetExhausted())
    watch.see(answer("m1", {"symbol": "NSE:OLD"}))
    watch.see(answer("m2", FIRST))
    watch.see(answer("m2", SECOND))
    watch.taken.append(FIRST)
    assert watch.cut_off == [SECOND]


def test_a_session_that_ran_to_its_end_has_cut_nothing_off() -> None:
    watch = Watch(ending=Finished())
    watch.see(answer("m1", FIRST))
    assert watch.cut_off == []


async def test_a_verdict_whose_call_was_never_delivered_is_stored_all_the_same(
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def deaf(*_: object) -> Submit:
        """As the SDK that drops the call: nobody hears it, and the session ends."""

        async def lost(_: Mapping[str, Any]) -> Answer:
            return Answer("", is_error=True)

        return lost

    monkeypatch.setattr(session_module, "_ending_if_stale", deaf)
    api.script = submits_one_per_turn
    know(database, INFY, TCS)
    ctx = running_task(QueueName.AI_ANALYSIS, payload(INFY, TCS))

    outcome = await analyse(ctx, replace(claude, budget_usd=0.001))

    assert isinstance(outcome, Completed)
    assert [each.stock for each in database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))] == [INFY]
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert session.ended_as == "BudgetExhausted"


def test_a_call_of_another_tool_hands_in_nothing() -> None:
    watch = Watch(ending=BudgetExhausted())
    block = ToolUseBlock(id="t", name="Bash", input={"symbol": "NSE:INFY"})
    watch.see(AssistantMessage(content=[block], model="m", message_id="m1"))
    assert watch.cut_off == []


async def test_each_verdict_of_the_answer_that_uses_up_the_budget_is_kept(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    """The CLI ends with the answer, before it has called the tool for each verdict in it."""
    api.script = submits_all
    know(database, INFY, TCS, WIPRO)
    ctx = running_task(QueueName.AI_ANALYSIS, payload(INFY, TCS, WIPRO))

    outcome = await analyse(ctx, replace(claude, budget_usd=0.001))

    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert session.ended_as == "BudgetExhausted"
    stocks = [each.stock for each in database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))]
    assert stocks == [INFY, TCS, WIPRO]
    assert isinstance(outcome, Completed)
    assert follow_ups(database, outcome) == []
    assert len(api.requests) == 1
