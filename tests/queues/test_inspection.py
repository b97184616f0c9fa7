"""What people and clients see of tasks and queues."""

from datetime import timedelta

import pytest

from queues.holds import hold_queue
from queues.inspection import TaskFilter, list_tasks, tasks_of_run, waiting_for
from queues.model import QueueName, Sibling, TaskState
from queues.outcome import Completed, Failed, Retry
from queues.status import QueueStatus, queue_status
from queues.store import find_task
from tests.queues.desk import ANALYSIS, BACKOFF, FETCH, NOTHING, START, SYNC, Desk, fetch, new

HOUR = timedelta(hours=1)


def status(desk: Desk, queue: QueueName = FETCH) -> QueueStatus:
    return desk.do(lambda tx: queue_status(tx, queue))


# --- waiting for what


def test_a_task_says_what_it_waits_for_and_until_when(desk: Desk) -> None:
    turn, due, after = desk.enqueue(fetch(), fetch(due_at=START + HOUR), fetch(after=(Sibling(0),)))
    assert [desk.waits_for(task) for task in (turn, due, after)] == ["turn", "due", "tasks"]
    waiting = desk.do(lambda tx: waiting_for(tx, find_task(tx, due.id)))
    assert waiting is not None
    assert waiting.until == START + HOUR
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "lunch", until=START + 2 * HOUR))
    held = desk.do(lambda tx: waiting_for(tx, find_task(tx, turn.id)))
    assert held is not None
    assert (held.what, held.until) == ("the hold of data_fetcher (user): lunch", START + 2 * HOUR)


def test_a_task_in_backoff_says_what_went_wrong(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.run_one(Retry("HTTP 429"))
    waiting = desk.do(lambda tx: waiting_for(tx, task))
    assert waiting is not None
    assert (waiting.kind, waiting.what, waiting.until) == ("due", "HTTP 429", START + BACKOFF)


def test_only_a_queued_task_waits(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    assert desk.waits_for(task) is None
    desk.end(task)
    assert desk.waits_for(task) is None


def test_an_approval_window_longer_than_the_calendar_can_be_looked_at(desk: Desk) -> None:
    task = desk.enqueue_one(fetch(approval_window=timedelta(days=40_000_000)))
    assert desk.waits_for(task) == "turn"


@pytest.mark.parametrize("passed", [timedelta(), HOUR, 30 * HOUR], ids=str)
def test_what_waits_for_its_turn_is_exactly_what_may_start(desk: Desk, passed: timedelta) -> None:
    tasks = desk.enqueue(
        fetch(),
        fetch(due_at=START + HOUR),
        fetch(after=(Sibling(0),)),
        fetch(approval_window=24 * HOUR),
    )
    desk.pass_time(passed)
    expected = {task.id for task in tasks if desk.waits_for(task) == "turn"}
    started: set[str] = set()
    while task := desk.claim():
        started.add(task.id)
        desk.end(task, Retry("later", delay=HOUR))
    assert started == expected


# --- status


def test_an_idle_queue_has_nothing_to_tell(desk: Desk) -> None:
    seen = status(desk)
    assert (seen.state, seen.running, seen.oldest_wait, seen.estimated_finish) == ("idle", None, None, None)
    assert set(seen.counts.values()) == {0}


def test_a_status_counts_by_state_and_never_hides_a_failure(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch(), fetch(), new(SYNC))
    desk.run_one(Failed("gone"))
    desk.run_one()
    running = desk.start()
    desk.pass_time(HOUR)
    desk.enqueue_one(fetch())
    desk.pass_time(HOUR)
    seen = status(desk)
    assert seen.counts == {
        TaskState.QUEUED: 1,
        TaskState.RUNNING: 1,
        TaskState.COMPLETED: 1,
        TaskState.FAILED: 1,
        TaskState.CANCELLED: 0,
    }
    assert (seen.state, seen.running, seen.oldest_wait) == ("running", running, HOUR)


def test_a_queue_is_held_or_waiting_when_nothing_in_it_runs(desk: Desk) -> None:
    desk.enqueue_one(fetch(due_at=START + HOUR))
    assert status(desk).state == "waiting"
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "lunch"))
    assert (status(desk).state, [hold.reason for hold in status(desk).holds]) == ("held", ["lunch"])


