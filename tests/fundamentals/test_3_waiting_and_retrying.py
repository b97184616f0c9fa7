"""What goes first, what waits, and what is tried again."""

from datetime import timedelta

from queues.context import TaskContext
from queues.database import Database
from queues.inspection import attempts_of, tasks_of_run
from queues.model import NewTask, QueueName, Sibling
from queues.outcome import Completed, Failed, Outcome, Retry, Snooze
from queues.scheduler import SequentialQueueManager
from queues.store import enqueue, find_task

SYNC, FETCH, ANALYSIS = QueueName


async def succeed(_: TaskContext) -> Outcome:
    return Completed({})


async def test_priority_goes_first_then_whoever_came_first(database: Database) -> None:
    wishes = [NewTask(queue=FETCH, kind="work", payload={}, priority=priority) for priority in (0, 0, 9)]
    database.write_now(lambda tx: enqueue(tx, wishes))

    reports = await SequentialQueueManager(database, {"work": succeed}, command="tutorial").execute_queues()

    assert [task.id for task in reports[FETCH].ended] == ["fetch-3", "fetch-1", "fetch-2"]


async def test_a_transient_failure_waits_its_backoff_and_costs_an_attempt(database: Database) -> None:
    async def fail_once(ctx: TaskContext) -> Outcome:
        return Retry("HTTP 503") if ctx.task.attempt == 1 else Completed({})

    database.write_now(lambda tx: enqueue(tx, [NewTask(queue=FETCH, kind="work", payload={})]))

    wait = timedelta(milliseconds=20)
    await SequentialQueueManager(
        database, {"work": fail_once}, command="tutorial", backoff=lambda _: wait
    ).execute_queues()

    first, second = database.read_now(lambda tx: attempts_of(tx, find_task(tx, "fetch-1")))
    assert (first.outcome, second.outcome, second.attempt) == ("retry", "completed", 2)
    assert first.ended_at is not None
    assert second.started_at >= first.ended_at + wait


async def test_what_is_not_the_tasks_fault_costs_no_attempt(database: Database) -> None:
    async def wait_once(ctx: TaskContext) -> Outcome:
        reset = ctx.now + timedelta(milliseconds=20)
        return Snooze("the usage limit is reached", until=reset) if ctx.task.claim == 1 else Completed({})

    wish = NewTask(queue=ANALYSIS, kind="work", payload={}, max_attempts=1)
    database.write_now(lambda tx: enqueue(tx, [wish]))

    await SequentialQueueManager(database, {"work": wait_once}, command="tutorial").execute_queues()

    task = database.read_now(lambda tx: find_task(tx, "analysis-1"))
    assert (task.state.value, task.claim, task.attempt) == ("completed", 2, 1)


async def test_a_task_may_wait_for_others(database: Database) -> None:
    wishes = [
        NewTask(queue=FETCH, kind="work", payload={}),
        NewTask(queue=ANALYSIS, kind="work", payload={}, after=(Sibling(0),)),
    ]
    database.write_now(lambda tx: enqueue(tx, wishes))

    await SequentialQueueManager(database, {"work": succeed}, command="tutorial").execute_queues()

    fetched, analysed = database.read_now(lambda tx: tasks_of_run(tx, "fetch-1"))
    assert fetched.finished_at is not None
    assert analysed.started_at is not None
    assert fetched.finished_at <= analysed.started_at


async def test_what_waits_for_a_failure_is_cancelled_with_its_reason(database: Database) -> None:
    async def fail(_: TaskContext) -> Outcome:
        return Failed("no such symbol")

    wishes = [
        NewTask(queue=FETCH, kind="fail", payload={}),
        NewTask(queue=ANALYSIS, kind="work", payload={}, after=(Sibling(0),)),
    ]
    database.write_now(lambda tx: enqueue(tx, wishes))

    desk = SequentialQueueManager(database, {"work": succeed, "fail": fail}, command="tutorial")
    await desk.execute_queues()

    task = database.read_now(lambda tx: find_task(tx, "analysis-2"))
    assert task.state.value == "cancelled"
    assert task.error == "Prerequisite fetch-1 failed: no such symbol"


async def test_a_task_may_ask_for_more_in_the_moment_it_completes(database: Database) -> None:
    async def sync(_: TaskContext) -> Outcome:
        follow_up = NewTask(queue=FETCH, kind="work", payload={"symbols": ["INFY", "TCS"]})
        return Completed({}, on_record=lambda _: [follow_up])

    database.write_now(lambda tx: enqueue(tx, [NewTask(queue=SYNC, kind="sync", payload={})]))

    desk = SequentialQueueManager(database, {"sync": sync, "work": succeed}, command="tutorial")
    await desk.execute_queues()

    run = database.read_now(lambda tx: tasks_of_run(tx, "sync-1"))
    assert [(task.id, task.state.value) for task in run] == [
        ("sync-1", "completed"),
        ("fetch-2", "completed"),
    ]
