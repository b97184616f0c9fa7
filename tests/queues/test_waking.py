"""When an idle queue looks again, and when there is nothing left to look for."""

from datetime import timedelta

import pytest

from queues.holds import hold_queue
from queues.model import QueueName, Sibling
from queues.outcome import Retry
from queues.waking import is_drained, next_wake
from tests.queues.desk import ANALYSIS, FETCH, START, SYNC, Desk, fetch, new

HOUR = timedelta(hours=1)


def test_the_next_wake_is_the_next_due_time_or_the_end_of_a_hold(desk: Desk) -> None:
    def wake() -> object:
        return desk.do(lambda tx: next_wake(tx, FETCH))

    assert wake() is None
    desk.enqueue(fetch(), new(SYNC, due_at=START + HOUR / 2))
    assert wake() is None
    desk.enqueue_one(fetch(due_at=START + 2 * HOUR))
    assert wake() == START + 2 * HOUR
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "lunch", until=START + HOUR))
    assert wake() == START + HOUR


def test_a_wait_that_began_before_the_clock_was_set_back_still_ends(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    desk.pass_time(-2 * HOUR)
    desk.end(task, Retry("busy", delay=HOUR))
    assert desk.claim() is None
    assert desk.do(lambda tx: next_wake(tx, FETCH)) == START - HOUR


@pytest.mark.parametrize("queue", QueueName)
def test_a_desk_is_drained_when_nothing_can_run_by_itself(desk: Desk, queue: QueueName) -> None:
    def drained() -> bool:
        return desk.do(is_drained)

    assert drained()
    desk.enqueue_one(new(queue, due_at=START + HOUR))
    assert not drained()
    desk.do(lambda tx: hold_queue(tx, queue, "user", "lunch", until=START + HOUR))
    assert not drained()
    desk.do(lambda tx: hold_queue(tx, queue, "user", "lunch"))
    assert drained()


def test_what_waits_for_a_held_queue_cannot_run_by_itself(desk: Desk) -> None:
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "lunch"))
    desk.enqueue(fetch(), new(ANALYSIS, after=(Sibling(0),)), new(SYNC, after=(Sibling(1),)))
    assert desk.do(is_drained)


def test_a_desk_with_a_running_task_is_not_drained_except_in_a_stopped_queue(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch())
    desk.start()
    assert not desk.do(is_drained)
    assert not desk.do(lambda tx: is_drained(tx, {SYNC, ANALYSIS}))
    assert desk.do(lambda tx: is_drained(tx, {FETCH, SYNC}))


def test_what_needs_approval_cannot_run_by_itself(desk: Desk) -> None:
    desk.enqueue_one(new(ANALYSIS, approval_window=HOUR))
    assert not desk.do(is_drained)
    desk.pass_time(HOUR)
    assert desk.do(is_drained)
