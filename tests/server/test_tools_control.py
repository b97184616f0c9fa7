from datetime import timedelta

import anyio
import pytest

from queues.database import Transaction
from queues.holds import current_holds
from queues.lifecycle import take_over
from queues.model import QueueName, TaskState
from queues.outcome import Failed
from queues.store import claim_next, find_task, record
from server.desk import Desk
from tests.server.desks import Agent, counts

ANALYSIS, FETCH = QueueName.AI_ANALYSIS, QueueName.DATA_FETCHER


async def two_sessions(agent: Agent) -> list[str]:
    answer = await agent.call("enqueue_ai_analysis", symbols=["NYSE:KO", "NYSE:XOM", "NYSE:PFE", "NYSE:JPM"])
    assert answer["task_ids"] == ["fetch-1", "analysis-2", "fetch-3", "analysis-4"]
    return answer["task_ids"]


def state(desk: Desk, task_id: str) -> TaskState:
    return desk.database.read_now(lambda tx: find_task(tx, task_id)).state


def start(desk: Desk, queue: QueueName) -> str:
    def work(tx: Transaction) -> str:
        task = claim_next(tx, queue, take_over(tx, "test"))
        assert task is not None
        return task.id

    return desk.database.write_now(work)


def fail_next(desk: Desk, queue: QueueName) -> str:
    def work(tx: Transaction) -> str:
        task = claim_next(tx, queue, take_over(tx, "test"))
        assert task is not None
        record(tx, task, Failed("The source knows none of them."), timedelta())
        return task.id

    return desk.database.write_now(work)


async def test_a_cancelled_task_takes_along_what_waits_for_it(desk: Desk, agent: Agent) -> None:
    await two_sessions(agent)
    answer = await agent.call("cancel_tasks", task_ids=["fetch-1"], reason="wrong stocks")
    assert answer == {
        "cancelled": ["fetch-1"],
        "stopping": [],
        "also_cancelled": ["analysis-2"],
        "already_finished": [],
        "withdrawn": {},
        "message": "1 cancelled, 1 more because they waited for these, 0 being stopped; 0 had ended before.",
    }
    assert [state(desk, task) for task in ("fetch-1", "analysis-2")] == [TaskState.CANCELLED] * 2
    assert [state(desk, task) for task in ("fetch-3", "analysis-4")] == [TaskState.QUEUED] * 2
    task = (await agent.call("get_task", task_id="fetch-1"))["task"]
    assert task["error"] == "Cancelled on request: wrong stocks"


async def test_a_whole_run_is_cancelled_each_task_for_the_reason_that_was_given(agent: Agent) -> None:
    ids = await two_sessions(agent)
    answer = await agent.call("cancel_tasks", run_id="fetch-1", reason="enough", confirm=True)
    assert answer["cancelled"] == ids
    assert answer["also_cancelled"] == []
    for task_id in ids:
        task = (await agent.call("get_task", task_id=task_id))["task"]
        assert task["error"] == "Cancelled on request: enough"


async def test_a_running_task_is_asked_to_stop(desk: Desk, agent: Agent) -> None:
    await two_sessions(agent)
    running = start(desk, FETCH)
    answer = await agent.call("cancel_tasks", task_ids=[running])
    assert answer["stopping"] == [running]
    assert desk.database.read_now(lambda tx: find_task(tx, running)).cancel_requested is not None


async def test_what_has_ended_is_told_apart_and_left_alone(desk: Desk, agent: Agent) -> None:
    await two_sessions(agent)
    await agent.call("cancel_tasks", task_ids=["fetch-1"], reason="first")
    answer = await agent.call("cancel_tasks", task_ids=["fetch-1", "fetch-1", "fetch-3"], reason="second")
    assert answer["already_finished"] == ["fetch-1"]
    assert answer["cancelled"] == ["fetch-3"]
    assert (await agent.call("get_task", task_id="fetch-1"))["task"]["error"].endswith("first")
    assert state(desk, "fetch-3") is TaskState.CANCELLED


async def test_one_unknown_id_and_nothing_is_cancelled(desk: Desk, agent: Agent) -> None:
    await two_sessions(agent)
    assert "no task 'fetch-99'" in await agent.refused("cancel_tasks", task_ids=["fetch-1", "fetch-99"])
    assert state(desk, "fetch-1") is TaskState.QUEUED


