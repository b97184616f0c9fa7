"""What a person does to tasks: cancel, clear, retry."""

import json
from collections.abc import Collection

from queues.database import Transaction
from queues.dependents import reset_to_queued, revive_dependents
from queues.ending import finish
from queues.errors import DedupKeyTakenError, TaskStateError
from queues.model import QueueName, Task, TaskState
from queues.store import find_task
from queues.topics import ANY_QUEUE, Topic


def cancel_task(tx: Transaction, task_id: str, reason: str) -> Task:
    """Cancel a queued task now; ask a running one to stop (its worker records the end).

    Raises:
        UnknownTaskError: there is no such task.
        TaskStateError: it has already ended.
    """
    task = find_task(tx, task_id)
    if task.state.is_finished:
        raise TaskStateError(
            f"{task.id} is {task.state} already; only queued and running tasks can be cancelled."
        )
    if task.state is TaskState.QUEUED:
        finish(tx, task, "cancelled", error=reason)
        tx.touch(ANY_QUEUE)  # what waited for it is cancelled too, and each queue may now be drained
    else:
        tx.run("UPDATE tasks SET cancel_requested = :reason WHERE seq = :seq", seq=task.seq, reason=reason)
        tx.touch(Topic.STOP)
    return find_task(tx, task_id)


def clear_queue(
    tx: Transaction, queue: QueueName, reason: str, only: Collection[str] | None = None
) -> list[Task]:
    """Cancel every queued task of this queue, or `only` those; the running one goes on. Returns the cancelled tasks."""
    queued = tx.rows(
        "SELECT id FROM tasks WHERE queue = :queue AND state = 'queued'"
        " AND (:only IS NULL OR id IN (SELECT value FROM json_each(:only))) ORDER BY seq",
        queue=queue,
        only=None if only is None else json.dumps(list(only)),
    )
    for (task_id,) in queued:
        # One may already be cancelled by the end of another.
        if find_task(tx, task_id).state is TaskState.QUEUED:
            cancel_task(tx, task_id, reason)
    return [find_task(tx, task_id) for (task_id,) in queued]


def retry_task(tx: Transaction, task_id: str) -> tuple[Task, list[str]]:
    """Queue a finished task anew, with all its attempts; also what was cancelled because of it.

    Returns the task and the ids of the others.

    Raises:
        UnknownTaskError: there is no such task.
        TaskStateError: it has not ended yet, or needs a prerequisite that failed or was cancelled.
        DedupKeyTakenError: an unfinished task does the same work.
    """
    task = find_task(tx, task_id)
    if not task.state.is_finished:
        raise TaskStateError(f"{task.id} is {task.state}; only a finished task can be retried.")
    holder = tx.row(
        "SELECT id FROM tasks WHERE queue = :queue AND dedup_key = :key AND state IN ('queued', 'running')",
        queue=task.queue,
        key=task.dedup_key,
    )
    if holder is not None:
        raise DedupKeyTakenError(
            f"{holder[0]} is already doing the work of {task.id}; watch that one instead."
        )
    _require_prerequisites(tx, task)
    tx.run("UPDATE prerequisites SET broken = 0 WHERE task_seq = :seq", seq=task.seq)
    reset_to_queued(tx, task.seq)
    revived = revive_dependents(tx, task.seq)
    tx.touch(ANY_QUEUE)
    return find_task(tx, task_id), revived


def _require_prerequisites(tx: Transaction, task: Task) -> None:
    broken = tx.row(
        "SELECT id, state FROM prerequisites JOIN tasks ON tasks.seq = after_seq"
        " WHERE task_seq = :seq AND state IN ('failed', 'cancelled') ORDER BY seq",
        seq=task.seq,
    )
    if broken is not None:
        raise TaskStateError(
            f"{task.id} needs {broken[0]}, which is {broken[1]}; retry {broken[0]} first, which brings back"
            " what was cancelled because of it."
        )
