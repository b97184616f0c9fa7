"""Dedup keys, and follow-ups that are enqueued with the record of their parent."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from queues.errors import InvalidTaskError
from queues.inspection import prerequisites_of
from queues.model import Enqueued, JsonObject, Sibling, TaskState
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


def test_what_waits_for_a_task_waits_for_its_remainder_too(desk: Desk) -> None:
    parent, waiting = desk.enqueue(fetch(), new(ANALYSIS, after=(Sibling(0),)))
    desk.run_one(Completed(NOTHING, lambda _: [fetch(carried=True)]))
    rest = desk.start()
    assert desk.do(lambda tx: prerequisites_of(tx, waiting)) == [
        (parent.id, TaskState.COMPLETED),
        (rest.id, TaskState.RUNNING),
    ]
    assert desk.claim(ANALYSIS) is None
    desk.end(rest)
    assert desk.start(ANALYSIS).id == waiting.id


def test_what_waits_for_a_task_does_not_wait_for_its_other_follow_ups(desk: Desk) -> None:
    _, waiting = desk.enqueue(fetch(), new(ANALYSIS, after=(Sibling(0),)))
    desk.run_one(Completed(NOTHING, lambda _: [fetch()]))
    assert desk.start(ANALYSIS).id == waiting.id


def test_the_failure_of_a_remainder_cancels_what_waits_and_its_retry_brings_it_back(desk: Desk) -> None:
    _, waiting = desk.enqueue(fetch(), new(ANALYSIS, after=(Sibling(0),)))
    desk.run_one(Completed(NOTHING, lambda _: [fetch(carried=True)]))
    rest = desk.run_one(Failed("no such stock"))
    assert desk.look(waiting).state is TaskState.CANCELLED
    assert desk.retry(rest)[1] == [waiting.id]


def test_a_remainder_whose_work_comes_later_makes_nothing_wait_for_ever(desk: Desk) -> None:
    """Its dedup key is held by a task that itself waits for the one that waits for the parent."""
    desk.enqueue(fetch(), fetch(after=(Sibling(0),)), fetch(dedup_key="rest", after=(Sibling(1),)))
    desk.run_one(Completed(NOTHING, lambda _: [fetch(dedup_key="rest", carried=True)]))
    assert [desk.run_one().id, desk.run_one().id] == ["fetch-2", "fetch-3"]


def test_a_result_can_name_the_follow_ups(desk: Desk) -> None:
    desk.enqueue_one(fetch(dedup_key="INFY"))

    def moved(follow_ups: Sequence[Enqueued]) -> JsonObject:
        return {"moved": [each.task.id for each in follow_ups]}

    outcome = Completed({"done": 1}, lambda _: [fetch(dedup_key="INFY"), fetch()], moved)
    assert desk.run_one(outcome).result == {"done": 1, "moved": ["fetch-2", "fetch-3"]}


def test_a_result_of_follow_ups_that_json_cannot_hold_leaves_the_task_running(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    with pytest.raises(InvalidTaskError):
        desk.end(task, Completed(NOTHING, lambda _: [fetch()], lambda _: {"value": float("nan")}))
    assert desk.look(task).state is TaskState.RUNNING
