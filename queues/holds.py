"""Holds: why a queue starts nothing.

Several sources may hold one queue; it goes on when none of them does.
"""

import json
from collections.abc import Collection
from datetime import datetime

from queues.database import Transaction
from queues.model import Hold, QueueName
from queues.moments import to_micros
from queues.rows import HAS_ONE_OF_IDS, HOLD_COLUMNS, read_hold
from queues.topics import ANY_QUEUE, OF_QUEUE


def hold_queue(
    tx: Transaction, queue: QueueName, source: str, reason: str, until: datetime | None = None
) -> Hold:
    """Start nothing more in this queue until released, or until `until`; the running task goes on."""
    tx.run(
        "INSERT INTO holds (queue, source, reason, held_at, until)"
        " VALUES (:queue, :source, :reason, :now, :until)"
        " ON CONFLICT (queue, source) DO UPDATE SET reason = excluded.reason, held_at = excluded.held_at,"
        " until = excluded.until",
        queue=queue,
        source=source,
        reason=reason,
        now=tx.micros,
        until=None if until is None else to_micros(until),
    )
    tx.touch(OF_QUEUE[queue])  # it may replace a longer one, and nothing may be left to wait for
    return Hold(queue=queue, source=source, reason=reason, held_at=tx.now, until=until)


def release_queue(tx: Transaction, queue: QueueName, source: str | None = None) -> list[Hold]:
    """End the holds of this queue, or only that of one source; returns those that were in force."""
    ended = [hold for hold in current_holds(tx, queue) if source in (None, hold.source)]
    tx.run(
        "DELETE FROM holds WHERE queue = :queue AND (:source IS NULL OR source = :source)",
        queue=queue,
        source=source,
    )
    tx.touch(OF_QUEUE[queue])
    return ended


def approve_old(tx: Transaction, queue: QueueName) -> int:
    """Let the tasks of this queue that were asked for too long ago start after all; returns how many."""
    approved = tx.run(
        "UPDATE tasks SET asked_at = :now WHERE queue = :queue AND state = 'queued'"
        " AND asked_at + approval_window <= :now",
        queue=queue,
        now=tx.micros,
    )
    tx.touch(OF_QUEUE[queue])
    return approved


def ask_again(tx: Transaction, task_ids: Collection[str], asked_at: datetime) -> None:
    """Make queued tasks as young as a request, of that moment, that met them: it is their approval."""
    changed = tx.run(
        f"UPDATE tasks SET asked_at = :asked_at WHERE {HAS_ONE_OF_IDS}"
        " AND state = 'queued' AND asked_at < :asked_at",
        asked_at=to_micros(asked_at),
        ids=json.dumps(list(task_ids)),
    )
    if changed:
        tx.touch(ANY_QUEUE)


def raise_priority(tx: Transaction, task_ids: Collection[str], priority: int) -> list[str]:
    """Give queued tasks, and the queued ones that they wait for, at least this priority; returns the raised ids."""
    raised = tx.rows(
        f"""
        WITH RECURSIVE needed (seq) AS (
            SELECT seq FROM tasks WHERE {HAS_ONE_OF_IDS}
            UNION SELECT after_seq FROM prerequisites JOIN needed ON task_seq = needed.seq)
        UPDATE tasks SET priority = :priority
        WHERE seq IN (SELECT seq FROM needed) AND state = 'queued' AND priority < :priority
        RETURNING seq, id
        """,
        ids=json.dumps(list(task_ids)),
        priority=priority,
    )
    if raised:
        tx.touch()
    return [task_id for _, task_id in sorted(raised)]


def current_holds(tx: Transaction, queue: QueueName) -> list[Hold]:
    """The holds in force now, the one that lasts longest first."""
    return [
        read_hold(row)
        for row in tx.rows(
            f"SELECT {HOLD_COLUMNS} FROM holds WHERE queue = :queue AND (until IS NULL OR until > :now)"
            " ORDER BY until IS NOT NULL, until DESC, held_at",
            queue=queue,
            now=tx.micros,
        )
    ]
