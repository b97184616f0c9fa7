"""What a thousand tasks cost no more than ten: counted in steps of SQLite's machine, which no clock disturbs."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from queues.control import clear_queue
from queues.database import Transaction
from queues.errors import QueueFullError
from queues.glance import newest_failures, next_tasks, recent_attempts
from queues.inspection import TaskFilter, list_tasks, totals
from queues.lifecycle import forget_finished
from queues.model import QueueName, TaskState
from queues.outcome import Completed, Failed
from queues.status import queue_status
from queues.store import claim_next, enqueue
from queues.waking import next_wake
from tests.queues.desk import ANALYSIS, FETCH, NOTHING, SYNC, Desk, fetch, new

# A deeper index costs a few steps more; a scan costs at least one per row.
SLACK = 100
DAY = timedelta(days=1)


def steps(desk: Desk, work: Callable[[Transaction], object]) -> int:
    """How many steps of SQLite's machine this takes; what it writes is undone."""
    taken = 0

    def count() -> bool:
        nonlocal taken
        taken += 1
        return False

    def measure(tx: Transaction) -> None:
        connection = tx._connection  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (steps are SQLite's own)
        connection.set_progress_handler(count, 1)
        try:
            work(tx)
        finally:
            connection.set_progress_handler(None)
        raise KeyError("undone")

    with pytest.raises(KeyError):
        desk.do(measure)
    return taken


def fill(desk: Desk, finished: int, queued: int) -> None:
    desk.enqueue(*(fetch() for _ in range(finished)))
    for number in range(finished):
        desk.run_one(Failed("gone") if number % 10 == 0 else Completed(NOTHING))
    desk.enqueue(*(fetch() for _ in range(queued)))


LOOKS: dict[str, Callable[[Desk], Callable[[Transaction], object]]] = {
    "enqueue": lambda _: lambda tx: enqueue(tx, [fetch()]),
    "claim": lambda desk: lambda tx: claim_next(tx, FETCH, desk.epoch),
    "status": lambda _: lambda tx: queue_status(tx, FETCH),
    "list": lambda _: lambda tx: list_tasks(tx, TaskFilter(), limit=5),
    "list what is rare": lambda _: (
        lambda tx: list_tasks(tx, TaskFilter(queue=ANALYSIS, states=[TaskState.FAILED]), limit=5)
    ),
    "list one state": lambda _: lambda tx: list_tasks(tx, TaskFilter(states=[TaskState.FAILED]), limit=5),
    "newest failures": lambda _: lambda tx: newest_failures(tx, 5),
    "last attempts": lambda _: lambda tx: recent_attempts(tx, 5),
    "next tasks": lambda _: lambda tx: next_tasks(tx, FETCH, 5),
    "wake": lambda _: lambda tx: next_wake(tx, FETCH),
    "forget nothing": lambda _: lambda tx: forget_finished(tx, DAY),
}


@pytest.mark.parametrize("name", LOOKS)
def test_it_takes_as_many_steps_with_many_finished_tasks_as_with_few(desk: Desk, name: str) -> None:
    look = LOOKS[name](desk)
    fill(desk, finished=50, queued=20)
    few = steps(desk, look)
    assert few > 0
    desk.do(lambda tx: clear_queue(tx, FETCH, "room"))
    fill(desk, finished=500, queued=20)
    assert steps(desk, look) <= few + SLACK


@pytest.mark.parametrize("name", ["enqueue", "claim", "wake", "next tasks"])
def test_what_a_worker_does_takes_as_many_steps_with_many_queued_tasks_as_with_few(
    desk: Desk, name: str
) -> None:
    look = LOOKS[name](desk)
    desk.enqueue(*(fetch() for _ in range(20)))
    few = steps(desk, look)
    desk.enqueue(*(fetch() for _ in range(500)))
    assert steps(desk, look) <= few + SLACK


def test_the_totals_are_those_of_the_rows(desk: Desk) -> None:
    fill(desk, finished=20, queued=5)
    desk.enqueue(new(SYNC), new(ANALYSIS))
    desk.start(SYNC)
    desk.do(lambda tx: clear_queue(tx, ANALYSIS, "not wanted"))
    desk.pass_time(DAY)
    assert desk.do(lambda tx: forget_finished(tx, timedelta(hours=1), at_most=7)) == 7
    for queue in QueueName:
        counted = desk.do(
            lambda tx, queue=queue: tx.rows("SELECT state FROM tasks WHERE queue = :queue", queue=queue)
        )
        expected = {state: counted.count((state.value,)) for state in TaskState}
        assert desk.do(lambda tx, queue=queue: totals(tx, queue)) == expected


def test_a_queue_takes_no_more_tasks_than_it_may_hold_and_says_so(small_desk: Desk) -> None:
    small_desk.enqueue(fetch(), fetch(), fetch(), new(SYNC))
    with pytest.raises(
        QueueFullError,
        match=r"data_fetcher may hold 3 queued tasks, and this request would bring more; .*Nothing",
    ):
        small_desk.enqueue(new(ANALYSIS), fetch(), fetch())
    assert small_desk.do(lambda tx: list_tasks(tx, TaskFilter(), limit=10))[1] == 4
    small_desk.start()
    small_desk.enqueue(fetch())


def test_a_request_that_meets_what_is_queued_already_is_never_too_much(small_desk: Desk) -> None:
    small_desk.enqueue(*(fetch(dedup_key=key) for key in "abc"))
    assert [task.dedup_key for task in small_desk.enqueue(*(fetch(dedup_key=key) for key in "abc"))] == [
        *"abc"
    ]


def test_what_a_task_brings_with_it_is_never_refused(small_desk: Desk) -> None:
    small_desk.enqueue(new(SYNC), fetch(), fetch(), fetch())
    ended = small_desk.run_one(Completed(NOTHING, lambda _: [fetch(), fetch()]), queue=SYNC)
    assert ended.state is TaskState.COMPLETED
    assert small_desk.do(lambda tx: totals(tx, FETCH))[TaskState.QUEUED] == 5
