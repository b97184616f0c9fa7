"""What a retry of an analysis judges again, and what it does not."""

import json

import pytest

from handlers.stocks import Exchange, Stock
from handlers.verdict import DataQuality
from handlers.verdicts import store_no_verdict
from queues.database import Transaction
from queues.lifecycle import take_over
from queues.model import QueueName
from queues.outcome import Failed
from queues.store import claim_next, record
from server.desk import Desk
from tests.server.desks import Agent

KO, XOM = Stock("KO", Exchange.NYSE), Stock("XOM", Exchange.NYSE)


def verdicts_of(desk: Desk, stock: Stock) -> list[tuple[str, str, str | None]]:
    """Task, analyst and reason of every verdict of the stock, whatever its revision."""
    rows = desk.database.read_now(
        lambda tx: tx.rows(
            "SELECT task_id, analyst, reason FROM verdicts WHERE symbol = :symbol AND exchange = :exchange",
            symbol=stock.symbol,
            exchange=stock.exchange.value,
        )
    )
    return [(task_id, analyst, reason) for task_id, analyst, reason in rows]


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
    assert retried["queued"] == [analysis]
    await desk.manager.execute_queues()
    second = {each["stock"]: each["created_at"] for each in (await agent.call("get_verdicts"))["verdicts"]}
    assert second.keys() == first.keys()
    assert all(second[stock] > first[stock] for stock in first)
    for stock in (KO, XOM):
        assert [task_id for task_id, _, _ in verdicts_of(desk, stock)] == [analysis, analysis]
    detail = await agent.call("get_task", task_id=analysis)
    assert set(detail["task"]["result"]["verdicts"]) == {str(KO), str(XOM)}
    assert (detail["run"]["stocks"], detail["run"]["stocks_done"]) == (2, 2)


async def test_it_can_be_retried_again_and_again(desk: Desk, agent: Agent, analysis: str) -> None:
    for _ in range(3):
        await agent.call("retry_task", task_id=analysis)
        await desk.manager.execute_queues()
    assert len(verdicts_of(desk, KO)) == 4


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
    assert [reason for _, _, reason in verdicts_of(desk, KO)] == ["paid for already"]
    assert [analyst for _, analyst, _ in verdicts_of(desk, XOM)] == ["baseline"]
    detail = await agent.call("get_task", task_id=answer["task_ids"][1])
    assert detail["task"]["state"] == "completed"
    assert json.dumps(detail["task"]["result"]).count("paid for already") == 1


def fail_after_one_verdict(tx: Transaction) -> None:
    task = claim_next(tx, QueueName.AI_ANALYSIS, take_over(tx, "test"))
    assert task is not None
    quality = [DataQuality("prices", "fresh", 0)]
    store_no_verdict(tx, task, KO, thesis="It stays.", reason="paid for already", data_quality=quality)
    record(tx, task, Failed("The session ended without a verdict of NYSE:XOM."), tx.now - tx.now)
