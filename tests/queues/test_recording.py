"""An attempt ends once, by whoever holds it, and all of it is stored or nothing."""

from datetime import timedelta

import pytest

from queues.control import retry_task
from queues.errors import StaleClaimError
from queues.holds import hold_queue
from queues.inspection import tasks_of_run
from queues.lifecycle import interrupt, take_over
from queues.model import NewTask, TaskState
from queues.outcome import Cancelled, Completed, Failed, Retry, Snooze
from queues.store import claim_next
from tests.queues.desk import ANALYSIS, BACKOFF, FETCH, START, Desk, fetch, new

HOUR = timedelta(hours=1)


def test_a_stale_attempt_records_nothing(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    stale = desk.start()
    desk.end(stale, Retry("busy"))
    desk.pass_time(BACKOFF)
    current = desk.start()
    for late in (Completed({"late": 1}), Retry("late"), Failed("late"), Cancelled("late"), Snooze("late")):
        with pytest.raises(StaleClaimError, match="Attempt 1 of fetch-1"):
            desk.end(stale, late)
    assert desk.look(current) == current


def test_an_outcome_is_recorded_only_once(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch())
    task = desk.start()
    desk.end(task)
    desk.start()
    with pytest.raises(StaleClaimError):
        desk.end(task)
    assert desk.claim() is None


def test_a_former_leader_can_neither_claim_nor_record(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch())
    task = desk.start()
    former, desk.epoch = desk.epoch, desk.do(lambda tx: take_over(tx, "next"))
    assert desk.do(lambda tx: claim_next(tx, FETCH, former)) is None
    with pytest.raises(StaleClaimError):
        desk.end(task)
    assert (desk.start().claim, desk.look(task).attempt) == (2, 2)


def test_a_claim_that_lost_the_race_against_an_interrupt_starts_nothing(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    desk.do(lambda tx: interrupt(tx, desk.epoch))
    assert desk.claim() is None


def test_a_claim_that_won_the_race_against_an_interrupt_is_given_back(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    assert desk.do(lambda tx: interrupt(tx, desk.epoch)) == [task.id]
    assert (desk.look(task).state, desk.look(task).attempt) == (TaskState.QUEUED, 0)
    with pytest.raises(StaleClaimError):
        desk.end(task)


def test_a_clock_that_jumps_back_makes_no_task_end_before_it_started(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    desk.pass_time(-HOUR)
    ended = desk.end(task)
    assert ended.finished_at == ended.started_at == START
    assert desk.history(task)[0].ended_at == START


def test_a_delay_beyond_the_calendar_stores_nothing(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    with pytest.raises(OverflowError):
        desk.end(task, Retry("429", delay=timedelta.max))
    assert desk.look(task).state is TaskState.RUNNING


def test_every_claim_is_in_the_history_with_its_outcome(desk: Desk) -> None:
    desk.enqueue_one(fetch(max_attempts=3))
    desk.run_one(Retry("busy"))
    desk.pass_time(BACKOFF)
    desk.run_one(Snooze("limit"))
    desk.pass_time(BACKOFF)
    task = desk.run_one(Failed("gone"))
    desk.do(lambda tx: retry_task(tx, task.id))
    desk.run_one()
    history = [
        (attempt.claim, attempt.attempt, attempt.outcome, attempt.detail) for attempt in desk.history(task)
    ]
    assert history == [
        (1, 1, "retry", "busy"),
        (2, 2, "snooze", "limit"),
        (3, 2, "failed", "gone"),
        (4, 1, "completed", None),
    ]


def test_a_held_queue_starts_nothing_and_the_others_go_on(desk: Desk) -> None:
    desk.enqueue(fetch(), new(ANALYSIS))
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "maintenance"))
    assert desk.claim(FETCH) is None
    assert desk.claim(ANALYSIS) is not None


def test_a_cancel_that_arrives_while_the_end_is_recorded_stops_what_would_run_again(desk: Desk) -> None:
    for outcome in (Retry("busy"), Snooze("limit"), Cancelled("handler's words")):
        desk.enqueue_one(fetch())
        task = desk.start()
        desk.cancel(task, "asked by the user")
        ended = desk.end(task, outcome)
        assert (ended.state, ended.error) == (TaskState.CANCELLED, "asked by the user")


def test_a_cancel_that_arrives_before_the_end_is_recorded_stops_what_would_follow(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    desk.cancel(task, "asked by the user")
    ended = desk.end(task, Completed({"done": True}, lambda _: [new(ANALYSIS)]))
    assert (ended.state, ended.error) == (TaskState.CANCELLED, "asked by the user")
    assert desk.claim(ANALYSIS) is None
    assert desk.do(lambda tx: tasks_of_run(tx, task.run_id)) == [ended]


def test_a_cancel_that_arrives_too_late_changes_nothing(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    desk.cancel(task)
    ended = desk.end(task, Completed({"done": True}))
    assert (ended.state, ended.cancel_requested) == (TaskState.COMPLETED, None)


def test_a_new_task_is_stored_as_it_was_wanted(desk: Desk) -> None:
    wanted = NewTask(
        queue=ANALYSIS,
        kind="session",
        payload={"symbols": ["M&M", "BRK.B"], "nested": {"a": [1, 2.5, None, True]}},
        dedup_key="k",
        priority=-3,
        due_at=START + HOUR,
        carried=True,
        max_attempts=7,
        timeout=timedelta(seconds=1, microseconds=1),
        approval_window=24 * HOUR,
    )
    task = desk.enqueue_one(wanted)
    kept = ("queue", "kind", "payload", "dedup_key", "priority", "due_at", "carried", "max_attempts", "timeout",
            "approval_window")  # fmt: skip
    assert {name: getattr(task, name) for name in kept} == {name: getattr(wanted, name) for name in kept}
