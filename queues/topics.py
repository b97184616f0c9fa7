"""What a commit is about, so that it wakes only whom it concerns."""

from collections.abc import Iterable
from enum import IntEnum

from queues.model import QueueName


class Topic(IntEnum):
    """One bit each; several together are a plain int. Every ring is CHANGED, for whoever looks at tasks."""

    CHANGED = 1
    STOP = 2
    """A running attempt may no longer be wanted."""
    PORTFOLIO_SYNC = 4
    """Something may start in portfolio_sync, or nothing may be left to start; so for the others."""
    DATA_FETCHER = 8
    AI_ANALYSIS = 16
    SCHEDULES = 32
    """A schedule has another next time."""


OF_QUEUE = {
    QueueName.PORTFOLIO_SYNC: Topic.PORTFOLIO_SYNC,
    QueueName.DATA_FETCHER: Topic.DATA_FETCHER,
    QueueName.AI_ANALYSIS: Topic.AI_ANALYSIS,
}


def work_in(queues: Iterable[QueueName]) -> int:
    """The topics of whoever waits for something to start in these queues."""
    topics = 0
    for queue in queues:
        topics |= OF_QUEUE[queue]
    return topics


ANY_QUEUE = work_in(QueueName)
EVERYTHING = ANY_QUEUE | Topic.STOP | Topic.SCHEDULES | Topic.CHANGED
