"""The three queues together: parallel, each serial, none ended by another's trouble, none asleep."""

from datetime import timedelta
from itertools import pairwise

import anyio
import anyio.lowlevel
import pytest

from queues import worker as worker_module
from queues.context import TaskContext
from queues.database import Database, Transaction
from queues.holds import hold_queue, release_queue
from queues.model import QueueName, Sibling, Task, TaskState
from queues.outcome import Completed, Failed, HoldRequest, Outcome, Retry, Snooze
from queues.scheduler import SequentialQueueManager
from queues.store import claim_next, enqueue
from queues.waking import is_drained
from tests.queues.desk import ANALYSIS, FETCH, NOTHING, SYNC, fetch, new
from tests.queues.running import HANDLERS, PATIENCE, drain, look, manager, put, spans, states, succeed

# --- parallel and serial


async def test_the_queues_run_in_parallel(database: Database) -> None:
    arrived: set[QueueName] = set()
    all_here = anyio.Event()

    async def meet(ctx: TaskContext) -> Outcome:
        arrived.add(ctx.task.queue)
        if len(arrived) == 3:
            all_here.set()
        await all_here.wait()
        return Completed(NOTHING)

    put(database, *(new(queue) for queue in QueueName))
    await drain(manager(database, {"work": meet}))
    starts, ends = zip(*(spans(database, queue)[0] for queue in QueueName), strict=True)
    assert max(starts) < min(ends)


async def test_within_a_queue_no_two_attempts_overlap(database: Database) -> None:
    async def yield_often(ctx: TaskContext) -> Outcome:
        await ctx.report(0, 1, "begun")
        await anyio.lowlevel.checkpoint()
        return Retry("again") if ctx.task.attempt == 1 else Completed(NOTHING)

    put(database, *(new(queue) for queue in QueueName for _ in range(8)))
    await drain(manager(database, {"work": yield_often}))
    for queue in QueueName:
        attempts = spans(database, queue)
        assert len(attempts) == 16
        assert all(end <= next_start for (_, end), (next_start, _) in pairwise(attempts))


async def test_what_is_to_be_done_first_is_done_before_a_queue_starts(database: Database) -> None:
    put(database, fetch())
    database.write_now(lambda tx: hold_queue(tx, FETCH, "model=old", "unknown model"))

    def release(tx: Transaction) -> None:
        release_queue(tx, FETCH, "model=old")

    desk = SequentialQueueManager(database, HANDLERS, command="test", on_lead=release)
    assert await drain(desk) == {SYNC: [], FETCH: ["fetch-1"], ANALYSIS: []}


# --- draining


async def test_an_empty_desk_is_drained_at_once(database: Database) -> None:
    assert await drain(manager(database, HANDLERS)) == {SYNC: [], FETCH: [], ANALYSIS: []}


async def test_draining_goes_on_through_follow_ups_across_queues(database: Database) -> None:
    async def sync(_: TaskContext) -> Outcome:
        follow_ups = [fetch(kind="fetch"), new(ANALYSIS, after=(Sibling(0),))]
        return Completed(NOTHING, lambda _: follow_ups)

    async def fetching(_: TaskContext) -> Outcome:
        return Completed(NOTHING, lambda _: [new(SYNC)])

    put(database, new(SYNC, kind="sync"))
    desk = manager(database, {"sync": sync, "fetch": fetching, "work": succeed})
    assert await drain(desk) == {SYNC: ["sync-1", "sync-4"], FETCH: ["fetch-2"], ANALYSIS: ["analysis-3"]}


async def test_due_times_are_waited_for(database: Database) -> None:
    soon = database.clock() + timedelta(milliseconds=30)
    (task,) = put(database, fetch(due_at=soon))
    await drain(manager(database, HANDLERS))
    started_at = look(database, task).started_at
    assert started_at is not None
    assert started_at >= soon


async def test_a_queue_held_without_an_end_keeps_its_tasks_and_the_others_drain(database: Database) -> None:
    database.write_now(lambda tx: hold_queue(tx, FETCH, "user", "maintenance"))
    tasks = put(database, fetch(), new(ANALYSIS), new(SYNC), new(ANALYSIS, after=(Sibling(0),)))
    await drain(manager(database, HANDLERS))
    assert states(database, tasks) == [
        TaskState.QUEUED,
        TaskState.COMPLETED,
        TaskState.COMPLETED,
        TaskState.QUEUED,
    ]


async def test_a_hold_that_a_task_asked_for_itself_ends_the_draining_of_its_queue(database: Database) -> None:
    async def limited(_: TaskContext) -> Outcome:
        return Snooze("usage limit", hold=HoldRequest("usage_limit", "spent"))

    tasks = put(database, new(ANALYSIS, kind="limited"), new(ANALYSIS), fetch())
    await drain(manager(database, {"limited": limited, "work": succeed}))
    assert states(database, tasks) == [TaskState.QUEUED, TaskState.QUEUED, TaskState.COMPLETED]


