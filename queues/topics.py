"""What a commit is about: who is woken by it. A topic carries no news; whoever hears it looks into the database."""

from collections.abc import Iterable
from enum import IntFlag

from queues.model import QueueName


class Topic(IntFlag):
    """One bit each, so that a datagram of one byte holds several. Every ring is CHANGED, for whoever looks at tasks."""

    CHANGED = 1
    STOP = 2
    """A running attempt may no longer be wanted."""
    PORTFOLIO_SYNC = 4
    """Something may start in portfolio_sync, or nothing may be left to start; so for the others."""
    DATA_FETCHER = 8
    AI_ANALYSIS = 16

    @classmethod
    def of(cls, queues: Iterable[QueueName]) -> "Topic":
        topic = cls.CHANGED
        for queue in queues:
            topic |= _OF_QUEUE[queue]
        return topic


_OF_QUEUE = {
    QueueName.PORTFOLIO_SYNC: Topic.PORTFOLIO_SYNC,
    QueueName.DATA_FETCHER: Topic.DATA_FETCHER,
    QueueName.AI_ANALYSIS: Topic.AI_ANALYSIS,
}
ANY_QUEUE = Topic.of(QueueName)
EVERYTHING = ANY_QUEUE | Topic.STOP
