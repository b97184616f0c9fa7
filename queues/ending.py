"""How a task leaves its attempt: for good, or back into its queue."""

from datetime import datetime

from queues.database import Transaction
from queues.dependents import cancel_dependents, cancel_if_broken
from queues.model import Task
from queues.moments import to_micros
from queues.topics import OF_QUEUE


def finish(
    tx: Transaction, task: Task, state: str, *, result: str | None = None, error: str | None = None
) -> None:
    """End a task for good, in whatever unfinished state it is, and settle the tasks that wait for it."""
    tx.run(
        "UPDATE tasks SET state = :state, finished_at = max(:now, coalesce(started_at, :now)), note = NULL,"
        " result = :result, error = :error, cancel_requested = NULL WHERE seq = :seq",
        seq=task.seq,
        state=state,
        now=tx.micros,
        result=result,
        error=error,
    )
    if state != "completed":
        cancel_dependents(tx, task.seq)


def requeue(
    tx: Transaction,
    task: Task,
    outcome: str,
    note: str,
    due_at: datetime | None = None,
    *,
    spent: int,
    foreseen: datetime | None = None,
) -> None:
    """Put a running task back, due at once or at `due_at`; before its equals if that was not its fault.

    `spent` = 0 costs nothing.

    A snooze renews what was asked for: the wait was `foreseen`, to that moment. Where a prerequisite was retried
    meanwhile, and failed, the task is cancelled instead.
    """
    tx.run(
        "UPDATE tasks SET state = 'queued', due_at = coalesce(:due_at, enqueued_at), note = :note,"
        " carried = max(carried, :carried), attempt = attempt - :given_back, asked_at = max(asked_at, :asked_at)"
        " WHERE seq = :seq",
        seq=task.seq,
        due_at=None if due_at is None else to_micros(due_at),
        note=note,
        carried=int(outcome != "retry"),
        given_back=1 - spent,
        asked_at=to_micros(foreseen or tx.now) if outcome == "snooze" else 0,
    )
    tx.touch(OF_QUEUE[task.queue])
    end_attempt(tx, task, outcome, note)
    cancel_if_broken(tx, task.seq)


def end_attempt(tx: Transaction, task: Task, outcome: str, detail: str | None) -> None:
    tx.run(
        "UPDATE attempts SET ended_at = max(:now, started_at), outcome = :outcome, detail = :detail"
        " WHERE task_seq = :seq AND ended_at IS NULL",
        seq=task.seq,
        now=tx.micros,
        outcome=outcome,
        detail=detail,
    )
