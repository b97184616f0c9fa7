"""A queued task can be given more, or less, to do; it keeps its id and its place."""

import pytest

from queues.amending import amend_task
from queues.errors import DedupKeyTakenError, InvalidTaskError, TaskStateError, UnknownTaskError
from queues.model import JsonObject, Sibling, Task
from queues.outcome import Failed
from tests.queues.desk import Desk, fetch

BOTH: JsonObject = {"stocks": ["A", "B"]}


def amend(desk: Desk, task: Task, *, key: str | None = "A,B", after: tuple[str, ...] = ()) -> Task:
    return desk.do(lambda tx: amend_task(tx, task.id, payload=BOTH, dedup_key=key, after=after))


def test_an_amended_task_keeps_its_id_and_its_place(desk: Desk) -> None:
    first, _ = desk.enqueue(fetch(dedup_key="A"), fetch())
    amended = amend(desk, first)
    assert (amended.id, amended.payload, amended.dedup_key) == (first.id, BOTH, "A,B")
    assert desk.start() == desk.look(amended)


def test_an_amended_task_gives_its_old_key_back(desk: Desk) -> None:
    amend(desk, desk.enqueue_one(fetch(dedup_key="A")))
    assert desk.enqueue_one(fetch(dedup_key="A")).id == "fetch-2"
    assert desk.enqueue_one(fetch(dedup_key="A,B")).id == "fetch-1"


def test_an_amended_task_waits_for_the_new_prerequisites_as_well(desk: Desk) -> None:
    before, task, new = desk.enqueue(fetch(), fetch(after=(Sibling(0),)), fetch())
    amend(desk, task, after=(new.id,))
    assert [desk.run_one().id, desk.run_one().id, desk.run_one().id] == [before.id, new.id, task.id]


def test_a_task_that_does_not_wait_in_its_queue_stays_as_it_is(desk: Desk) -> None:
    task = desk.enqueue_one(fetch())
    desk.start()
    with pytest.raises(TaskStateError, match="fetch-1 is running; only a queued task can be changed"):
        amend(desk, task)
    with pytest.raises(UnknownTaskError):
        desk.do(lambda tx: amend_task(tx, "fetch-9", payload=BOTH, dedup_key=None))
    assert desk.look(task).payload == {}


def test_no_two_tasks_do_the_same_work(desk: Desk) -> None:
    task, _ = desk.enqueue(fetch(dedup_key="A"), fetch(dedup_key="A,B"))
    with pytest.raises(DedupKeyTakenError, match="fetch-2 does already what fetch-1 would then do"):
        amend(desk, task)
    assert desk.look(task).payload == {}


def test_a_task_cannot_come_to_wait_for_itself(desk: Desk) -> None:
    task = desk.enqueue_one(fetch())
    later = desk.enqueue_one(fetch(after=(task.id,)))
    with pytest.raises(InvalidTaskError):
        amend(desk, task, after=(later.id,))
    assert desk.look(task).payload == {}


def test_a_task_that_is_to_wait_for_a_failed_one_is_cancelled(desk: Desk) -> None:
    failed = desk.enqueue_one(fetch())
    desk.run_one(Failed("gone"))
    task = amend(desk, desk.enqueue_one(fetch()), after=(failed.id,))
    assert task.error == "Prerequisite fetch-1 failed: gone"
