"""Single stocks that join a session over the tools, and stocks that leave one."""

import pytest

from handlers.analysis_task import AnalysisPayload
from queues.inspection import unfinished_tasks
from queues.model import QueueName
from server.desk import Desk
from tests.server.desks import Agent

AAPL, MSFT, KO = "NASDAQ:AAPL", "NASDAQ:MSFT", "NYSE:KO"


def batches(desk: Desk) -> dict[str, list[str]]:
    tasks = desk.database.read_now(lambda tx: unfinished_tasks(tx, QueueName.AI_ANALYSIS))
    return {task.id: AnalysisPayload.model_validate(task.payload).stocks for task in tasks}


async def test_a_single_stock_joins_one_that_waits_and_the_answer_says_so(desk: Desk, agent: Agent) -> None:
    first = await agent.call("enqueue_ai_analysis", symbols=[AAPL])
    second = await agent.call("enqueue_ai_analysis", symbols=[MSFT], priority=5)
    assert batches(desk) == {"analysis-2": [AAPL, MSFT]}
    assert second["run_id"] == first["run_id"]
    assert (second["sessions"], second["already_queued"]) == (0, {MSFT: "analysis-2"})
    assert f"{MSFT} joins analysis-2 and shares its session." in second["message"]
    assert "Raised to priority 5: fetch-1, analysis-2" in second["message"]
    await desk.manager.execute_queues()
    page = await agent.call("get_verdicts")
    assert [verdict["stock"] for verdict in page["verdicts"]] == [AAPL, MSFT]


async def test_one_stock_leaves_a_batch(desk: Desk, agent: Agent) -> None:
    review = await agent.call("enqueue_ai_analysis", symbols=[AAPL, MSFT])
    answer = await agent.call("cancel_tasks", symbols=["AAPL"], exchange="NASDAQ", reason="sold it")
    assert (answer["withdrawn"], answer["cancelled"]) == ({AAPL: "analysis-2"}, [])
    assert batches(desk) == {"analysis-2": [MSFT]}
    await desk.manager.execute_queues()
    run = (await agent.call("get_task", task_id=review["run_id"]))["run"]
    assert (run["stocks"], run["stocks_done"], run["stocks_failed"], run["finished"]) == (2, 1, 1, True)


async def test_the_last_stock_that_leaves_takes_the_task_with_it(desk: Desk, agent: Agent) -> None:
    await agent.call("enqueue_ai_analysis", symbols=[AAPL, MSFT])
    answer = await agent.call("cancel_tasks", symbols=[AAPL, MSFT], run_id="fetch-1")
    assert (answer["cancelled"], batches(desk)) == (["analysis-2"], {})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"symbols": [AAPL, KO]}, "No such analysis of NYSE:KO is unfinished"),
        ({"symbols": [AAPL], "task_ids": ["fetch-1"]}, "No such analysis of NASDAQ:AAPL is unfinished"),
        ({"symbols": [AAPL], "run_id": "fetch-9"}, "There is no run 'fetch-9'"),
        ({"symbols": [AAPL], "task_ids": ["analysis-9"]}, "There is no task 'analysis-9'"),
        ({"symbols": ["???"], "exchange": "NYSE"}, "'???' is not a stock symbol"),
    ],
)
async def test_a_stock_that_cannot_leave_leaves_everything_as_it_is(
    desk: Desk, agent: Agent, arguments: dict[str, object], said: str
) -> None:
    await agent.call("enqueue_ai_analysis", symbols=[AAPL, MSFT])
    assert said in await agent.refused("cancel_tasks", **arguments)
    assert batches(desk) == {"analysis-2": [AAPL, MSFT]}
