"""Enqueue, claim, record: one at a time, in order, nothing lost, nothing stored twice."""

from datetime import timedelta

import apsw
import pytest

from queues.database import Transaction
from queues.errors import InvalidTaskError, UnknownTaskError
from queues.hastening import hasten
from queues.model import Sibling, TaskState
from queues.outcome import HoldRequest, Retry, Snooze
from queues.store import enqueue, find_task
from tests.queues.desk import ANALYSIS, BACKOFF, FETCH, START, SYNC, Desk, fetch, new

HOUR = timedelta(hours=1)


def test_ids_are_short_and_say_the_queue(desk: Desk) -> None:
    assert [task.id for task in desk.enqueue(new(SYNC), new(FETCH), new(ANALYSIS))] == [
        "sync-1",
        "fetch-2",
        "analysis-3",
    ]


def test_one_enqueue_is_one_run_named_after_its_first_task(desk: Desk) -> None:
    first, second = desk.enqueue(new(SYNC), fetch())
    other = desk.enqueue_one(fetch())
    assert (first.run_id, second.run_id, other.run_id) == ("sync-1", "sync-1", "fetch-3")


def test_no_code_path_can_store_a_second_running_task_in_a_queue(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch())
    desk.start()
    with pytest.raises(apsw.ConstraintError, match="UNIQUE"):
        desk.do(lambda tx: tx.run("UPDATE tasks SET state = 'running', claim = 1, started_at = 0"))


def test_two_processes_cannot_claim_different_tasks_of_one_queue(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch())
    desk.start()
    assert desk.claim() is None


def test_queues_do_not_block_each_other(desk: Desk) -> None:
    desk.enqueue(new(SYNC), new(FETCH), new(ANALYSIS))
    assert [desk.start(queue).id for queue in (SYNC, FETCH, ANALYSIS)] == ["sync-1", "fetch-2", "analysis-3"]


def test_equal_tasks_start_in_enqueue_order_even_within_one_moment(desk: Desk) -> None:
    tasks = desk.enqueue(*(fetch() for _ in range(12)))
    assert [desk.run_one().id for _ in tasks] == [task.id for task in tasks]


def test_priority_comes_first_then_carried_then_enqueue_order(desk: Desk) -> None:
    plain, carried, urgent = desk.enqueue(fetch(), fetch(carried=True), fetch(priority=5))
    assert [desk.run_one().id for _ in range(3)] == [urgent.id, carried.id, plain.id]


def test_waiting_long_does_not_raise_a_priority(desk: Desk) -> None:
    desk.enqueue_one(fetch(priority=0))
    desk.pass_time(1000 * HOUR)
    urgent = desk.enqueue_one(fetch(priority=1))
    assert desk.start().id == urgent.id


def test_a_task_in_backoff_is_passed_by(desk: Desk) -> None:
    first, second = desk.enqueue(fetch(), fetch())
    assert desk.run_one(Retry("busy")).id == first.id
    assert desk.start().id == second.id


