"""When a queue that found nothing to start looks again, and when there is nothing left to look for."""

from collections.abc import Collection
from datetime import datetime

from queues.database import Transaction
from queues.model import QueueName
from queues.moments import from_micros


def next_wake(tx: Transaction, queue: QueueName) -> datetime | None:
    """When time alone first changes what this queue may start: a due time or a hold's end."""
    row = tx.row(
        "SELECT min(moment) FROM (SELECT min(due_at) AS moment FROM tasks WHERE queue = :queue"
        " AND state = 'queued' AND due_at <> enqueued_at AND due_at > :now UNION ALL"
        " SELECT min(until) FROM holds WHERE queue = :queue AND until > :now)",
        queue=queue,
        now=tx.micros,
    )
    return None if row is None or row[0] is None else from_micros(row[0])


def is_drained(tx: Transaction, stopped: Collection[QueueName] = ()) -> bool:
    """Whether nothing runs and no queued task can come to run by itself, in any queue but the `stopped` ones.

    A task can, unless its queue is held without an end, or it needs approval, or it waits for a task of which
    the same is true (then that one is the first of its chain, and is seen here).
    """
    row = tx.row(
        """
        SELECT 1 FROM tasks WHERE state = 'running' AND instr(:stopped, ',' || queue || ',') = 0
        UNION ALL
        SELECT 1 FROM tasks AS task WHERE state = 'queued' AND instr(:stopped, ',' || queue || ',') = 0
          AND (approval_window IS NULL OR asked_at + approval_window > :now)
          AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.queue = task.queue AND until IS NULL)
          AND NOT EXISTS (SELECT 1 FROM prerequisites JOIN tasks AS earlier ON earlier.seq = after_seq
                          WHERE task_seq = task.seq AND earlier.state <> 'completed')
        LIMIT 1
        """,
        now=tx.micros,
        stopped="".join(f",{queue}," for queue in stopped),
    )
    return row is None
