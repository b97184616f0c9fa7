"""What a person sees of the queues at a glance: what ran last, comes next, and failed. Nothing here changes it."""

import json
from dataclasses import dataclass
from datetime import datetime

from queues.database import Transaction
from queues.inspection import WaitingFor, waiting_for
from queues.model import JsonObject, QueueName, Task, TaskState
from queues.moments import from_micros
from queues.rows import TASK_COLUMNS, read_task

_BEGUN = "state IN ('queued', 'cancelled') AND claim > 0"
# The tasks with the newest last attempts, of each kind of end and of none: each kind has an index in that order, for
# in a queue one attempt follows the other, and the order of ends is that of starts.
_LAST_BEGUN = " UNION ALL ".join(
    f"SELECT seq FROM (SELECT seq FROM tasks WHERE {those} ORDER BY {order} DESC LIMIT :limit)"
    for those, order in [
        ("queue IN (SELECT queue FROM queue_totals) AND state = 'running'", "started_at"),
        (f"{_BEGUN} AND started_at IS NOT NULL", "started_at"),
        (f"{_BEGUN} AND started_at IS NULL", "seq"),
        *(
            (f"queue = '{queue}' AND state = '{state}' AND finished_at IS NOT NULL", "finished_at")
            for queue in QueueName
            for state in (TaskState.COMPLETED, TaskState.FAILED)
        ),
    ]
)
# Tasks at the head of a queue that are asked what they wait for; further back, one that could start is not found.
LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Ran:
    """One attempt of a task. `ended_at` and `outcome` are None while it runs."""

    task_id: str
    queue: QueueName
    kind: str
    payload: JsonObject
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None


def recent_attempts(tx: Transaction, limit: int) -> list[Ran]:
    """Of all attempts those that still run and the newest others, `limit` in all, by start.

    Exact, but that it knows the earlier attempts of `limit` tasks at most that were retried by hand and still wait.
    """
    rows = tx.rows(
        "SELECT id, queue, kind, payload, began, ended_at, outcome FROM ("
        "SELECT id, queue, kind, payload, attempts.started_at AS began, ended_at, outcome, seq, attempts.claim"
        f" FROM ({_LAST_BEGUN}) CROSS JOIN tasks USING (seq) JOIN attempts ON task_seq = seq"
        " ORDER BY ended_at IS NULL DESC, began DESC, seq DESC, attempts.claim DESC LIMIT :limit)"
        " ORDER BY began, seq, claim",
        limit=limit,
    )
    return [
        Ran(
            task_id,
            QueueName(queue),
            kind,
            json.loads(payload),
            from_micros(started_at),
            None if ended_at is None else from_micros(ended_at),
            outcome,
        )
        for task_id, queue, kind, payload, started_at, ended_at, outcome in rows
    ]


def next_tasks(tx: Transaction, queue: QueueName, limit: int) -> list[tuple[Task, WaitingFor | None]]:
    """At most `limit` queued tasks in the order of the claim, each with what it waits for.

    Before the others come those that wait for nothing of their own: they start when the queue is free and not held.
    """
    rows = tx.rows(
        f"SELECT {TASK_COLUMNS} FROM tasks WHERE queue = :queue AND state = 'queued'"
        " ORDER BY priority DESC, carried DESC, seq LIMIT :looked_at",
        queue=queue,
        looked_at=max(limit, LOOKED_AT),
    )
    waiting = [(task, waiting_for(tx, task)) for task in map(read_task, rows)]
    return sorted(waiting, key=lambda each: _waits_alone(each[1]))[:limit]


def newest_failures(tx: Transaction, limit: int) -> list[Task]:
    """The failed tasks that ended last, newest first."""
    newest = " UNION ALL ".join(  # of each queue, from its own run in an index by end
        f"SELECT seq FROM (SELECT seq FROM tasks WHERE queue = '{queue}' AND state = 'failed'"
        " AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT :limit)"
        for queue in QueueName
    )
    those = f"seq IN ({newest}) ORDER BY finished_at DESC, seq DESC LIMIT :limit"
    return [read_task(row) for row in tx.rows(f"SELECT {TASK_COLUMNS} FROM tasks WHERE {those}", limit=limit)]


def _waits_alone(waiting: WaitingFor | None) -> bool:
    return waiting is not None and waiting.kind in ("approval", "tasks", "due")
