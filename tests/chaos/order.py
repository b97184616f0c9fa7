"""Whether the queues kept the order of the design: priority, then carried tasks, then the order of enqueuing."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from queues.model import Attempt, QueueName, Task
from tests.chaos.story import Story

# After these a task may start again at once, before its equals.
_AT_ONCE = ("interrupted", "rescued")
_Rank = tuple[int, bool, int]


@dataclass(frozen=True, slots=True, order=True)
class _Wait:
    """From `since` until `until` this task could have been started."""

    rank: _Rank
    since: datetime
    until: datetime
    task_id: str


def out_of_order(story: Story) -> Iterator[str]:
    """No attempt starts while a task of its queue that goes before it certainly could have started.

    Certain are tasks that wait for no other and were never retried by hand, from their enqueuing, an interruption or
    a rescue until their next claim or their cancel. The engine stamps claims and enqueues inside its transactions, so
    the stored moments are in the order of the commits; equal ones say nothing.
    """
    uncertain = story.waiting | story.retried()
    for queue in QueueName:
        mine = [task for task in story.tasks.values() if task.queue is queue]
        certain = [wait for task in mine if task.id not in uncertain for wait in _waits(task, story)]
        claims = [claim for task in mine for claim in _claims(task, story.attempts[task.id])]
        yield from _passed_over(sorted(claims), sorted(certain, key=lambda wait: wait.since))


def _passed_over(claims: Sequence[tuple[datetime, _Rank, str]], waits: Sequence[_Wait]) -> Iterator[str]:
    """Waits come by their start, claims by theirs."""
    able: list[_Wait] = []
    coming = 0
    for at, rank, claimed in claims:
        while coming < len(waits) and waits[coming].since < at:
            heapq.heappush(able, waits[coming])
            coming += 1
        while able and able[0].until <= at:
            heapq.heappop(able)
        if able and able[0].rank < rank:
            yield f"Out of order: {claimed} started at {at} with the rank {rank}, but {able[0]} could have"


def _rank(task: Task, earlier: Sequence[Attempt]) -> _Rank:
    """Lowest first. A task that was interrupted, rescued or snoozed is carried from then on."""
    carried = bool(task.payload.get("carried")) or any(
        each.outcome in (*_AT_ONCE, "snooze") for each in earlier
    )
    return -task.priority, not carried, task.seq


def _claims(task: Task, attempts: Sequence[Attempt]) -> Iterator[tuple[datetime, _Rank, str]]:
    for place, attempt in enumerate(attempts):
        yield attempt.started_at, _rank(task, attempts[:place]), f"claim {attempt.claim} of {task.id}"


def _waits(task: Task, story: Story) -> Iterator[_Wait]:
    attempts = story.attempts[task.id]
    since: datetime | None = task.enqueued_at
    for place, attempt in enumerate(attempts):
        if since is not None:
            yield _Wait(_rank(task, attempts[:place]), since, attempt.started_at, task.id)
        since = attempt.ended_at if attempt.outcome in _AT_ONCE else None
    if since is not None and task.finished_at is not None:
        yield _Wait(_rank(task, attempts), since, task.finished_at, task.id)