@pytest.mark.parametrize("arguments", [{}, {"task_ids": ["fetch-1"], "run_id": "fetch-1"}, {"task_ids": []}])
async def test_a_cancel_of_everything_or_of_nothing_in_particular_is_refused(
    desk: Desk, agent: Agent, arguments: dict[str, object]
) -> None:
    await two_sessions(agent)
    assert "either task_ids or run_id" in await agent.refused("cancel_tasks", **arguments)
    assert state(desk, "fetch-1") is TaskState.QUEUED


async def test_a_cancelled_task_really_stops_and_the_queue_goes_on(desk: Desk, agent: Agent) -> None:
    await two_sessions(agent)
    await agent.call("cancel_tasks", task_ids=["fetch-1"])
    await desk.manager.execute_queues()
    assert state(desk, "analysis-4") is TaskState.COMPLETED
    assert state(desk, "analysis-2") is TaskState.CANCELLED


async def test_a_retry_of_what_failed_brings_back_what_was_cancelled_because_of_it(
    desk: Desk, agent: Agent
) -> None:
    await two_sessions(agent)
    assert fail_next(desk, FETCH) == "fetch-1"
    assert state(desk, "analysis-2") is TaskState.CANCELLED
    answer = await agent.call("retry_task", task_id="fetch-1")
    assert (answer["queued"], answer["also_queued"]) == (["fetch-1"], ["analysis-2"])
    await desk.manager.execute_queues()
    assert state(desk, "analysis-2") is TaskState.COMPLETED


async def test_a_retry_of_what_waited_names_the_task_to_retry_instead(desk: Desk, agent: Agent) -> None:
    await two_sessions(agent)
    fail_next(desk, FETCH)
    assert "retry fetch-1 first" in await agent.refused("retry_task", task_id="analysis-2")
    assert state(desk, "analysis-2") is TaskState.CANCELLED


async def test_a_task_that_has_not_ended_cannot_be_retried(desk: Desk, agent: Agent) -> None:
    await two_sessions(agent)
    assert "only a finished task" in await agent.refused("retry_task", task_id="fetch-1")
    assert counts(desk)["attempts"] == 0


async def test_a_retry_whose_work_another_task_does_names_that_task(agent: Agent) -> None:
    await two_sessions(agent)
    await agent.call("cancel_tasks", run_id="fetch-1", confirm=True)
    again = await agent.call("enqueue_ai_analysis", symbols=["NYSE:KO", "NYSE:XOM"])
    for old, new in zip(("fetch-1", "analysis-2"), again["task_ids"], strict=True):
        assert f"{new} is already doing the work of {old}" in await agent.refused("retry_task", task_id=old)


async def test_a_run_that_an_outage_failed_is_brought_back_at_once(desk: Desk, agent: Agent) -> None:
    ids = await two_sessions(agent)
    assert [fail_next(desk, FETCH), fail_next(desk, FETCH)] == ["fetch-1", "fetch-3"]
    answer = await agent.call("retry_task", run_id="fetch-1")
    assert answer == {
        "queued": ["fetch-1", "fetch-3"],
        "also_queued": ["analysis-2", "analysis-4"],
        "message": "2 queued anew, 2 more that had been cancelled because of these.",
    }
    await desk.manager.execute_queues()
    assert {state(desk, task) for task in ids} == {TaskState.COMPLETED}


async def test_what_was_cancelled_on_request_comes_back_with_its_run_and_what_completed_does_not(
    desk: Desk, agent: Agent
) -> None:
    await two_sessions(agent)
    await agent.call("cancel_tasks", task_ids=["analysis-4"], reason="too dear")
    await agent.call("cancel_tasks", task_ids=["fetch-3"])
    await desk.manager.execute_queues()
    answer = await agent.call("retry_task", run_id="fetch-1")
    assert (answer["queued"], answer["also_queued"]) == (["fetch-3", "analysis-4"], [])
    assert state(desk, "analysis-2") is TaskState.COMPLETED


