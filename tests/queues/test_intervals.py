"""What ran when: the evidence for the promise of the queues."""

from datetime import datetime, timedelta

from queues.inspection import Interval, intervals, overlaps
from queues.model import QueueName
from queues.outcome import Retry
from tests.queues.desk import ANALYSIS, BACKOFF, FETCH, START, Desk, fetch, new

SECOND = timedelta(seconds=1)


def ran(task_id: str, begin: int, end: int | None, queue: QueueName = FETCH) -> Interval:
    def at(seconds: int) -> datetime:
        return START + seconds * SECOND

    return Interval(task_id, queue, at(begin), None if end is None else at(end))


def test_every_attempt_is_an_interval_by_start(desk: Desk) -> None:
    desk.enqueue(fetch(), new(ANALYSIS))
    desk.run_one(Retry("busy"))
    desk.pass_time(BACKOFF)
    desk.start(ANALYSIS)
    desk.start()
    found = desk.do(intervals)
    assert [(each.task_id, each.started_at, each.ended_at) for each in found] == [
        ("fetch-1", START, START),
        ("fetch-1", START + BACKOFF, None),
        ("analysis-2", START + BACKOFF, None),
    ]


def test_one_after_the_other_is_no_overlap() -> None:
    assert overlaps([ran("fetch-1", 0, 2), ran("fetch-2", 2, 4), ran("fetch-3", 4, None)]) == []


def test_different_queues_may_overlap() -> None:
    assert overlaps([ran("fetch-1", 0, 4), ran("analysis-2", 1, 3, ANALYSIS)]) == []


def test_two_of_one_queue_at_once_are_found() -> None:
    first, second = ran("fetch-1", 0, 3), ran("fetch-2", 2, 4)
    assert overlaps([first, second]) == [(first, second)]


def test_what_never_ended_overlaps_whatever_starts_later() -> None:
    first, second = ran("fetch-1", 0, None), ran("fetch-2", 9, 10)
    assert overlaps([first, second]) == [(first, second)]


def test_a_long_one_overlaps_everything_that_it_spans() -> None:
    long, inside, later = ran("fetch-1", 0, 9), ran("fetch-2", 1, 2), ran("fetch-3", 5, 6)
    assert overlaps([long, inside, later]) == [(long, inside), (long, later)]
