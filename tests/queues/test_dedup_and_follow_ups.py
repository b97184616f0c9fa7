"""Dedup keys, and follow-ups that are enqueued with the record of their parent."""

from datetime import timedelta

import pytest

from queues.errors import InvalidTaskError
from queues.inspection import prerequisites_of
from queues.model import Sibling, TaskState
from queues.outcome import Completed, Failed
from queues.store import enqueue
from tests.queues.desk import ANALYSIS, FETCH, NOTHING, SYNC, Desk, fetch, new

HOUR = timedelta(hours=1)


def test_a_dedup_key_returns_the_queued_or_running_holder(desk: Desk) -> None:
    def again() -> tuple[str, bool]:
        answer = desk.do(lambda tx: enqueue(tx, [fetch(dedup_key="INFY")]))[0]
        return answer.task.id, answer.already_queued

    assert again() == ("fetch-1", False)
    assert again() == ("fetch-1", True)
    running = desk.start()
    assert again() == ("fetch-1", True)
    desk.end(running, Failed("gone"))
    assert again() == ("fetch-2", False)


def test_a_dedup_key_belongs_to_one_queue(desk: Desk) -> None:
    assert (
        len({task.id for task in desk.enqueue(new(FETCH, dedup_key="k"), new(ANALYSIS, dedup_key="k"))}) == 2
    )


def test_a_sibling_may_wait_for_the_holder_that_stands_in_its_prerequisites_place(desk: Desk) -> None:
    (holder,) = desk.enqueue(fetch(dedup_key="k"))
    _, waiting = desk.enqueue(fetch(dedup_key="k"), new(ANALYSIS, after=(Sibling(0),)))
    assert desk.do(lambda tx: prerequisites_of(tx, waiting)) == [(holder.id, TaskState.QUEUED)]


def test_a_follow_up_may_take_over_the_key_of_its_own_parent(desk: Desk) -> None:
    parent = desk.enqueue_one(fetch(dedup_key="INFY"))
    desk.run_one(Completed(NOTHING, lambda _: [fetch(dedup_key="INFY", payload={"rest": True})]))
    follow_up = desk.start()
    assert follow_up.id != parent.id
    assert follow_up.payload == {"rest": True}


def test_follow_ups_are_enqueued_with_the_record_of_their_parent_and_belong_to_its_run(desk: Desk) -> None:
    parent = desk.enqueue_one(new(SYNC))
    desk.run_one(Completed(NOTHING, lambda _: [fetch(), new(ANALYSIS, after=(Sibling(0),))]), queue=SYNC)
    assert desk.start().run_id == parent.run_id
    assert desk.claim(ANALYSIS) is None


def test_follow_ups_that_cannot_be_stored_leave_their_parent_running(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    with pytest.raises(InvalidTaskError):
        desk.end(task, Completed(NOTHING, lambda _: [fetch(), fetch(kind="")]))
    assert desk.look(task).state is TaskState.RUNNING
    assert desk.end(task).state is TaskState.COMPLETED
    assert desk.claim() is None


def test_a_follow_up_was_asked_for_when_its_parent_was(desk: Desk) -> None:
    desk.enqueue_one(new(SYNC))
    desk.pass_time(20 * HOUR)
    desk.run_one(Completed(NOTHING, lambda _: [new(ANALYSIS, approval_window=24 * HOUR)]), queue=SYNC)
    desk.pass_time(5 * HOUR)
    assert desk.claim(ANALYSIS) is None
