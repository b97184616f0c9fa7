"""Changing what a queued task is to do. The engine offers the transaction; what is worth joining, handlers decide."""

from collections.abc import Sequence

from queues.database import Transaction
from queues.dependents import link_prerequisite
from queues.errors import DedupKeyTakenError, TaskStateError
from queues.model import JsonObject, Task, TaskState
from queues.rows import dump
from queues.store import find_task
from queues.topics import OF_QUEUE


def amend_task(
    tx: Transaction, task_id: str, *, payload: JsonObject, dedup_key: str | None, after: Sequence[str] = ()
) -> Task:
    """Give a queued task this payload and key, and let it wait for `after` as well.

    It keeps its id, its run, its place in the queue, and when it was asked for.

    Raises:
        UnknownTaskError: there is no such task, or none of `after`.
        TaskStateError: it is not queued; nothing is changed.
        DedupKeyTakenError: another unfinished task does just that work.
        InvalidTaskError: JSON cannot hold the payload, or one of `after` waits for the task.
    """
    task = find_task(tx, task_id)
    if task.state is not TaskState.QUEUED:
        raise TaskStateError(f"{task.id} is {task.state}; only a queued task can be changed.")
    holder = tx.row(
        "SELECT id FROM tasks WHERE queue = :queue AND dedup_key = :key AND seq <> :seq"
        " AND state IN ('queued', 'running')",
        queue=task.queue,
        key=dedup_key,
        seq=task.seq,
    )
    if holder is not None:
        raise DedupKeyTakenError(f"{holder[0]} does already what {task.id} would then do.")
    tx.run(
        "UPDATE tasks SET payload = :payload, dedup_key = :key WHERE seq = :seq",
        payload=dump(payload),
        key=dedup_key,
        seq=task.seq,
    )
    for prerequisite in after:
        link_prerequisite(tx, task, find_task(tx, prerequisite))
    tx.touch(OF_QUEUE[task.queue])
    return find_task(tx, task_id)
