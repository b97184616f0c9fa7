from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from handlers.stocks import Exchange, Stock
from queues.holds import hold_queue
from queues.lifecycle import take_over
from queues.model import QueueName, TaskState
from queues.outcome import Failed, Retry
from queues.store import claim_next, record
from server.desk import Desk, open_desk
from server.settings import Settings
from tests.server.desks import Agent, csv_of

TASK_FIELDS = {
    "id",
    "run_id",
    "queue",
    "kind",
    "state",
    "priority",
    "attempt",
    "enqueued_at",
    "due_at",
    "started_at",
    "finished_at",
    "progress",
    "waiting_for",
    "payload",
    "result",
    "error",
}
STOCKS = [Stock("AAPL", Exchange.NASDAQ), Stock("KO", Exchange.NYSE), Stock("XOM", Exchange.NYSE)]


async def review(agent: Agent) -> str:
    return (await agent.call("enqueue_portfolio_review", csv_text=csv_of(*STOCKS)))["run_id"]


def queue(status: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in status["queues"] if each["queue"] == name)


async def test_a_new_desk_has_three_idle_queues_and_nobody_who_runs_them(agent: Agent) -> None:
    status = await agent.call("get_queue_status")
    assert [each["queue"] for each in status["queues"]] == list(QueueName)
    assert {each["state"] for each in status["queues"]} == {"idle"}
    assert status["leader"] is None
    assert status["analyst"] == "baseline"
    assert status["message"].startswith("No process runs the queues; start `stockdesk worker`")


async def test_the_status_names_the_process_that_leads(desk: Desk, agent: Agent) -> None:
    async with anyio.create_task_group() as tasks:
        await tasks.start(desk.manager.run)
        await agent.call("get_task", task_id=await review(agent), wait_seconds=20, wait_for="run")
        leader = (await agent.call("get_queue_status"))["leader"]
        assert (leader["command"], leader["leads"], leader["is_this_process"]) == ("test", True, True)
        tasks.cancel_scope.cancel()
    assert (await agent.call("get_queue_status"))["leader"]["leads"] is False


async def test_the_status_shows_the_running_task_with_its_progress(desk: Desk, agent: Agent) -> None:
    run_id = await review(agent)
    epoch = desk.database.write_now(lambda tx: take_over(tx, "test"))
    desk.database.write_now(lambda tx: claim_next(tx, QueueName.PORTFOLIO_SYNC, epoch))
    shown = queue(await agent.call("get_queue_status"), "portfolio_sync")
    assert shown["state"] == "running"
    assert shown["running"]["id"] == run_id
    assert shown["counts"]["running"] == 1


async def test_the_status_estimates_the_end_from_what_earlier_tasks_took(desk: Desk, agent: Agent) -> None:
    await review(agent)
    await desk.manager.execute_queues()
    await agent.call("enqueue_ai_analysis", symbols=["NYSE:PFE"])
    shown = queue(await agent.call("get_queue_status"), "data_fetcher")
    assert shown["oldest_wait_seconds"] >= 0
    assert shown["estimated_finish"] is None  # nobody runs the queues
    await agent.call("hold_queue", queue="data_fetcher", reason="later", minutes=10)
    status: dict[str, Any] = {}
    async with anyio.create_task_group() as running:
        await running.start(desk.manager.run)
        status = await agent.call("get_queue_status")
        while not status["leader"]["leads"]:
            await desk.manager.bell.wait(desk.manager.bell.next_ring(), timedelta(milliseconds=100))
            status = await agent.call("get_queue_status")
        running.cancel_scope.cancel()
    estimate = datetime.fromisoformat(queue(status, "data_fetcher")["estimated_finish"])
    assert estimate > datetime.now(UTC) + timedelta(minutes=9)
    assert queue(status, "portfolio_sync")["estimated_finish"] is None


async def test_a_failed_task_is_named_in_the_status_and_is_never_completed(desk: Desk, agent: Agent) -> None:
    await agent.call("enqueue_data_fetch", symbols=["NYSE:NOSUCH"])
    await desk.manager.execute_queues()
    status = await agent.call("get_queue_status")
    assert queue(status, "data_fetcher")["counts"] == {
        "queued": 0,
        "running": 0,
        "completed": 0,
        "failed": 1,
        "cancelled": 0,
    }
    assert "1 task of data_fetcher failed; list_tasks shows why." in status["message"]


async def test_a_task_carries_all_that_its_reader_needs(agent: Agent) -> None:
    detail = await agent.call("get_task", task_id=await review(agent))
    assert set(detail["task"]) == TASK_FIELDS
    assert detail["task"]["waiting_for"] == {
        "on": "turn",
        "what": "its turn in portfolio_sync",
        "until": None,
    }
    page = await agent.call("list_tasks")
    assert set(page["tasks"][0]) == TASK_FIELDS


async def test_a_task_that_waits_says_on_what(desk: Desk, agent: Agent) -> None:
    answer = await agent.call("enqueue_ai_analysis", symbols=["NYSE:KO"])
    fetch_id, analysis_id = answer["task_ids"]
    waiting = (await agent.call("get_task", task_id=analysis_id))["task"]["waiting_for"]
    assert (waiting["on"], waiting["what"]) == ("tasks", f"the end of {fetch_id}")
    until = datetime(2100, 1, 1, tzinfo=UTC)
    desk.database.write_now(
        lambda tx: hold_queue(tx, QueueName.DATA_FETCHER, "user", "the source is down", until)
    )
    held = (await agent.call("get_task", task_id=fetch_id))["task"]["waiting_for"]
    assert held["on"] == "hold"
    assert "the source is down" in held["what"]
    assert held["until"] == "2100-01-01T00:00:00Z"


