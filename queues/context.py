"""What a handler is handed: its task, and the ways to report and store while it runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from queues.database import Database, Transaction, Work
from queues.errors import StaleClaimError
from queues.model import Progress, Task
from queues.outcome import Outcome

if TYPE_CHECKING:
    from datetime import datetime

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TaskContext:
    """One attempt. `task.attempt` tells a handler that it may have done part of the work before."""

    task: Task
    database: Database

    @property
    def now(self) -> "datetime":
        return self.database.clock()

    async def report(self, done: int, total: int, message: str) -> None:
        """Store the progress, for everyone who looks at the task."""
        await self.commit(lambda tx: store_progress(tx, self.task, Progress(done, total, message)))

    async def commit(self, work: Work[T]) -> T:
        """Run `work` in one transaction, provided this attempt is still the current one.

        Raises:
            StaleClaimError: the task was cancelled, interrupted or rescued; nothing is stored.
        """

        def fenced(tx: Transaction) -> T:
            require_current(tx, self.task)
            return work(tx)

        return await self.database.write(fenced)


Handler: TypeAlias = Callable[[TaskContext], Awaitable[Outcome]]


def require_current(tx: Transaction, task: Task) -> tuple[str | None, bool]:
    """Why this attempt was asked to stop, or None; and whether any task waits, or waited, for this one.

    Raises:
        StaleClaimError: it is not the task's current attempt.
    """
    current = tx.row(
        "SELECT cancel_requested, EXISTS (SELECT 1 FROM prerequisites WHERE after_seq = :seq) FROM tasks"
        " WHERE seq = :seq AND state = 'running' AND claim = :claim AND epoch = :epoch",
        seq=task.seq,
        claim=task.claim,
        epoch=task.epoch,
    )
    if current is None:
        raise StaleClaimError(
            f"Attempt {task.claim} of {task.id} was ended elsewhere; it stores nothing more."
        )
    return current[0], current[1] == 1


def store_progress(tx: Transaction, task: Task, progress: Progress) -> None:
    """For a handler that stores something else in the same commit."""
    tx.run(
        "UPDATE tasks SET progress_done = :done, progress_total = :total, progress_message = :message"
        " WHERE seq = :seq",
        seq=task.seq,
        done=progress.done,
        total=progress.total,
        message=progress.message,
    )
    tx.touch()
