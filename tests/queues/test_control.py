"""Cancel, clear, retry: each does what it says."""

from datetime import timedelta

import pytest

from queues.control import clear_queue
from queues.errors import DedupKeyTakenError, TaskStateError, UnknownTaskError
from queues.inspection import unfinished_tasks
from queues.model import Sibling, TaskState
from queues.outcome import Failed, Retry
from tests.queues.desk import ANALYSIS, FETCH, START, SYNC, Desk, fetch, new

HOUR = timedelta(hours=1)


# --- cancel


def test_a_cancelled_queued_task_never_runs(desk: Desk) -> None:
    task, other = desk.enqueue(fetch(), fetch())
    cancelled = desk.cancel(task, "not now")
    assert (cancelled.state, cancelled.error, cancelled.finished_at) == (
        TaskState.CANCELLED,
        "not now",
        START,
    )
    assert desk.start().id == other.id


def test_a_running_task_is_asked_to_stop_and_stays_running_until_it_does(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    assert desk.cancel(task, "stop").state is TaskState.RUNNING
    assert desk.look(task).cancel_requested == "stop"


def test_a_finished_task_cannot_be_cancelled(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.run_one()
    with pytest.raises(TaskStateError, match="fetch-1 is completed already"):
        desk.cancel(task)


def test_an_unknown_task_is_named_in_the_refusal(desk: Desk) -> None:
    task = desk.enqueue_one(fetch())
    desk.do(lambda tx: tx.run("DELETE FROM tasks"))
    for act in (desk.cancel, desk.retry, desk.look):
        with pytest.raises(UnknownTaskError, match="'fetch-1'"):
            act(task)


def test_cancelling_a_task_cancels_what_waits_for_it(desk: Desk) -> None:
    task, waiting = desk.enqueue(fetch(), new(ANALYSIS, after=(Sibling(0),)))
    desk.cancel(task, "not now")
    assert desk.look(waiting).error == "Prerequisite fetch-1 cancelled: not now"


# --- clear


def test_clear_cancels_all_that_is_queued_and_lets_the_running_one_go_on(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch(), fetch(after=(Sibling(1),)), new(SYNC))
    running = desk.start()
    cleared = desk.do(lambda tx: clear_queue(tx, FETCH, "cleared"))
    assert [(task.id, task.state) for task in cleared] == [
        ("fetch-2", TaskState.CANCELLED),
        ("fetch-3", TaskState.CANCELLED),
    ]
    assert [task.id for task in desk.do(lambda tx: unfinished_tasks(tx, FETCH))] == [running.id]
    assert desk.start(SYNC).id == "sync-4"


def test_clearing_an_empty_queue_clears_nothing(desk: Desk) -> None:
    assert desk.do(lambda tx: clear_queue(tx, FETCH, "cleared")) == []


# --- retry


def test_a_retried_task_has_all_its_attempts_and_none_of_its_past(desk: Desk) -> None:
    desk.enqueue_one(fetch(max_attempts=1))
    failed = desk.run_one(Retry("busy"))
    desk.pass_time(HOUR)
    task, _ = desk.retry(failed)
    assert (task.state, task.attempt, task.claim, task.error) == (TaskState.QUEUED, 0, 1, None)
    assert (task.finished_at, task.due_at) == (None, task.enqueued_at)
    again = desk.run_one(Retry("busy"))
    assert (again.state, again.attempt) == (TaskState.FAILED, 1)


def test_only_a_finished_task_can_be_retried(desk: Desk) -> None:
    task = desk.enqueue_one(fetch())
    with pytest.raises(TaskStateError, match="fetch-1 is queued"):
        desk.retry(task)
    desk.start()
    with pytest.raises(TaskStateError, match="fetch-1 is running"):
        desk.retry(task)


def test_a_retry_whose_dedup_key_is_taken_is_refused_and_names_the_holder(desk: Desk) -> None:
    desk.enqueue_one(fetch(dedup_key="INFY"))
    failed = desk.run_one(Failed("gone"))
    desk.enqueue_one(fetch(dedup_key="INFY"))
    for _ in range(2):  # queued, then running
        with pytest.raises(DedupKeyTakenError, match="fetch-2 is already doing the work of fetch-1"):
            desk.retry(failed)
        desk.claim()
    assert desk.look(failed) == failed


def test_retrying_the_cause_brings_back_what_was_cancelled_because_of_it(desk: Desk) -> None:
    first, second, third = desk.enqueue(
        fetch(), fetch(after=(Sibling(0),)), new(ANALYSIS, after=(Sibling(1),))
    )
    desk.run_one(Failed("gone"))
    _, revived = desk.retry(first)
    assert revived == [second.id, third.id]
    assert [desk.run_one().id, desk.run_one().id, desk.run_one(queue=ANALYSIS).id] == [
        first.id,
        second.id,
        third.id,
    ]


def test_retrying_the_cause_does_not_bring_back_what_a_person_cancelled(desk: Desk) -> None:
    first, second = desk.enqueue(fetch(), fetch(after=(Sibling(0),)))
    desk.cancel(second)
    desk.run_one(Failed("gone"))
    assert desk.retry(first)[1] == []
    assert desk.look(second).state is TaskState.CANCELLED


def test_a_task_with_two_broken_prerequisites_comes_back_when_both_are_retried(desk: Desk) -> None:
    first, second, third = desk.enqueue(fetch(), fetch(), new(ANALYSIS, after=(Sibling(0), Sibling(1))))
    desk.run_one(Failed("one"))
    desk.run_one(Failed("two"))
    assert desk.retry(first)[1] == []
    assert desk.look(third).error == "Prerequisite fetch-2 failed: two"
    assert desk.retry(second)[1] == [third.id]


def test_of_two_cancelled_tasks_with_one_dedup_key_only_the_first_comes_back(desk: Desk) -> None:
    first = desk.enqueue_one(fetch())
    desk.run_one(Failed("gone"))
    older, newer = (desk.enqueue_one(new(ANALYSIS, dedup_key="k", after=(first.id,))) for _ in range(2))
    assert desk.retry(first)[1] == [older.id]
    assert desk.look(newer).state is TaskState.CANCELLED


def test_a_cancelled_dependent_whose_key_was_taken_meanwhile_stays_cancelled(desk: Desk) -> None:
    first, waiting = desk.enqueue(fetch(), new(ANALYSIS, dedup_key="k", after=(Sibling(0),)))
    desk.run_one(Failed("gone"))
    desk.enqueue_one(new(ANALYSIS, dedup_key="k"))
    assert desk.retry(first)[1] == []
    assert desk.look(waiting).state is TaskState.CANCELLED


def test_a_task_cannot_be_retried_before_its_broken_prerequisite(desk: Desk) -> None:
    first, waiting = desk.enqueue(fetch(), fetch(after=(Sibling(0),)))
    desk.run_one(Failed("gone"))
    before = desk.look(waiting)
    with pytest.raises(TaskStateError, match="fetch-2 needs fetch-1, which is failed; retry fetch-1 first"):
        desk.retry(waiting)
    assert desk.look(waiting) == before
    desk.retry(first)
    assert desk.look(waiting).state is TaskState.QUEUED


def test_retrying_a_completed_task_makes_its_queued_dependents_wait_again(desk: Desk) -> None:
    first, waiting = desk.enqueue(fetch(), new(ANALYSIS, after=(Sibling(0),)))
    desk.run_one()
    assert desk.waits_for(waiting) == "turn"
    desk.retry(first)
    assert desk.claim(ANALYSIS) is None
    desk.run_one(Failed("gone this time"))
    assert desk.look(waiting).error == "Prerequisite fetch-1 failed: gone this time"
