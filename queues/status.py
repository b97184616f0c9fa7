"""What one queue does, and when it may be through."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from queues.database import Transaction
from queues.holds import current_holds
from queues.inspection import totals
from queues.model import Hold, QueueName, Task, TaskState
from queues.moments import from_micros
from queues.rows import TASK_COLUMNS, read_task


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """One queue. `state` is running, held, waiting (only tasks that cannot start yet) or idle.

    `estimated_finish` is None without queued or running tasks or without completed ones to learn from.
    """

    queue: QueueName
    state: str
    holds: Sequence[Hold]
    running: Task | None
    counts: dict[TaskState, int]
    oldest_wait: timedelta | None
    estimated_finish: datetime | None
    needs_approval: int


def queue_status(tx: Transaction, queue: QueueName) -> QueueStatus:
    counts = totals(tx, queue)
    queued = counts[TaskState.QUEUED]
    running = _running(tx, queue) if counts[TaskState.RUNNING] else None
    holds = current_holds(tx, queue)
    oldest, unapproved = _queued(tx, queue) if queued else (tx.now, 0)
    mean = _mean_duration(tx, queue) if counts[TaskState.COMPLETED] and (queued or running) else None
    return QueueStatus(
        queue=queue,
        state=_state(running, holds, queued),
        holds=holds,
        running=running,
        counts=counts,
        oldest_wait=max(timedelta(), tx.now - oldest) if queued else None,
        estimated_finish=_estimated_finish(tx.now, mean, running, holds, queued - unapproved),
        needs_approval=unapproved,
    )


def _running(tx: Transaction, queue: QueueName) -> Task | None:
    row = tx.row(f"SELECT {TASK_COLUMNS} FROM tasks WHERE queue = :queue AND state = 'running'", queue=queue)
    return None if row is None else read_task(row)


def _queued(tx: Transaction, queue: QueueName) -> tuple[datetime, int]:
    """When the oldest queued task was enqueued, and how many need approval; there is one."""
    row = tx.row(
        "SELECT (SELECT enqueued_at FROM tasks WHERE seq ="
        " (SELECT min(seq) FROM tasks WHERE queue = :queue AND state = 'queued')),"
        " (SELECT count(*) FROM tasks WHERE queue = :queue AND state = 'queued' AND approval_window IS NOT NULL"
        " AND asked_at + approval_window <= :now)",
        queue=queue,
        now=tx.micros,
    )
    assert row is not None
    return from_micros(row[0]), row[1]


def _mean_duration(tx: Transaction, queue: QueueName) -> timedelta | None:
    """Of the last attempt of 20 completed tasks."""
    row = tx.row(
        "SELECT avg(finished_at - started_at) FROM (SELECT started_at, finished_at FROM tasks"
        " WHERE queue = :queue AND state = 'completed' AND finished_at IS NOT NULL"
        " ORDER BY finished_at DESC LIMIT 20)",
        queue=queue,
    )
    return None if row is None or row[0] is None else timedelta(microseconds=row[0])


def _state(running: Task | None, holds: Sequence[Hold], queued: int) -> str:
    if running is not None:
        return "running"
    if holds:
        return "held"
    return "waiting" if queued else "idle"


def _estimated_finish(
    now: datetime, mean: timedelta | None, running: Task | None, holds: Sequence[Hold], queued: int
) -> datetime | None:
    """When the `queued` tasks may be through, where each takes `mean`.

    It begins when the last hold ends; waits for other queues are not in it. None where nothing is left, where
    nothing was completed to learn from, or where a hold has no end.
    """
    if mean is None or not (queued or running):
        return None
    begin = now
    if running is not None and running.started_at is not None:
        begin = max(begin, running.started_at + mean)
    for hold in holds if queued else ():
        if hold.until is None:
            return None
        begin = max(begin, hold.until)
    return begin + queued * mean