def test_a_retry_is_really_waited_for(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    desk.run_one(Retry("busy"))
    desk.pass_time(BACKOFF - timedelta(microseconds=1))
    assert desk.claim() is None
    desk.pass_time(timedelta(microseconds=1))
    assert desk.start().attempt == 2


def test_a_retry_waits_as_long_as_its_source_asked(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.run_one(Retry("429", delay=HOUR))
    assert task.due_at == START + HOUR


def test_a_task_fails_when_its_attempts_are_spent(desk: Desk) -> None:
    desk.enqueue_one(fetch(max_attempts=2))
    assert desk.run_one(Retry("busy")).state is TaskState.QUEUED
    desk.pass_time(BACKOFF)
    task = desk.run_one(Retry("busy"))
    assert (task.state, task.attempt) == (TaskState.FAILED, 2)
    assert task.error == "busy (gave up after 2 attempts)"


def test_a_snooze_costs_no_attempt_and_goes_before_its_equals(desk: Desk) -> None:
    _, task = desk.enqueue(fetch(due_at=START + HOUR), fetch())
    snoozed = desk.run_one(Snooze("usage limit", until=START + HOUR))
    assert (snoozed.attempt, snoozed.claim, snoozed.note) == (0, 1, "usage limit")
    assert desk.claim() is None
    desk.pass_time(HOUR)
    again = desk.start()
    assert (again.id, again.attempt, again.claim) == (task.id, 1, 2)


def test_a_remainder_stays_before_its_equals_through_a_retry(desk: Desk) -> None:
    earlier, remainder = desk.enqueue(fetch(due_at=START + HOUR), fetch(carried=True))
    desk.run_one(Retry("busy"))
    desk.pass_time(HOUR)
    assert [desk.run_one().id, desk.run_one().id] == [remainder.id, earlier.id]


def test_a_snooze_may_hold_its_queue_in_the_same_transaction(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch())
    desk.run_one(Snooze("limit", hold=HoldRequest("usage_limit", "5 h window", until=START + HOUR)))
    assert desk.claim() is None
    desk.pass_time(HOUR)
    assert desk.start().id == "fetch-1"


def test_a_task_not_yet_due_does_not_start(desk: Desk) -> None:
    desk.enqueue_one(fetch(due_at=START + HOUR))
    assert desk.claim() is None
    desk.pass_time(HOUR)
    assert desk.claim() is not None


def test_a_task_enqueued_once_is_in_its_table_or_nowhere(desk: Desk) -> None:
    def enqueue_and_fail(tx: Transaction) -> None:
        enqueue(tx, [fetch(), fetch()])
        raise KeyError("the caller fails")

    with pytest.raises(KeyError):
        desk.do(enqueue_and_fail)
    assert desk.claim() is None
    assert desk.enqueue_one(fetch()).id == "fetch-1"


@pytest.mark.parametrize(
    "wishes",
    [
        {"payload": {"when": START}},
        {"payload": {"value": float("nan")}},
        {"payload": {"text": "\ud800"}},
        {"payload": ["a list"]},
        {"kind": ""},
        {"max_attempts": 0},
        {"timeout": timedelta(0)},
        {"timeout": timedelta.max},
        {"priority": 2**63},
        {"approval_window": timedelta(0)},
        {"after": (Sibling(0),)},
        {"after": (Sibling(-1),)},
    ],
    ids=str,
)
def test_a_task_that_cannot_be_stored_is_refused(desk: Desk, wishes: dict[str, object]) -> None:
    with pytest.raises(InvalidTaskError):
        desk.enqueue(fetch(**wishes))
    assert desk.claim() is None


def test_an_unknown_prerequisite_is_refused(desk: Desk) -> None:
    with pytest.raises(UnknownTaskError, match="fetch-99"):
        desk.enqueue(fetch(after=("fetch-99",)))


@pytest.mark.parametrize(
    "task_id", ["sync-1", "fetch-01", "fetch-1x", "fetch-2", "fetch-", "1", "", "fetch-" + "9" * 30]
)
def test_only_the_whole_id_finds_a_task(desk: Desk, task_id: str) -> None:
    task = desk.enqueue_one(fetch(due_at=START + HOUR))
    assert desk.do(lambda tx: hasten(tx, [task_id])) == []
    with pytest.raises(UnknownTaskError):
        desk.do(lambda tx: find_task(tx, task_id))
    assert desk.do(lambda tx: hasten(tx, [task_id, task.id])) == [task.id]


def test_no_code_path_can_give_an_id_twice(desk: Desk) -> None:
    (first,) = desk.enqueue(fetch())
    desk.do(lambda tx: tx.run("DELETE FROM tasks"))
    again = (
        "INSERT INTO tasks (seq, run_id, queue, kind, payload, state, priority, carried, max_attempts, timeout,"
        " asked_at, enqueued_at, due_at) VALUES (:seq, 'x', 'portfolio_sync', 'x', '{}', 'queued', 0, 0, 1, 1, 0, 0, 0)"
    )
    with pytest.raises(apsw.ConstraintError, match="given once"):
        desk.do(lambda tx: tx.run(again, seq=first.seq))


def test_a_snooze_with_neither_a_moment_nor_a_hold_waits_for_the_backoff(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    snoozed = desk.run_one(Snooze("not now"))
    assert snoozed.attempt == 0
    assert desk.claim() is None
    desk.pass_time(BACKOFF)
    assert desk.start().id == snoozed.id
