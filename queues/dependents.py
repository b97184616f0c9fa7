"""Tasks that wait for others, and what the end of one means for those that wait for it."""

from collections.abc import Sequence

from queues.database import Transaction
from queues.errors import InvalidTaskError
from queues.model import Task

_CANCELLED_BECAUSE_OF = """
    SELECT tasks.seq, tasks.id FROM prerequisites JOIN tasks ON tasks.seq = task_seq
    WHERE after_seq = :seq AND broken = 1 AND state = 'cancelled' AND NOT EXISTS (
        SELECT 1 FROM tasks AS holder WHERE holder.queue = tasks.queue
        AND holder.dedup_key = tasks.dedup_key AND holder.state IN ('queued', 'running'))
    ORDER BY tasks.seq LIMIT 1
    """


def link_prerequisite(tx: Transaction, task: Task, prerequisite: Task) -> None:
    """Let `task` wait for `prerequisite`; where that one has failed already, `task` is cancelled at once.

    A running task goes on, and waits if it is queued again.

    Raises:
        InvalidTaskError: `prerequisite` waits for `task` itself; both would wait for ever.
    """
    if _waits_for(tx, prerequisite.seq, task.seq):
        raise InvalidTaskError(f"{task.id} cannot wait for {prerequisite.id}, which waits for {task.id}.")
    _link(tx, task.seq, prerequisite.seq)


def dependents_of(tx: Transaction, seq: int) -> list[int]:
    """What waits for task `seq`, or would if it were retried."""
    rows = tx.rows(
        "SELECT task_seq FROM prerequisites JOIN tasks ON seq = task_seq"
        " WHERE after_seq = :seq AND state <> 'completed' ORDER BY task_seq",
        seq=seq,
    )
    return [task_seq for (task_seq,) in rows]


def move_dependents(tx: Transaction, dependents: Sequence[int], rest: Task) -> None:
    """Let these tasks, which waited for the parent of `rest`, wait for `rest` too, which goes on with its work.

    But not one that `rest` itself waits for: its work, which another task was to do already, comes later.
    """
    for seq in dependents:
        if not _waits_for(tx, rest.seq, seq):
            _link(tx, seq, rest.seq)


def _waits_for(tx: Transaction, seq: int, other: int) -> bool:
    """Whether task `seq` is `other`, or waits for it, directly or not."""
    row = tx.row(
        """
        WITH RECURSIVE earlier (seq) AS (
            VALUES (:seq) UNION SELECT after_seq FROM prerequisites JOIN earlier ON task_seq = seq)
        SELECT 1 FROM earlier WHERE seq = :other
        """,
        seq=seq,
        other=other,
    )
    return row is not None


def _link(tx: Transaction, seq: int, after_seq: int) -> None:
    tx.run(
        "INSERT OR IGNORE INTO prerequisites (task_seq, after_seq) VALUES (:task, :after)",
        task=seq,
        after=after_seq,
    )
    cancel_dependents(tx, after_seq)


def cancel_dependents(tx: Transaction, seq: int) -> None:
    """Where task `seq` failed or was cancelled, cancel each queued task that waits for it, and so on.

    Each names the nearest cause.
    """
    ended = [seq]
    while ended:
        for waiting_seq, broken_seq, reason in tx.rows(
            """
            SELECT waiting.seq, broken.seq, broken.id || ' ' || broken.state || ': ' || broken.error
            FROM prerequisites
            JOIN tasks AS waiting ON waiting.seq = task_seq AND waiting.state = 'queued'
            JOIN tasks AS broken ON broken.seq = after_seq AND broken.state IN ('failed', 'cancelled')
            WHERE after_seq = :ended ORDER BY task_seq
            """,
            ended=ended.pop(0),
        ):
            _cancel(tx, waiting_seq, broken_seq, reason)
            ended.append(waiting_seq)


def _cancel(tx: Transaction, waiting_seq: int, broken_seq: int, reason: str) -> None:
    tx.run(
        "UPDATE tasks SET state = 'cancelled', finished_at = :now, error = :error, note = NULL,"
        " cancel_requested = NULL WHERE seq = :seq AND state = 'queued'",
        seq=waiting_seq,
        now=tx.micros,
        # Chains repeat the root's reason; the first 500 characters hold it.
        error=f"Prerequisite {reason}"[:500],
    )
    tx.run(
        "UPDATE prerequisites SET broken = 1 WHERE task_seq = :task AND after_seq = :after",
        task=waiting_seq,
        after=broken_seq,
    )


def cancel_if_broken(tx: Transaction, seq: int) -> None:
    """Cancel task `seq`, if it is queued, where a prerequisite of it failed or was cancelled; and so on."""
    for (after_seq,) in tx.rows("SELECT after_seq FROM prerequisites WHERE task_seq = :seq", seq=seq):
        cancel_dependents(tx, after_seq)


def revive_dependents(tx: Transaction, seq: int) -> list[str]:
    """Queue again what was cancelled because of task `seq`, which is queued once more; returns the ids.

    One whose dedup key was taken meanwhile stays cancelled: the holder does its work. So does one that has
    another broken prerequisite; the retry of that one brings it back.
    """
    revived: list[str] = []
    # One at a time: the first of two with the same dedup key takes it.
    while row := tx.row(_CANCELLED_BECAUSE_OF, seq=seq):
        task_seq, task_id = row
        tx.run("UPDATE prerequisites SET broken = 0 WHERE task_seq = :seq", seq=task_seq)
        reset_to_queued(tx, task_seq)
        cancel_if_broken(tx, task_seq)
        if tx.row("SELECT 1 FROM tasks WHERE seq = :seq AND state = 'queued'", seq=task_seq):
            revived += [task_id, *revive_dependents(tx, task_seq)]
    return revived


def reset_to_queued(tx: Transaction, seq: int) -> None:
    """Queue a finished task anew, with all its attempts, as asked for at this moment."""
    tx.run(
        "UPDATE tasks SET state = 'queued', attempt = 0, asked_at = :now, due_at = enqueued_at, started_at = NULL,"
        " finished_at = NULL, result = NULL, error = NULL, note = NULL, cancel_requested = NULL,"
        " progress_done = NULL, progress_total = NULL, progress_message = NULL,"
        " revision = revision + (state = 'completed') WHERE seq = :seq",
        seq=seq,
        now=tx.micros,
    )
