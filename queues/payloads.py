"""Finding unfinished tasks by what their payloads say, without reading each of them."""

import json
from collections.abc import Iterable

from queues.database import Transaction
from queues.model import QueueName, Task
from queues.store import find_task


def unfinished_listing(
    tx: Transaction, queue: QueueName, key: str, values: Iterable[str | bool]
) -> list[tuple[str, Task]]:
    """The queued and running tasks whose payload has one of these values at `key`, or in the list there.

    In enqueue order, each with the value as text; a task comes once for each of its values.
    """
    rows = tx.rows(
        "SELECT found.value, tasks.id FROM tasks, json_each(payload, :path) AS found"
        " WHERE queue = :queue AND state IN ('queued', 'running')"
        " AND found.value IN (SELECT value FROM json_each(:values)) ORDER BY seq",
        queue=queue,
        path=f"$.{key}",
        values=json.dumps(list(values)),
    )
    return [(str(value), find_task(tx, task_id)) for value, task_id in rows]


def count_unfinished(
    tx: Transaction, queue: QueueName, *, priority: int, key: str, value: str, default: str
) -> int:
    """How many unfinished tasks of at least this priority have `value` at `key`; nothing there means `default`."""
    row = tx.row(
        "SELECT count(*) FROM tasks WHERE queue = :queue AND state IN ('queued', 'running')"
        " AND priority >= :priority AND coalesce(payload ->> :path, :default) = :value",
        queue=queue,
        priority=priority,
        path=f"$.{key}",
        default=default,
        value=value,
    )
    assert row is not None
    return row[0]
