"""What a retry of an analysis judges again, and what it does not."""

import json

import pytest

from handlers.stocks import Exchange, Stock
from handlers.verdict import DataQuality
from handlers.verdicts import store_no_verdict, verdict_history
from queues.database import Transaction
from queues.lifecycle import take_over
from queues.model import QueueName
from queues.outcome import Failed
from queues.store import claim_next, record
from server.desk import Desk
from tests.server.desks import Agent

KO, XOM = Stock("KO", Exchange.NYSE), Stock("XOM", Exchange.NYSE)


@pytest.fixture
async def analysis(desk: Desk, agent: Agent) -> str:
    """The id of a completed analysis of both stocks."""
    answer = await agent.call("enqueue_ai_analysis", symbols=[str(KO), str(XOM)])
    await desk.manager.execute_queues()
    return answer["task_ids"][1]


async def test_a_completed_analysis_that_is_retried_judges_every_stock_anew(
    desk: Desk, agent: Agent, analysis: str
) -> None:
    first = {each["stock"]: each["created_at"] for each in (await agent.call("get_verdicts"))["verdicts"]}
    retried = await agent.call("retry_task", task_id=analysis)
    assert retried["task"]["state"] == "queued"
    await desk.manager.execute_queues()
    second = {each["stock"]: each["created_at"] for each in (await agent.call("get_verdicts"))["verdicts"]}
    assert second.keys() == first.keys()
    assert all(second[stock] > first[stock] for stock in first)
    for stock in (KO, XOM):
        history = desk.database.read_now(lambda tx, s=stock: verdict_history(tx, s))
        assert [verdict.task_id for verdict in history] == [analysis, analysis]
    detail = await agent.call("get_task", task_id=analysis)
    assert set(detail["task"]["result"]["verdicts"]) == {str(KO), str(XOM)}
    assert (detail["run"]["stocks"], detail["run"]["stocks_done"]) == (2, 2)


async def test_it_can_be_retried_again_and_again(desk: Desk, agent: Agent, analysis: str) -> None:
    for _ in range(3):
        await agent.call("retry_task", task_id=analysis)
        await desk.manager.execute_queues()
    history = desk.database.read_now(lambda tx: verdict_history(tx, KO))
    assert len(history) == 4


async def test_a_failed_analysis_that_is_retried_keeps_the_verdicts_that_it_has(
    desk: Desk, agent: Agent
) -> None:
    answer = await agent.call("enqueue_ai_analysis", symbols=[str(KO), str(XOM)])
    await agent.call("hold_queue", queue="ai_analysis", reason="the test fails it by hand")
    await desk.manager.execute_queues()
    await agent.call("release_queue", queue="ai_analysis")
    desk.database.write_now(fail_after_one_verdict)
    await agent.call("retry_task", task_id=answer["task_ids"][1])
    await desk.manager.execute_queues()
    kept = desk.database.read_now(lambda tx: verdict_history(tx, KO))
    assert [verdict.reason for verdict in kept] == ["paid for already"]
    (judged,) = desk.database.read_now(lambda tx: verdict_history(tx, XOM))
    assert judged.analyst == "baseline"
    detail = await agent.call("get_task", task_id=answer["task_ids"][1])
    assert detail["task"]["state"] == "completed"
    assert json.dumps(detail["task"]["result"]).count("paid for already") == 1


def fail_after_one_verdict(tx: Transaction) -> None:
    task = claim_next(tx, QueueName.AI_ANALYSIS, take_over(tx, "test"))
    assert task is not None
    quality = [DataQuality("prices", "fresh", 0)]
    store_no_verdict(tx, task, KO, thesis="It stays.", reason="paid for already", data_quality=quality)
    record(tx, task, Failed("The session ended without a verdict of NYSE:XOM."), tx.now - tx.now)