async def test_a_task_of_the_run_whose_work_another_does_stays_and_the_reason_is_told(
    desk: Desk, agent: Agent
) -> None:
    await two_sessions(agent)
    await agent.call("cancel_tasks", run_id="fetch-1", confirm=True)
    await agent.call("enqueue_data_fetch", symbols=["NYSE:KO", "NYSE:XOM"])
    answer = await agent.call("retry_task", run_id="fetch-1")
    assert answer["queued"] == ["fetch-3", "analysis-4"]
    assert "2 could not be: fetch-5 is already doing the work of fetch-1" in answer["message"]
    assert state(desk, "analysis-2") is TaskState.CANCELLED


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "either task_id or run_id"),
        ({"task_id": "fetch-1", "run_id": "fetch-1"}, "either task_id or run_id"),
        ({"run_id": "fetch-9"}, "no run 'fetch-9'"),
        ({"run_id": "fetch-1"}, "none of its tasks failed or was cancelled"),
    ],
)
async def test_a_retry_of_nothing_in_particular_or_of_nothing_that_failed_is_refused(
    agent: Agent, arguments: dict[str, str], words: str
) -> None:
    await two_sessions(agent)
    assert words in await agent.refused("retry_task", **arguments)


async def test_a_held_queue_starts_nothing_and_the_others_go_on(desk: Desk, agent: Agent) -> None:
    await two_sessions(agent)
    answer = await agent.call("hold_queue", queue="ai_analysis", reason="no money this week")
    assert answer["message"] == "ai_analysis starts nothing more until release_queue(ai_analysis)."
    await desk.manager.execute_queues()
    assert state(desk, "fetch-3") is TaskState.COMPLETED
    assert state(desk, "analysis-2") is TaskState.QUEUED
    status = await agent.call("get_queue_status")
    assert "ai_analysis is held until released (user): no money this week" in status["message"]
    released = await agent.call("release_queue", queue="ai_analysis")
    assert [hold["reason"] for hold in released["released"]] == ["no money this week"]
    assert released["message"] == "ai_analysis goes on."
    await desk.manager.execute_queues()
    assert state(desk, "analysis-2") is TaskState.COMPLETED


async def test_a_hold_may_have_an_end_and_names_the_task_that_goes_on(desk: Desk, agent: Agent) -> None:
    await two_sessions(agent)
    running = start(desk, FETCH)
    answer = await agent.call("hold_queue", queue="data_fetcher", reason="polite", minutes=30)
    (hold,) = desk.database.read_now(lambda tx: current_holds(tx, FETCH))
    assert hold.until is not None
    assert hold.until - hold.held_at == timedelta(minutes=30)
    assert f"{running} is running and goes on" in answer["message"]


async def test_a_release_of_a_queue_that_is_not_held_says_so(agent: Agent) -> None:
    answer = await agent.call("release_queue", queue="data_fetcher")
    assert (answer["released"], answer["message"]) == ([], "data_fetcher was not held.")


async def test_a_cleared_queue_is_empty_and_what_ran_goes_on(desk: Desk, agent: Agent) -> None:
    await two_sessions(agent)
    running = start(desk, FETCH)
    answer = await agent.call("clear_queue", queue="data_fetcher", confirm=True)
    assert (answer["cancelled_tasks"], answer["cancelled"]) == (1, ["fetch-3"])
    assert answer["still_running"] == running
    assert state(desk, "analysis-4") is TaskState.CANCELLED
    assert state(desk, "analysis-2") is TaskState.QUEUED
    assert state(desk, running) is TaskState.RUNNING


async def test_the_clearing_of_one_queue_leaves_what_does_not_depend_on_it(desk: Desk, agent: Agent) -> None:
    await two_sessions(agent)
    answer = await agent.call("clear_queue", queue="ai_analysis", confirm=True)
    assert answer["cancelled"] == ["analysis-2", "analysis-4"]
    assert state(desk, "fetch-1") is TaskState.QUEUED


async def test_a_release_wakes_the_queue_at_once(desk: Desk, agent: Agent) -> None:
    """Without the wake, the queues would look again only after 30 s."""
    await agent.call("hold_queue", queue="data_fetcher", reason="wait")
    await two_sessions(agent)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            await tasks.start(desk.manager.run)
            await agent.call("release_queue", queue="data_fetcher")
            detail = await agent.call("get_task", task_id="fetch-1", wait_seconds=25, wait_for="run")
            assert detail["run"]["finished"] is True
            tasks.cancel_scope.cancel()
