"""What is seen of the queues at a glance: the last attempts, and the next tasks."""

from datetime import timedelta
from random import Random

import pytest

from queues.glance import Ran, newest_failures, next_tasks, recent_attempts
from queues.holds import hold_queue
from queues.inspection import intervals
from queues.model import QueueName, Sibling, Task, TaskState
from queues.outcome import Cancelled, Completed, Failed, Retry, Snooze
from tests.queues.desk import ANALYSIS, BACKOFF, FETCH, NOTHING, START, Desk, fetch, new

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
ENDS = [Completed(NOTHING), Retry("busy"), Snooze("later"), Failed("gone"), Cancelled("stop")]


def upcoming(desk: Desk, limit: int = 10) -> list[tuple[str, str]]:
    """The next fetches with the kind of what they wait for."""
    return [
        (task.id, waiting.kind)
        for task, waiting in desk.do(lambda tx: next_tasks(tx, FETCH, limit))
        if waiting is not None
    ]


def test_the_last_attempts_of_all_queues_are_seen_with_their_ends_by_start(desk: Desk) -> None:
    desk.enqueue(fetch(payload={"stocks": ["NSE:INFY"]}), new(ANALYSIS, kind="analyse"))
    desk.run_one(Retry("busy"))
    desk.pass_time(BACKOFF)
    desk.run_one(Failed("gone"), ANALYSIS)
    desk.pass_time(SECOND)
    desk.start()
    again, stocks = START + BACKOFF, {"stocks": ["NSE:INFY"]}
    assert desk.do(lambda tx: recent_attempts(tx, 10)) == [
        Ran("fetch-1", FETCH, "work", stocks, START, START, "retry"),
        Ran("analysis-2", ANALYSIS, "analyse", {}, again, again, "failed"),
        Ran("fetch-1", FETCH, "work", stocks, again + SECOND, None, None),
    ]


def test_what_still_runs_is_among_the_last_attempts_however_many_began_after_it(desk: Desk) -> None:
    desk.enqueue(new(ANALYSIS), *(fetch() for _ in range(5)))
    desk.start(ANALYSIS)
    for _ in range(5):
        desk.pass_time(SECOND)
        desk.run_one()
    shown = [each.task_id for each in desk.do(lambda tx: recent_attempts(tx, 2))]
    assert shown == ["analysis-1", "fetch-6"]


def test_a_task_that_waits_after_a_retry_by_hand_keeps_its_attempts(desk: Desk) -> None:
    failed = desk.enqueue_one(fetch())
    desk.run_one(Failed("gone"))
    desk.retry(failed)
    assert [each.outcome for each in desk.do(lambda tx: recent_attempts(tx, 1))] == ["failed"]


@pytest.mark.parametrize("seed", range(2))
def test_whatever_becomes_of_tasks_the_last_attempts_are_those_of_the_whole_history(
    desk: Desk, seed: int
) -> None:
    limit, chance = 6, Random(seed)
    tasks: list[Task] = []
    for _ in range(100):
        desk.pass_time(chance.choice([timedelta(), SECOND, BACKOFF]))
        queue = chance.choice(list(QueueName))
        tasks += desk.enqueue(new(queue, max_attempts=2))
        _ = desk.claim(queue)
        task = desk.look(chance.choice(tasks[-9:]))
        match task.state:
            case TaskState.RUNNING:
                desk.end(task, chance.choice(ENDS))
            case TaskState.QUEUED if chance.random() < 0.2:
                desk.cancel(task)
            case TaskState.FAILED | TaskState.CANCELLED if chance.random() < 0.2:
                desk.retry(task)
            case _:
                pass
        history = desk.do(intervals)
        running = [each for each in history if each.ended_at is None]
        ended = [each for each in history if each.ended_at is not None]
        expected = ended[len(running) - limit :] + running
        shown = desk.do(lambda tx: recent_attempts(tx, limit))
        assert sorted((each.started_at, each.task_id) for each in shown) == sorted(
            (each.started_at, each.task_id) for each in expected
        )


def test_the_next_tasks_are_those_that_are_claimed_next_and_then_those_that_wait_for_something(
    desk: Desk,
) -> None:
    desk.enqueue(
        fetch(due_at=START + BACKOFF, priority=9),
        fetch(),
        fetch(after=(Sibling(1),)),
        fetch(priority=5),
    )
    assert upcoming(desk) == [
        ("fetch-4", "turn"),
        ("fetch-2", "turn"),
        ("fetch-1", "due"),
        ("fetch-3", "tasks"),
    ]
    assert upcoming(desk, 1) == [("fetch-4", "turn")]
    assert [desk.start().id, upcoming(desk, 1)] == ["fetch-4", [("fetch-2", "turn")]]


def test_a_hold_changes_nothing_in_the_order_of_the_next_tasks(desk: Desk) -> None:
    desk.enqueue(fetch(), fetch(priority=5))
    desk.do(lambda tx: hold_queue(tx, FETCH, "user", "lunch"))
    assert upcoming(desk) == [("fetch-2", "hold"), ("fetch-1", "hold")]


def test_the_newest_failures_are_those_that_ended_last_and_not_those_enqueued_last(desk: Desk) -> None:
    old, *_ = desk.enqueue(fetch(), fetch(), new(ANALYSIS), new(ANALYSIS))
    for queue in (FETCH, FETCH, ANALYSIS, ANALYSIS):
        desk.run_one(Failed("gone"), queue)
        desk.pass_time(HOUR)
    desk.retry(old)
    desk.run_one(Failed("gone again"))
    newest = desk.do(lambda tx: newest_failures(tx, 3))
    assert [task.id for task in newest] == ["fetch-1", "analysis-4", "analysis-3"]
