"""Taking over after a crash, leaving in order, forgetting what is old."""

import os
from datetime import timedelta

from queues.lifecycle import find_leader, forget_finished, interrupt, rescue_left_over, take_over
from queues.model import Sibling, TaskState
from queues.outcome import Failed, Retry
from tests.queues.desk import ANALYSIS, FETCH, START, SYNC, Desk, fetch, new

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def take_over_desk(desk: Desk) -> None:
    desk.epoch = desk.do(lambda tx: take_over(tx, "next"))


def test_a_rescue_spends_the_attempt_and_goes_first(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch())
    lost = desk.start()
    take_over_desk(desk)
    again = desk.start()
    assert (again.id, again.attempt, again.claim) == (lost.id, 2, 2)
    assert [attempt.outcome for attempt in desk.history(lost)] == ["rescued", None]


def test_the_rescue_of_all_queues_is_in_the_transaction_that_takes_over(desk: Desk) -> None:
    desk.enqueue(new(SYNC), new(FETCH), new(ANALYSIS))
    lost = [desk.start(queue) for queue in (SYNC, FETCH, ANALYSIS)]
    take_over_desk(desk)
    assert {desk.look(task).state for task in lost} == {TaskState.QUEUED}


def test_a_task_that_kills_its_process_each_time_fails_in_the_end(desk: Desk) -> None:
    task, waiting = desk.enqueue(fetch(max_attempts=2), new(ANALYSIS, after=(Sibling(0),)))
    for _ in range(2):
        desk.start()
        take_over_desk(desk)
    ended = desk.look(task)
    assert (ended.state, ended.error) == (
        TaskState.FAILED,
        "The process that ran it ended, in the last of 2 attempts.",
    )
    assert [attempt.outcome for attempt in desk.history(task)] == ["rescued", "rescued"]
    assert desk.look(waiting).state is TaskState.CANCELLED


def test_a_rescued_task_that_was_to_be_cancelled_is_cancelled(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    desk.cancel(task, "stop")
    take_over_desk(desk)
    assert (desk.look(task).state, desk.look(task).error) == (TaskState.CANCELLED, "stop")


def test_a_rescue_leaves_what_waits_alone(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch(due_at=START + HOUR))
    desk.run_one(Retry("busy"))
    before = [desk.look(task) for task in desk.enqueue(fetch())]
    take_over_desk(desk)
    assert [desk.look(task) for task in before] == before
    assert desk.do(lambda tx: tx.row("SELECT count(*) FROM attempts")) == (1,)


def test_an_interruption_costs_no_attempt_however_often(desk: Desk) -> None:
    desk.enqueue(fetch(max_attempts=1), fetch())
    for claim in range(1, 6):
        task = desk.start()
        assert (task.id, task.attempt, task.claim) == ("fetch-1", 1, claim)
        assert desk.do(lambda tx: interrupt(tx, desk.epoch)) == [task.id]
        take_over_desk(desk)
    assert desk.run_one().state is TaskState.COMPLETED


def test_an_interrupted_task_that_was_to_be_cancelled_is_cancelled(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    task = desk.start()
    desk.cancel(task, "stop")
    desk.do(lambda tx: interrupt(tx, desk.epoch))
    assert desk.look(task).state is TaskState.CANCELLED


def test_a_second_interrupt_finds_nothing(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    desk.start()
    former = desk.epoch
    desk.do(lambda tx: interrupt(tx, former))
    take_over_desk(desk)
    task = desk.start()
    assert desk.do(lambda tx: interrupt(tx, former)) == []
    assert desk.look(task) == task
    desk.end(task)
    desk.enqueue_one(fetch())
    assert desk.claim() is not None


def test_an_interrupted_task_keeps_its_place_through_a_retry(desk: Desk) -> None:
    earlier, task = desk.enqueue(fetch(due_at=START + HOUR), fetch())
    desk.start()
    desk.do(lambda tx: interrupt(tx, desk.epoch))
    take_over_desk(desk)
    assert desk.run_one(Retry("busy")).id == task.id
    desk.pass_time(HOUR)
    assert [desk.run_one().id, desk.run_one().id] == [task.id, earlier.id]


def test_a_rescued_task_goes_before_one_enqueued_earlier(desk: Desk) -> None:
    earlier, task = desk.enqueue(fetch(due_at=START + HOUR), fetch())
    desk.start()
    take_over_desk(desk)
    desk.pass_time(HOUR)
    assert [desk.run_one().id, desk.run_one().id] == [task.id, earlier.id]


def test_a_worker_that_met_an_error_leaves_nothing_running(desk: Desk) -> None:
    desk.enqueue(fetch(), new(SYNC))
    task, other = desk.start(), desk.start(SYNC)
    desk.do(lambda tx: rescue_left_over(tx, FETCH, desk.epoch))
    assert (desk.look(task).state, desk.look(task).attempt) == (TaskState.QUEUED, 1)
    assert desk.look(other) == other


def test_a_worker_of_a_former_leader_rescues_nothing(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    former = desk.epoch
    take_over_desk(desk)
    task = desk.start()
    desk.do(lambda tx: rescue_left_over(tx, FETCH, former))
    assert desk.look(task) == task


def test_status_can_tell_which_process_leads(desk: Desk) -> None:
    leader = desk.do(lambda tx: find_leader(tx, desk.database.path.parent / "leader.lock"))
    assert leader is not None
    assert (leader.epoch, leader.pid, leader.command, leader.led_since) == (1, os.getpid(), "test", START)
    assert not leader.is_alive


def test_finished_tasks_are_forgotten_with_their_history_after_the_retention(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch())
    desk.run_one()
    desk.pass_time(DAY)
    young = desk.run_one(Failed("gone"))
    desk.pass_time(timedelta(microseconds=1))
    assert desk.do(lambda tx: forget_finished(tx, DAY)) == 1
    assert desk.look(young) == young
    assert desk.do(lambda tx: tx.rows("SELECT DISTINCT task_seq FROM attempts")) == [(young.seq,)]


def test_unfinished_tasks_and_what_they_wait_for_are_never_forgotten(desk: Desk) -> None:
    first, _, _ = desk.enqueue(
        fetch(), fetch(due_at=START + 1000 * DAY), new(ANALYSIS, after=(Sibling(0), Sibling(1)))
    )
    desk.run_one()
    desk.pass_time(999 * DAY)
    assert desk.do(lambda tx: forget_finished(tx, DAY)) == 0
    assert desk.look(first).state is TaskState.COMPLETED


def test_an_id_is_never_used_twice(desk: Desk) -> None:
    desk.enqueue_one(fetch())
    desk.run_one()
    desk.pass_time(DAY)
    assert desk.do(lambda tx: forget_finished(tx, timedelta())) == 1
    assert desk.enqueue_one(fetch()).id == "fetch-2"
