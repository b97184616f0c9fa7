"""Tasks that wait for others."""

from datetime import timedelta

import pytest

from queues.dependents import link_prerequisite
from queues.errors import InvalidTaskError
from queues.model import Sibling, TaskState
from queues.outcome import Failed, Snooze
from queues.store import find_task
from tests.queues.desk import ANALYSIS, BACKOFF, Desk, fetch, new

HOUR = timedelta(hours=1)


def test_a_task_waits_until_all_its_prerequisites_are_completed(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch(), new(ANALYSIS, after=(Sibling(0), Sibling(1))))
    desk.run_one()
    assert desk.claim(ANALYSIS) is None
    desk.run_one()
    assert desk.claim(ANALYSIS) is not None


def test_a_failure_cancels_all_that_waits_for_it_with_its_reason(desk: Desk) -> None:
    _, second, third = desk.enqueue(fetch(), fetch(after=(Sibling(0),)), new(ANALYSIS, after=(Sibling(1),)))
    desk.run_one(Failed("no such symbol"))
    assert desk.look(second).error == "Prerequisite fetch-1 failed: no such symbol"
    assert desk.look(third).error == (
        "Prerequisite fetch-2 cancelled: Prerequisite fetch-1 failed: no such symbol"
    )


def test_a_task_enqueued_after_a_failed_one_is_cancelled_at_once(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    failed = desk.run_one(Failed("gone"))
    assert desk.enqueue_one(new(ANALYSIS, after=(failed.id,))).state is TaskState.CANCELLED


def test_a_prerequisite_that_failed_again_while_its_dependent_ran_cancels_it_when_it_comes_back(
    desk: Desk,
) -> None:
    first, _ = desk.enqueue(fetch(), new(ANALYSIS, after=(Sibling(0),)))
    desk.run_one()
    session = desk.start(ANALYSIS)
    desk.retry(first)
    desk.run_one(Failed("gone"))
    ended = desk.end(session, Snooze("limit"))
    assert (ended.state, ended.error) == (TaskState.CANCELLED, "Prerequisite fetch-1 failed: gone")


def test_a_running_task_can_wait_for_more_and_come_back(desk: Desk) -> None:
    desk.enqueue_one(new(ANALYSIS))
    session = desk.start(ANALYSIS)
    needed = desk.enqueue_one(fetch())
    desk.do(lambda tx: link_prerequisite(tx, session, needed))
    desk.end(session, Snooze("data is missing"))
    assert desk.claim(ANALYSIS) is None
    desk.run_one()
    desk.pass_time(BACKOFF)
    assert desk.start(ANALYSIS).id == session.id


def test_two_tasks_cannot_wait_for_each_other(desk: Desk) -> None:
    first, _, third = desk.enqueue(fetch(), fetch(after=(Sibling(0),)), fetch(after=(Sibling(1),)))
    with pytest.raises(InvalidTaskError, match="fetch-1 cannot wait for fetch-3"):
        desk.do(lambda tx: link_prerequisite(tx, first, third))
    with pytest.raises(InvalidTaskError, match="fetch-1 cannot wait for fetch-1"):
        desk.do(lambda tx: link_prerequisite(tx, first, first))


def test_what_a_failure_writes_is_written_while_the_tasks_that_wait_for_it_are_still_queued(
    desk: Desk,
) -> None:
    _, waiting = desk.enqueue(fetch(), new(ANALYSIS, after=(Sibling(0),)))
    seen: list[TaskState] = []
    failure = Failed("Nothing came.", on_record=lambda tx: seen.append(find_task(tx, waiting.id).state))
    assert desk.run_one(failure).state is TaskState.FAILED
    assert seen == [TaskState.QUEUED]
    assert desk.look(waiting).state is TaskState.CANCELLED
