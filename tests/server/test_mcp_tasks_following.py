"""What a handle stands for where its request met work that others had asked for."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from handlers.analysis_task import analysis_task
from queues.database import Transaction
from queues.lifecycle import take_over
from queues.model import NewTask, QueueName
from queues.outcome import Completed
from queues.store import claim_next, record
from server.change_views import EnqueueView
from server.desk import Desk
from server.mcp_tasks.following import followed
from server.shortening import MOST_IDS
from tests.server.desks import Agent, csv_of
from tests.server.mcp_tasks import AAPL, JPM, KO, MSFT, TaskAgent, analyse, task_client


@pytest.fixture
async def host(desk: Desk) -> AsyncIterator[TaskAgent]:
    async with task_client(desk) as client:
        yield TaskAgent(client)


def finish_next(desk: Desk, queue: QueueName, epoch: int, *follow_ups: NewTask) -> None:
    def work(tx: Transaction) -> None:
        task = claim_next(tx, queue, epoch)
        assert task is not None
        record(tx, task, Completed({}, lambda _: follow_ups), timedelta())

    desk.database.write_now(work)


async def test_cancelling_a_handle_takes_its_stock_out_of_a_session_that_it_shares(
    host: TaskAgent, agent: Agent
) -> None:
    first, joined = await analyse(host, AAPL), await analyse(host, KO)
    await host.ask("tasks/cancel", joined)
    assert [(await host.get(task_id))["status"] for task_id in (first, joined)] == ["working", "cancelled"]
    left = (await agent.call("get_task", task_id="analysis-2"))["task"]
    assert (left["state"], left["payload"]["stocks"]) == ("queued", ["NASDAQ:AAPL"])


async def test_a_request_that_meets_queued_work_follows_what_concerns_its_stocks(
    desk: Desk, host: TaskAgent, agent: Agent
) -> None:
    await agent.call("enqueue_ai_analysis", symbols=[str(stock) for stock in (AAPL, MSFT, JPM, KO)])
    task_id = await analyse(host, AAPL)
    epoch = desk.database.write_now(lambda tx: take_over(tx, "test"))
    finish_next(desk, QueueName.DATA_FETCHER, epoch)
    # It leaves a remainder.
    finish_next(desk, QueueName.AI_ANALYSIS, epoch, analysis_task([AAPL], carried=True))
    told = await host.get(task_id)
    assert told["statusMessage"] == "2 of 3 tasks ended. analysis-5 waits for its turn in ai_analysis."
    finish_next(desk, QueueName.AI_ANALYSIS, epoch)
    assert (await host.get(task_id))["status"] == "completed"
    assert (await agent.call("get_task", task_id="analysis-4"))["task"]["state"] == "queued"


async def test_where_an_answer_cannot_name_all_that_it_met_the_whole_run_is_followed(
    desk: Desk, agent: Agent
) -> None:
    met = await agent.call("enqueue_ai_analysis", symbols=[str(stock) for stock in (AAPL, MSFT, JPM, KO)])
    own = await agent.call("enqueue_data_fetch", symbols=["NYSE:XOM"])
    names = [f"NYSE:S{number}" for number in range(MOST_IDS)]
    cut = {"task_ids": met["task_ids"][:1], "already_queued": dict.fromkeys(names, "analysis-2")}
    answer = EnqueueView.model_validate(own | cut)
    tasks = desk.database.read_now(lambda tx: followed(tx, answer))
    assert [task.id for task in tasks] == [*met["task_ids"], *own["task_ids"]]


async def test_a_request_that_meets_a_queued_sync_follows_the_review_behind_it(
    desk: Desk, host: TaskAgent, agent: Agent
) -> None:
    await agent.call("enqueue_portfolio_review", csv_text=csv_of(AAPL, MSFT))
    handle = await host.handle("enqueue_portfolio_review", csv_text=csv_of(AAPL, MSFT))
    await desk.manager.execute_queues()
    message = (await host.get(handle["taskId"]))["statusMessage"]
    assert message == "3 of 3 tasks completed. get_verdicts shows the verdicts."


async def test_cancelling_a_handle_cancels_a_sync_that_it_met(host: TaskAgent, agent: Agent) -> None:
    await agent.call("enqueue_portfolio_review", csv_text=csv_of(AAPL, MSFT))
    handle = await host.handle("enqueue_portfolio_review", csv_text=csv_of(AAPL, MSFT))
    await host.ask("tasks/cancel", handle["taskId"])
    assert (await agent.call("get_task", task_id="sync-1"))["task"]["state"] == "cancelled"
