"""Hold, release, approve: each does what it says."""

from datetime import timedelta

from queues.holds import approve_old, current_holds, hold_queue, raise_priority, release_queue
from queues.model import TaskState
from queues.outcome import Failed, HoldRequest, Snooze
from tests.queues.desk import ANALYSIS, FETCH, START, Desk, fetch, new

HOUR = timedelta(hours=1)


def test_a_hold_with_an_end_ends_by_itself(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    desk.do(lambda tx: hold_queue(tx, FETCH, "usage_limit", "5 h window", until=START + HOUR))
    assert desk.claim() is None
    desk.pass_time(HOUR)
    assert desk.claim() is not None
    assert desk.do(lambda tx: current_holds(tx, FETCH)) == []


def test_a_queue_goes_on_when_none_of_its_holders_holds_it(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "maintenance"))
    desk.do(lambda tx: hold_queue(tx, FETCH, "sign_in", "no sign-in"))
    released = desk.do(lambda tx: release_queue(tx, FETCH, "user"))
    assert [hold.source for hold in released] == ["user"]
    assert desk.claim() is None
    assert [hold.source for hold in desk.do(lambda tx: release_queue(tx, FETCH))] == ["sign_in"]
    assert desk.claim() is not None


def test_a_second_hold_by_the_same_source_replaces_its_first(desk: Desk) -> None:
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "maintenance"))
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "lunch", until=START + HOUR))
    (hold,) = desk.do(lambda tx: current_holds(tx, FETCH))
    assert (hold.reason, hold.until) == ("lunch", START + HOUR)


def test_the_running_task_of_a_held_queue_goes_on(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "maintenance"))
    assert desk.end(task).state is TaskState.COMPLETED


def test_releasing_one_queue_leaves_the_others_held(desk: Desk) -> None:
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "maintenance"))
    desk.do(lambda tx: hold_queue(tx, ANALYSIS, "user", "maintenance"))
    desk.do(lambda tx: release_queue(tx, FETCH))
    assert len(desk.do(lambda tx: current_holds(tx, ANALYSIS))) == 1


def test_a_task_asked_for_too_long_ago_waits_for_a_person(desk: Desk) -> None:
    task = desk.enqueue_one(new(ANALYSIS, approval_window=24 * HOUR))
    desk.pass_time(24 * HOUR)
    assert desk.claim(ANALYSIS) is None
    assert desk.waits_for(task) == "approval"
    assert desk.do(lambda tx: approve_old(tx, ANALYSIS)) == 1
    assert desk.start(ANALYSIS).id == task.id


def test_approval_lets_go_only_what_was_too_old(desk: Desk) -> None:
    desk.enqueue_one(new(ANALYSIS, approval_window=24 * HOUR))
    desk.pass_time(23 * HOUR)
    young = desk.enqueue_one(new(ANALYSIS, approval_window=24 * HOUR))
    desk.enqueue_one(new(ANALYSIS))
    desk.pass_time(HOUR)
    assert desk.do(lambda tx: approve_old(tx, ANALYSIS)) == 1
    assert desk.look(young).asked_at == START + 23 * HOUR


def test_the_window_counts_from_the_due_time_where_that_is_later(desk: Desk) -> None:
    desk.enqueue_one(new(ANALYSIS, approval_window=24 * HOUR, due_at=START + 48 * HOUR))
    desk.pass_time(71 * HOUR)
    assert desk.claim(ANALYSIS) is not None


def test_a_task_asked_for_just_now_needs_no_approval_after_a_retry_by_hand(desk: Desk) -> None:
    desk.enqueue_one(new(ANALYSIS, approval_window=24 * HOUR))
    failed = desk.run_one(Failed("gone"), queue=ANALYSIS)
    desk.pass_time(100 * HOUR)
    desk.retry(failed)
    assert desk.claim(ANALYSIS) is not None


def test_a_raised_task_and_what_it_waits_for_start_before_the_others(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    needed = desk.enqueue_one(fetch())
    waiting = desk.enqueue_one(new(ANALYSIS, after=(needed.id,)))
    assert desk.do(lambda tx: raise_priority(tx, [waiting.id], 5)) == [needed.id, waiting.id]
    assert desk.do(lambda tx: raise_priority(tx, [waiting.id], 4)) == []
    running = desk.start()
    assert (running.id, running.priority) == (needed.id, 5)
    assert desk.do(lambda tx: raise_priority(tx, [waiting.id], 9)) == [waiting.id]
    assert desk.look(running).priority == 5


def test_a_task_that_snoozes_with_a_hold_goes_on_when_that_is_released_before_its_end(desk: Desk) -> None:
    task = desk.enqueue_one(fetch(approval_window=24 * HOUR))
    limit = HoldRequest("usage_limit", "used up", desk.now + 72 * HOUR)
    desk.run_one(Snooze("used up", None, limit))
    assert desk.claim() is None
    desk.do(lambda tx: release_queue(tx, FETCH))
    assert desk.start().id == task.id


def test_the_wait_for_the_end_of_a_hold_needs_no_new_approval(desk: Desk) -> None:
    task = desk.enqueue_one(fetch(approval_window=24 * HOUR))
    limit = HoldRequest("usage_limit", "used up", desk.now + 72 * HOUR)
    desk.run_one(Snooze("used up", None, limit))
    desk.pass_time(73 * HOUR)
    assert desk.start().id == task.id