async def test_a_task_in_backoff_says_until_when_and_every_attempt_stays_visible(
    desk: Desk, agent: Agent
) -> None:
    answer = await agent.call("enqueue_data_fetch", symbols=["NYSE:KO"])
    epoch = desk.database.write_now(lambda tx: take_over(tx, "test"))
    claimed = desk.database.write_now(lambda tx: claim_next(tx, QueueName.DATA_FETCHER, epoch))
    assert claimed is not None
    desk.database.write_now(lambda tx: record(tx, claimed, Retry("yahoo answered 503"), timedelta(minutes=5)))
    detail = await agent.call("get_task", task_id=answer["run_id"])
    assert detail["task"]["state"] == "queued"
    assert detail["task"]["waiting_for"]["on"] == "due"
    assert detail["task"]["waiting_for"]["until"] == detail["task"]["due_at"]
    (attempt,) = detail["attempts"]
    assert (attempt["outcome"], attempt["detail"]) == ("retry", "yahoo answered 503")


async def test_a_run_says_how_far_its_stocks_are(desk: Desk, agent: Agent) -> None:
    run_id = await review(agent)
    before = (await agent.call("get_task", task_id=run_id))["run"]
    assert (before["stocks"], before["finished"]) == (0, False)
    await desk.manager.execute_queues()
    after = (await agent.call("get_task", task_id=run_id))["run"]
    assert (after["run_id"], after["stocks"], after["stocks_done"], after["finished"]) == (run_id, 3, 3, True)
    assert after["tasks"] == {"queued": 0, "running": 0, "completed": 3, "failed": 0, "cancelled": 0}


async def test_get_task_returns_at_once_when_the_task_has_ended(desk: Desk, agent: Agent) -> None:
    run_id = await review(agent)
    await desk.manager.execute_queues()
    detail = await agent.call("get_task", task_id=run_id, wait_seconds=50)
    assert detail["task"]["state"] == "completed"


async def test_get_task_returns_as_soon_as_the_task_ends_whichever_process_ran_it(
    desk: Desk, agent: Agent, settings: Settings
) -> None:
    """A wait of 50 s that returns long before pytest would be killed: the end rang here."""
    run_id = await review(agent)
    detail: dict[str, Any] = {}

    async def wait() -> None:
        detail.update(await agent.call("get_task", task_id=run_id, wait_seconds=50, wait_for="run"))

    async with (
        open_desk(settings, "another") as other,
        anyio.create_task_group() as listening,
    ):
        await listening.start(desk.manager.bell.run)
        with anyio.fail_after(30):
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(wait)
                await other.manager.execute_queues()
        listening.cancel_scope.cancel()
    assert detail["run"]["finished"] is True


async def test_get_task_gives_up_after_its_wait_and_shows_the_task_as_it_is(agent: Agent) -> None:
    detail = await agent.call("get_task", task_id=await review(agent), wait_seconds=0.05)
    assert detail["task"]["state"] == "queued"


async def test_tasks_are_listed_newest_first_by_queue_state_and_run(desk: Desk, agent: Agent) -> None:
    run_id = await review(agent)
    await desk.manager.execute_queues()
    other = (await agent.call("enqueue_data_fetch", symbols=["NYSE:PFE"]))["run_id"]
    every = await agent.call("list_tasks")
    assert [task["id"] for task in every["tasks"]] == ["fetch-4", "analysis-3", "fetch-2", "sync-1"]
    assert every["total"] == 4
    assert every["next_cursor"] is None
    by_queue = await agent.call("list_tasks", queue="data_fetcher")
    assert [task["id"] for task in by_queue["tasks"]] == ["fetch-4", "fetch-2"]
    by_state = await agent.call("list_tasks", state=["queued", "running"])
    assert [task["id"] for task in by_state["tasks"]] == [other]
    by_run = await agent.call("list_tasks", run_id=run_id)
    assert by_run["total"] == 3
    assert (await agent.call("list_tasks", run_id="sync-99"))["total"] == 0


async def test_pages_of_tasks_follow_each_other_and_new_tasks_do_not_shift_them(agent: Agent) -> None:
    for stock in STOCKS:
        await agent.call("enqueue_data_fetch", symbols=[str(stock)])
    first = await agent.call("list_tasks", limit=2)
    await agent.call("enqueue_data_fetch", symbols=["NYSE:PFE"])
    second = await agent.call("list_tasks", limit=2, cursor=first["next_cursor"])
    ids = [task["id"] for page in (first, second) for task in page["tasks"]]
    assert ids == ["fetch-3", "fetch-2", "fetch-1"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("state", list(TaskState))
async def test_every_state_can_be_asked_for(agent: Agent, state: TaskState) -> None:
    assert (await agent.call("list_tasks", state=[state]))["total"] == 0


async def test_a_failure_is_shown_with_its_reason(desk: Desk, agent: Agent) -> None:
    answer = await agent.call("enqueue_data_fetch", symbols=["NYSE:KO"])
    epoch = desk.database.write_now(lambda tx: take_over(tx, "test"))
    claimed = desk.database.write_now(lambda tx: claim_next(tx, QueueName.DATA_FETCHER, epoch))
    assert claimed is not None
    desk.database.write_now(lambda tx: record(tx, claimed, Failed("No prices for any."), timedelta()))
    task = (await agent.call("get_task", task_id=answer["run_id"]))["task"]
    assert (task["state"], task["error"], task["result"]) == ("failed", "No prices for any.", None)
