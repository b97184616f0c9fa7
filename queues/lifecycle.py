"""What leading means in the database: taking over, leaving, and forgetting what is old."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from queues.database import Transaction
from queues.ending import end_attempt, finish, requeue
from queues.errors import EpochOverError
from queues.leader import is_led
from queues.model import Leader, QueueName, Task
from queues.moments import from_micros, span_to_micros
from queues.processes import this_process
from queues.rows import TASK_COLUMNS, read_task
from queues.topics import EVERYTHING, OF_QUEUE

# Others wait for a transaction to end; this many rows take a few milliseconds.
FORGOTTEN_AT_ONCE = 500


def take_over(tx: Transaction, command: str, port: int = 0) -> int:
    """Begin a new epoch and rescue what the last leader left running, in one transaction; returns the epoch.

    Only the holder of the leader's lock may call this; `port` is where its event loop answers. A rescued task has
    spent its attempt; one that was to be cancelled is cancelled, and one with no attempt left has failed: it may
    be what kills the process.
    """
    process = this_process()
    tx.run(
        "UPDATE leader SET epoch = epoch + 1, pid = :pid, started = :started, port = :port, command = :command,"
        " led_since = :now",
        pid=process.pid,
        started=process.started,
        port=port,
        command=command,
        now=tx.micros,
    )
    for row in tx.rows(f"SELECT {TASK_COLUMNS} FROM tasks WHERE state = 'running'"):
        _rescue(tx, read_task(row), "The process that ran it ended")
    tx.touch(EVERYTHING)
    row = tx.row("SELECT epoch FROM leader")
    assert row is not None
    return row[0]


def require_epoch(tx: Transaction, epoch: int) -> None:
    """Raises EpochOverError unless this is the current epoch."""
    if tx.row("SELECT 1 FROM leader WHERE epoch = :epoch", epoch=epoch) is None:
        raise EpochOverError(f"The epoch {epoch} of this leader is over.")


def rescue_left_over(tx: Transaction, queue: QueueName, epoch: int) -> None:
    """Rescue what an error of this leader's own worker left running, so that the queue can go on."""
    row = tx.row(
        f"SELECT {TASK_COLUMNS} FROM tasks WHERE queue = :queue AND state = 'running' AND epoch = :epoch",
        queue=queue,
        epoch=epoch,
    )
    if row is not None:
        _rescue(tx, read_task(row), "The worker that ran it met an error")
        tx.touch(OF_QUEUE[queue])


def _rescue(tx: Transaction, task: Task, cause: str) -> None:
    if task.cancel_requested is not None:
        finish(tx, task, "cancelled", error=task.cancel_requested)
    elif task.attempt >= task.max_attempts:
        end_attempt(tx, task, "rescued", f"{cause}.")
        finish(tx, task, "failed", error=f"{cause}, in the last of {task.attempt} attempts.")
    else:
        requeue(tx, task, "rescued", f"{cause}; it starts again.", spent=1)


def interrupt(tx: Transaction, epoch: int) -> list[str]:
    """End this epoch: what runs is queued again, nothing spent; its workers can claim and record no more.

    Returns the ids of the interrupted tasks.
    """
    if tx.run("UPDATE leader SET epoch = epoch + 1 WHERE epoch = :epoch", epoch=epoch) == 0:
        return []
    rows = tx.rows(
        f"SELECT {TASK_COLUMNS} FROM tasks WHERE state = 'running' AND epoch = :epoch", epoch=epoch
    )
    tx.touch(EVERYTHING)
    return requeue_interrupted(tx, map(read_task, rows), "Interrupted by a shutdown; it starts again.")


def requeue_interrupted(tx: Transaction, running: Iterable[Task], note: str) -> list[str]:
    """Queue again what was interrupted, nothing spent; cancel what was to be cancelled. Returns the ids of all."""
    interrupted: list[str] = []
    for task in running:
        if task.cancel_requested is not None:
            finish(tx, task, "cancelled", error=task.cancel_requested)
        else:
            requeue(tx, task, "interrupted", note, spent=0)
        interrupted.append(task.id)
    return interrupted


def find_leader(tx: Transaction, lock: Path) -> Leader | None:
    """The process that leads, or led last; None if none ever did. `lock` is the leader's lock file."""
    row = tx.row("SELECT epoch, pid, started, port, command, led_since FROM leader WHERE pid <> 0")
    if row is None:
        return None
    epoch, pid, started, port, command, led_since = row
    return Leader(
        epoch=epoch,
        pid=pid,
        started=started,
        port=port,
        command=command,
        led_since=from_micros(led_since),
        is_alive=is_led(lock),
    )


def forget_finished(tx: Transaction, older_than: timedelta, at_most: int = FORGOTTEN_AT_ONCE) -> int:
    """Delete tasks that ended longer ago than this and that none waits for; returns how many."""
    return tx.run(
        "DELETE FROM tasks WHERE seq IN (SELECT seq FROM tasks WHERE queue IN (SELECT queue FROM queue_totals)"
        " AND state IN ('completed', 'failed', 'cancelled') AND finished_at < :before AND NOT EXISTS ("
        "SELECT 1 FROM prerequisites JOIN tasks AS waiting ON waiting.seq = task_seq"
        " WHERE after_seq = tasks.seq AND waiting.finished_at IS NULL) LIMIT :at_most)",
        before=tx.micros - span_to_micros(older_than),
        at_most=at_most,
    )
