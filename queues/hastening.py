"""Letting a task that waits for its time go on now."""

import json
from collections.abc import Collection

from queues.database import Transaction
from queues.rows import HAS_ONE_OF_IDS
from queues.topics import ANY_QUEUE


def hasten(tx: Transaction, task_ids: Collection[str]) -> list[str]:
    """Make these due at once, as far as they are queued and wait for their time; returns their ids, oldest first."""
    hastened = tx.rows(
        f"UPDATE tasks SET due_at = enqueued_at, note = NULL WHERE {HAS_ONE_OF_IDS}"
        " AND state = 'queued' AND due_at > :now RETURNING seq, id",
        ids=json.dumps(list(task_ids)),
        now=tx.micros,
    )
    if hastened:
        tx.touch(ANY_QUEUE)
    return [task_id for _, task_id in sorted(hastened)]