def test_the_oldest_wait_is_not_negative_after_a_clock_jump(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    desk.pass_time(-HOUR)
    assert status(desk).oldest_wait == timedelta()


def test_status_counts_what_needs_approval(desk: Desk) -> None:
    desk.enqueue(fetch(approval_window=HOUR), fetch(approval_window=3 * HOUR), fetch())
    desk.pass_time(2 * HOUR)
    assert status(desk).needs_approval == 1


def test_the_estimated_finish_learns_from_completed_attempts(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch(), fetch(), fetch())
    assert status(desk).estimated_finish is None
    for minutes in (10, 20):
        task = desk.start()
        desk.pass_time(timedelta(minutes=minutes))
        desk.end(task)
    assert status(desk).estimated_finish == desk.now + timedelta(minutes=30)
    desk.start()
    desk.pass_time(timedelta(minutes=5))
    assert status(desk).estimated_finish == desk.now + timedelta(minutes=25)
    desk.pass_time(HOUR)
    assert status(desk).estimated_finish == desk.now + timedelta(minutes=15)


def test_nobody_can_know_the_finish_of_a_queue_that_is_held_without_an_end(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch(), fetch())
    task = desk.start()
    desk.pass_time(timedelta(minutes=10))
    desk.end(task)
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "pause", desk.now + HOUR))
    assert status(desk).estimated_finish == desk.now + HOUR + timedelta(minutes=20)
    desk.do(lambda tx: hold_queue(tx, FETCH, "sign_in", "not signed in"))
    assert status(desk).estimated_finish is None


def test_what_needs_approval_is_not_in_the_estimate(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch(approval_window=HOUR))
    task = desk.start()
    desk.pass_time(2 * HOUR)
    desk.end(task)
    assert status(desk).estimated_finish is None


def test_failures_teach_nothing_about_durations(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch())
    desk.run_one(Failed("gone"))
    assert status(desk).estimated_finish is None


# --- lists


def test_pages_hold_every_task_once_newest_first(desk: Desk) -> None:
    desk.enqueue(*(fetch() for _ in range(7)))
    pages = [
        desk.do(lambda tx, before=before: list_tasks(tx, TaskFilter(), limit=3, before=before))
        for before in (None, 5, 2)
    ]
    assert [[task.seq for task in tasks] for tasks, _ in pages] == [[7, 6, 5], [4, 3, 2], [1]]
    assert {total for _, total in pages} == {7}


def test_a_page_is_not_shifted_by_tasks_enqueued_meanwhile(desk: Desk) -> None:
    desk.enqueue(*(fetch() for _ in range(4)))
    first, _ = desk.do(lambda tx: list_tasks(tx, TaskFilter(), limit=2))
    desk.enqueue(fetch(), fetch())
    second, _ = desk.do(lambda tx: list_tasks(tx, TaskFilter(), limit=2, before=first[-1].seq))
    assert [task.seq for task in (*first, *second)] == [4, 3, 2, 1]


def test_filters_combine(desk: Desk) -> None:
    desk.enqueue(fetch(), new(SYNC))
    desk.enqueue(fetch(), fetch())
    desk.run_one()
    wanted = TaskFilter(queue=FETCH, states=(TaskState.QUEUED, TaskState.RUNNING), run_id="fetch-3")
    tasks, total = desk.do(lambda tx: list_tasks(tx, wanted, limit=1))
    assert ([task.id for task in tasks], total) == (["fetch-4"], 2)


def test_a_run_holds_its_follow_ups(desk: Desk) -> None:
    desk.enqueue_one(new(SYNC))
    desk.enqueue_one(fetch())
    desk.run_one(Completed(NOTHING, lambda _: [new(ANALYSIS)]), queue=SYNC)
    assert [task.id for task in desk.do(lambda tx: tasks_of_run(tx, "sync-1"))] == ["sync-1", "analysis-3"]
    assert desk.do(lambda tx: tasks_of_run(tx, "sync-99")) == []
