"""The worker of one queue: claim a task, run its handler, record how it ended; one at a time."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import anyio
import anyio.lowlevel

from queues.context import Handler, TaskContext
from queues.database import Database, Transaction
from queues.doorbell import Doorbell
from queues.errors import StaleClaimError, StorageError
from queues.lifecycle import rescue_left_over
from queues.model import QueueName, Task, TaskState
from queues.outcome import Cancelled, Completed, Failed, Outcome, Retry, Snooze
from queues.retry import Backoff
from queues.store import claim_next, find_task, record
from queues.waking import is_drained, next_wake

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Drain:
    """What the workers share that run until nothing is left.

    Nobody decides alone: a task enqueued between two workers' last looks would leave the second waiting for
    ever on a queue whose worker has gone. Queues that an error `stopped` are waited for no more.
    """

    stopped: set[QueueName] = field(default_factory=set[QueueName])
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class Worker:
    queue: QueueName
    epoch: int
    database: Database
    bell: Doorbell
    handlers: Mapping[str, Handler]
    backoff: Backoff
    ended: list[Task] | None = None
    """Takes the tasks as they are after each attempt, in order, where someone wants to know."""

    async def run(self, drain: Drain | None = None) -> None:
        """Run task after task, without end or until no queue has anything left that can run by itself."""
        await self.database.write_patiently(lambda tx: rescue_left_over(tx, self.queue, self.epoch))
        while drain is None or not drain.is_done:
            heard = self.bell.next_ring()
            looked_at = self.database.clock()
            if await self.run_one():
                continue
            if drain is not None and await self.database.read(partial(is_drained, stopped=drain.stopped)):
                drain.is_done = True
                self.bell.ring_here()
                return
            # What fell due since the claim found nothing is a reason to look again at once.
            wake = await self.database.read(partial(next_wake, queue=self.queue, since=looked_at))
            await self.bell.wait(heard, at_most=None if wake is None else wake - self.database.clock())

    async def run_one(self) -> bool:
        """Run the next task to its end, however it ends; False when none may start."""
        task = await self.database.write(lambda tx: claim_next(tx, self.queue, self.epoch))
        if task is None:
            return False
        log.info("%s starts (attempt %d, claim %d)", task.id, task.attempt, task.claim)
        await self._record(task, await self._attempt(task))
        return True

    async def _attempt(self, task: Task) -> Outcome:
        # What stands if the handler is stopped; `record` knows the reason, or that the attempt is stale.
        outcome: Outcome = Cancelled("It was asked to stop.")
        work = anyio.CancelScope()
        async with anyio.create_task_group() as watching:
            with work:
                watching.start_soon(self._watch_for_cancel, task, work)
                outcome = await self._run_handler(task)
            watching.cancel_scope.cancel()
        return outcome

    async def _run_handler(self, task: Task) -> Outcome:
        handler = self.handlers.get(task.kind)
        if handler is None:
            return Failed(f"No handler knows the kind {task.kind!r}; a newer version may have enqueued it.")
        await anyio.lowlevel.checkpoint()  # a stop that came while the task was claimed: no handler starts
        try:
            with anyio.move_on_after(task.timeout.total_seconds()) as limit:
                return _checked(task, await handler(TaskContext(task, self.database)))
        except StaleClaimError as error:
            return Retry(str(error))  # `record` finds out whether it is true
        except (Exception, SystemExit) as error:
            log.exception("%s raised", task.id)
            return Retry(f"{type(error).__name__}: {error}")
        except anyio.get_cancelled_exc_class():
            if anyio.current_effective_deadline() == -math.inf:
                raise  # we are to stop
            # The handler awaited something that was cancelled; passed on, it would end the queue in silence.
            log.exception("%s cancelled itself", task.id)
            return Retry("It awaited something that was cancelled.")
        assert limit.cancelled_caught
        return Retry(f"It did not end within its timeout of {task.timeout}.")

    async def _watch_for_cancel(self, task: Task, work: anyio.CancelScope) -> None:
        while True:
            heard = self.bell.next_ring()
            try:
                wanted = await self.database.read(lambda tx: _is_still_wanted(tx, task))
            except StorageError as error:
                log.warning("Whether %s is to be cancelled cannot be read yet: %s", task.id, error)
                wanted = True
            if not wanted:
                work.cancel()
                return
            await self.bell.wait(heard)

    async def _record(self, task: Task, outcome: Outcome) -> None:
        """Record the outcome, however long the disk takes; one that cannot be stored becomes a failure."""
        backoff = self.backoff(task.attempt)
        try:
            try:
                ended = await self.database.write_patiently(lambda tx: record(tx, task, outcome, backoff))
            except StaleClaimError:
                raise
            except Exception as error:
                log.exception("The outcome of %s cannot be recorded", task.id)
                failure = Failed(f"Its outcome could not be stored: {type(error).__name__}: {error}")
                ended = await self.database.write_patiently(lambda tx: record(tx, task, failure, backoff))
        except StaleClaimError as error:
            log.warning("%s: %s", task.id, error)
            return
        reason = ended.error or ended.note
        # Whoever watches a worker must see why nothing goes on.
        log.log(
            logging.WARNING if reason else logging.INFO,
            "%s is %s after claim %d%s",
            ended.id,
            ended.state,
            task.claim,
            f": {reason}" if reason else "",
        )
        if self.ended is not None:
            self.ended.append(ended)


def _is_still_wanted(tx: Transaction, task: Task) -> bool:
    current = find_task(tx, task.id)
    is_current = current.state is TaskState.RUNNING and current.claim == task.claim
    return is_current and current.cancel_requested is None


def _checked(task: Task, outcome: object) -> Outcome:
    # The type promises an outcome; a handler without type checks may still return anything.
    if isinstance(outcome, Completed | Retry | Snooze | Failed | Cancelled):
        return outcome
    return Failed(f"The handler of {task.kind} returned {outcome!r:.80} instead of an outcome.")