async def test_a_report_never_hides_failures(database: Database) -> None:
    async def fail(_: TaskContext) -> Outcome:
        return Failed("no data")

    put(database, fetch(kind="fail"), fetch(), fetch(kind="fail"))
    reports = await manager(database, {"fail": fail, "work": succeed}).execute_queues()
    counts = {state: reports[FETCH].count(state) for state in TaskState}
    assert (counts[TaskState.COMPLETED], counts[TaskState.FAILED]) == (1, 2)
    assert sum(counts.values()) == 3


async def test_a_queue_takes_more_than_a_thousand_tasks_in_one_go(database: Database) -> None:
    put(database, *(fetch() for _ in range(1100)))
    reports = await manager(database, HANDLERS).execute_queues()
    assert reports[FETCH].count(TaskState.COMPLETED) == 1100


# --- one queue's trouble


@pytest.mark.parametrize("broken", QueueName)
async def test_an_error_in_one_queue_never_ends_another(
    database: Database, monkeypatch: pytest.MonkeyPatch, broken: QueueName
) -> None:
    def claim(tx: Transaction, queue: QueueName, epoch: int) -> Task | None:
        if queue is broken:
            raise RuntimeError("a bug in one queue")
        return claim_next(tx, queue, epoch)

    monkeypatch.setattr(worker_module, "claim_next", claim)
    tasks = put(database, *(new(queue) for queue in QueueName for _ in range(3)))
    with anyio.fail_after(PATIENCE):
        reports = await manager(database, HANDLERS).execute_queues()
    assert {queue: str(report.error) for queue, report in reports.items() if report.error} == {
        broken: "a bug in one queue"
    }
    for task in tasks:
        expected = TaskState.QUEUED if task.queue is broken else TaskState.COMPLETED
        assert look(database, task).state is expected


async def test_a_queue_that_an_error_ended_is_waited_for_no_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []

    def claim(_: Transaction, queue: QueueName, __: int) -> Task | None:
        if queue is FETCH and len(looks) >= 3:  # the others have looked, and sleep
            raise RuntimeError("a bug in one queue")
        return None

    def look_and_count(tx: Transaction, stopped: set[QueueName]) -> bool:
        looks.append(is_drained(tx, stopped))
        return looks[-1]

    monkeypatch.setattr(worker_module, "claim_next", claim)
    monkeypatch.setattr(worker_module, "is_drained", look_and_count)
    (task,) = put(database, fetch(due_at=database.clock() + timedelta(milliseconds=200)))
    with anyio.fail_after(PATIENCE):
        reports = await manager(database, HANDLERS).execute_queues()
    assert str(reports[FETCH].error) == "a bug in one queue"
    assert look(database, task).state is TaskState.QUEUED


async def test_a_queue_that_ends_over_a_running_task_gives_it_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Task:
        raise RuntimeError("a bug in the store")

    monkeypatch.setattr(worker_module, "record", fail)
    (task,) = put(database, fetch())
    with anyio.fail_after(PATIENCE):
        reports = await manager(database, HANDLERS).execute_queues()
    assert str(reports[FETCH].error) == "a bug in the store"
    assert (look(database, task).state, look(database, task).attempt) == (TaskState.QUEUED, 0)


async def test_a_failing_task_leaves_every_task_that_does_not_depend_on_it_untouched(
    database: Database,
) -> None:
    async def fail(_: TaskContext) -> Outcome:
        raise ValueError("always")

    tasks = put(
        database,
        fetch(kind="fail"),
        fetch(),
        new(ANALYSIS, after=(Sibling(0),)),
        new(ANALYSIS, after=(Sibling(1),)),
        new(SYNC),
    )
    await drain(manager(database, {"fail": fail, "work": succeed}))
    assert states(database, tasks) == [
        TaskState.FAILED,
        TaskState.COMPLETED,
        TaskState.CANCELLED,
        TaskState.COMPLETED,
        TaskState.COMPLETED,
    ]
    assert [look(database, task).attempt for task in tasks] == [3, 1, 0, 1, 1]


async def test_a_task_enqueued_between_two_last_looks_leaves_no_queue_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []

    def is_drained(tx: Transaction, stopped: set[QueueName]) -> bool:
        assert not stopped
        if looks:  # one worker has gone; now its queue gets a task
            enqueue(tx, [new(queue, due_at=tx.now + timedelta(hours=1)) for queue in QueueName])
            tx.touched = 0  # its ring came before this look
        looks.append(not looks)
        return looks[-1]

    monkeypatch.setattr(worker_module, "is_drained", is_drained)
    with anyio.fail_after(PATIENCE):
        await manager(database, HANDLERS).execute_queues()
    assert looks[0]
