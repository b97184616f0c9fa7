"""The worker of one queue: claim a task, run its handler, record how it ended; one at a time."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
import apsw

from queues.context import Handler, TaskContext
from queues.database import Database, Transaction
from queues.doorbell import Doorbell
from queues.errors import StaleClaimError
from queues.inspection import is_drained, next_wake
from queues.model import QueueName, Task
from queues.outcome import Cancelled, Completed, Failed, Outcome, Retry, Snooze
from queues.retry import Backoff
from queues.store import claim_next, find_task, record

log = logging.getLogger(__name__)

# The disk, not the task, is at fault: what was done is kept in memory until it can be recorded.
STORAGE_ERRORS = (apsw.BusyError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError)
RECORD_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Worker:
    queue: QueueName
    epoch: int
    database: Database
    bell: Doorbell
    handlers: Mapping[str, Handler]
    backoff: Backoff
    ended: list[Task] = field(default_factory=list[Task])
    """The tasks as they were after each attempt, in order."""

    async def run(self, *, until_drained: bool) -> None:
        """Run task after task, without end or until no queue has anything left that can run by itself."""
        while True:
            heard = self.bell.next_ring()
            if await self.run_one():
                continue
            drained, wake, now = await self.database.read(
                lambda tx: (is_drained(tx), next_wake(tx, self.queue), tx.now)
            )
            if until_drained and drained:
                return
            await self.bell.wait(heard, at_most=None if wake is None else wake - now)

    async def run_one(self) -> bool:
        """Run the next task to its end, however it ends; False when none may start."""
        task = await self.database.write(lambda tx: claim_next(tx, self.queue, self.epoch))
        if task is None:
            return False
        log.info("%s starts (attempt %d, claim %d)", task.id, task.attempt, task.claim)
        outcome = await self._attempt(task)
        if outcome is not None:
            await self._record(task, outcome)
        return True

    async def _attempt(self, task: Task) -> Outcome | None:
        """The outcome of one attempt; None if it was ended elsewhere and has nothing to record."""
        outcome: Outcome | None = None
        work = anyio.CancelScope()
        async with anyio.create_task_group() as watching:
            with work:
                watching.start_soon(self._watch_for_cancel, task, work)
                outcome = await self._run_handler(task)
            watching.cancel_scope.cancel()
        if work.cancelled_caught:
            reason = (await self.database.read(lambda tx: find_task(tx, task.id))).cancel_requested
            return Cancelled(reason) if reason else None
        return outcome

    async def _run_handler(self, task: Task) -> Outcome | None:
        handler = self.handlers.get(task.kind)
        if handler is None:
            return Failed(f"No handler knows the kind {task.kind!r}; a newer version may have enqueued it.")
        try:
            with anyio.move_on_after(task.timeout.total_seconds()) as limit:
                return _checked(task, await handler(TaskContext(task, self.database)))
        except StaleClaimError as error:
            log.warning("%s: %s", task.id, error)
            return None
        except (Exception, SystemExit) as error:
            log.exception("%s raised", task.id)
            return Retry(f"{type(error).__name__}: {error}")
        assert limit.cancelled_caught
        return Retry(f"It did not end within its timeout of {task.timeout}.")

    async def _watch_for_cancel(self, task: Task, work: anyio.CancelScope) -> None:
        while True:
            heard = self.bell.next_ring()
            current = await self.database.read(lambda tx: find_task(tx, task.id))
            if current.cancel_requested is not None or current.claim != task.claim:
                work.cancel()
                return
            await self.bell.wait(heard)

    async def _record(self, task: Task, outcome: Outcome) -> None:
        """Record the outcome, however long the disk takes; one that cannot be stored becomes a failure."""
        backoff = self.backoff(task.attempt)

        def recording(tx: Transaction) -> Task:
            return record(tx, task, outcome, backoff)

        while True:
            try:
                ended = await self.database.write(recording)
            except STORAGE_ERRORS as error:
                log.error("%s cannot be recorded yet: %s", task.id, error)  # noqa: TRY400 (no bug of ours)
                await anyio.sleep(RECORD_AGAIN_SECONDS)
            except StaleClaimError as error:
                log.warning("%s: %s", task.id, error)
                return
            except Exception as error:
                if isinstance(outcome, Failed) and outcome.result is None:
                    raise
                log.exception("The outcome of %s cannot be recorded", task.id)
                outcome = Failed(f"Its outcome could not be stored: {type(error).__name__}: {error}")
            else:
                log.info("%s is %s after claim %d", ended.id, ended.state, task.claim)
                self.ended.append(ended)
                return


def _checked(task: Task, outcome: object) -> Outcome:
    # The type promises an outcome; a handler without type checks may still return anything.
    if isinstance(outcome, Completed | Retry | Snooze | Failed | Cancelled):
        return outcome
    return Failed(f"The handler of {task.kind} returned {outcome!r:.80} instead of an outcome.")
