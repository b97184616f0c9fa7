"""What a sync finds: it asks for just the work that follows, and drops just what is not needed any more."""

from typing import Any

import pytest

from handlers.analysis_task import AnalysisPayload, unfinished_analyses
from handlers.stocks import Exchange, Stock
from queues.inspection import tasks_of_run
from queues.model import QueueName, TaskState
from server.desk import Desk
from tests.server.desks import Agent, csv_of

AAPL, MSFT, AMD = (Stock(symbol, Exchange.NASDAQ) for symbol in ("AAPL", "MSFT", "AMD"))
KO = Stock("KO", Exchange.NYSE)


def batches(desk: Desk) -> dict[str, list[str]]:
    found = desk.database.read_now(unfinished_analyses)
    return {task.id: payload.stocks for task, payload in found}


async def sync(desk: Desk, agent: Agent, *stocks: Stock, **more: Any) -> dict[str, Any]:
    """Sync these as all that the account holds; the result of the task."""
    answer = await agent.call("enqueue_portfolio_sync", csv_text=csv_of(*stocks), **more)
    await desk.manager.execute_queues()
    detail = await agent.call("get_task", task_id=answer["run_id"])
    assert detail["task"]["state"] == "completed", detail["task"]["error"]
    return detail["task"]["result"] | {"run": detail["run"]}


@pytest.fixture
async def held_back(desk: Desk, agent: Agent) -> Agent:
    """Four stocks are held, and their analysis is queued and does not begin."""
    await sync(desk, agent, AAPL, MSFT, AMD, KO)
    await agent.call("hold_queue", queue="ai_analysis", reason="not now")
    await agent.call("enqueue_portfolio_review")
    return agent


async def test_a_stock_that_was_sold_leaves_the_queued_batches_and_its_neighbours_stay(
    desk: Desk, held_back: Agent
) -> None:
    before = batches(desk)
    (batch,) = (task_id for task_id, stocks in before.items() if str(AAPL) in stocks)
    result = await sync(desk, held_back, MSFT, AMD, KO)
    assert result["withdrawn"] == {str(AAPL): batch}
    after = batches(desk)
    assert after.keys() == before.keys()
    assert after[batch] == [stock for stock in before[batch] if stock != str(AAPL)]
    assert after[batch]


async def test_a_batch_that_loses_all_its_stocks_is_cancelled_with_the_reason(
    desk: Desk, held_back: Agent
) -> None:
    before = batches(desk)
    result = await sync(desk, held_back, KO)
    (left,) = batches(desk).values()
    assert left == [str(KO)]
    gone = next(task_id for task_id in before if task_id not in batches(desk))
    task = (await held_back.call("get_task", task_id=gone))["task"]
    assert task["state"] == "cancelled"
    assert task["error"].startswith("Not held any more, says sync-")
    assert len(result["withdrawn"]) == 3


async def test_what_another_account_still_holds_stays(desk: Desk, held_back: Agent) -> None:
    await sync(desk, held_back, AAPL, account="second")
    before = batches(desk)
    result = await sync(desk, held_back, MSFT, AMD, KO)
    assert ("withdrawn" in result, batches(desk)) == (False, before)


async def test_a_plain_sync_enqueues_nothing(desk: Desk, agent: Agent) -> None:
    result = await sync(desk, agent, AAPL, MSFT)
    assert result["run"]["tasks"] == {"queued": 0, "running": 0, "completed": 1, "failed": 0, "cancelled": 0}


async def test_only_what_is_new_or_changed_is_fetched_and_analysed(desk: Desk, agent: Agent) -> None:
    await sync(desk, agent, AAPL, MSFT, KO)
    changed = csv_of(MSFT, KO, AMD).replace("KO,NYSE,10", "KO,NYSE,12")
    answer = await agent.call("enqueue_portfolio_sync", csv_text=changed, analyse_changes=True)
    await desk.manager.execute_queues()
    tasks = desk.database.read_now(lambda tx: tasks_of_run(tx, answer["run_id"]))
    assert [task.state for task in tasks] == [TaskState.COMPLETED] * 3
    judged = [AnalysisPayload.model_validate(t.payload) for t in tasks if t.queue is QueueName.AI_ANALYSIS]
    assert sorted(judged[0].stocks) == [str(AMD), str(KO)]
    again = await agent.call("enqueue_portfolio_sync", csv_text=changed, analyse_changes=True)
    await desk.manager.execute_queues()
    detail = await agent.call("get_task", task_id=again["run_id"])
    assert sum(detail["run"]["tasks"].values()) == 1
