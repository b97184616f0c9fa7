"""The worker of one queue: claim a task, run its handler, record how it ended; one at a time."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import anyio
import anyio.lowlevel

from queues.context import Handler, TaskContext
from queues.database import Database, Transaction
from queues.doorbell import Doorbell
from queues.errors import EngineError, StaleClaimError
from queues.lifecycle import require_epoch, rescue_left_over
from queues.model import QueueName, Task, TaskState
from queues.outcome import Cancelled, Completed, Failed, Outcome, Retry, Snooze
from queues.retry import Backoff
from queues.store import claim_next, find_task, record
from queues.topics import Topic
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
class _Running:
    """The attempt that a worker is at, and how to stop it."""

    task: Task
    work: anyio.CancelScope


@dataclass(slots=True)
class Worker:
    queue: QueueName
    epoch: int
    database: Database
    bell: Doorbell
    handlers: Mapping[str, Handler]
    backoff: Backoff
    ended: list[Task] | None = None
    """Takes the tasks as they are after each attempt, in order, where someone wants to know."""
    _running: _Running | None = field(default=None, init=False)

    async def run(self, drain: Drain | None = None) -> None:
        """Run task after task, without end or until no queue has anything left that can run by itself.

        Raises:
            EpochOverError: this worker can claim nothing more, for its leader's epoch is over.
        """
        await self.database.write_patiently(lambda tx: rescue_left_over(tx, self.queue, self.epoch))
        error = None
        async with anyio.create_task_group() as watching:
            watching.start_soon(self._watch_for_stops)
            try:
                await self._run_all(drain)
            except Exception as caught:  # noqa: BLE001 (raised below, without the group around it)
                error = caught
            watching.cancel_scope.cancel()
        if error is not None:
            raise error

    async def _run_all(self, drain: Drain | None) -> None:
        topic = Topic.of([self.queue]) ^ Topic.CHANGED
        while drain is None or not drain.is_done:
            heard = self.bell.next_ring(topic)
            looked_at = self.database.clock()
            if await self.run_claimable():
                continue
            wake = await self.database.read(partial(self._look_ahead, drain=drain, since=looked_at))
            if drain is not None and drain.is_done:
                self.bell.ring_here()
                return
            # What fell due since the claim found nothing is a reason to look again at once.
            await self.bell.wait(heard, at_most=None if wake is None else wake - self.database.clock())

    def _look_ahead(self, tx: Transaction, drain: Drain | None, since: datetime) -> datetime | None:
        """When time alone lets something start in this queue."""
        require_epoch(tx, self.epoch)
        if drain is not None and is_drained(tx, drain.stopped):
            drain.is_done = True
        return next_wake(tx, self.queue, since)

    async def run_claimable(self) -> bool:
        """Run tasks, each to its end, for as long as one may start; False if none could."""
        stop = self.bell.next_ring(Topic.STOP)
        task = await self.database.write(self._claim)
        if task is None:
            return False
        while task is not None:
            log.info("%s starts (attempt %d, claim %d)", task.id, task.attempt, task.claim)
            outcome = await self._attempt(task, stop)
            stop = self.bell.next_ring(Topic.STOP)
            task = await self._record(task, outcome)
        return True

    def _claim(self, tx: Transaction) -> Task | None:
        return claim_next(tx, self.queue, self.epoch)

    async def _attempt(self, task: Task, stop: anyio.Event) -> Outcome:
        """`stop` is the event of the ring after the claim began: it may have come before anybody could be stopped."""
        with anyio.CancelScope() as work:
            self._running = _Running(task, work)
            if stop.is_set():
                self.bell.ring_here(Topic.STOP)
            try:
                return await self._run_handler(task)
            finally:
                self._running = None
        # It was stopped; `record` knows the reason, or that the attempt is stale.
        return Cancelled("It was asked to stop.")

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

    async def _watch_for_stops(self) -> None:
        while True:
            heard = self.bell.next_ring(Topic.STOP)
            if self._running is not None and not await self._is_wanted(running := self._running):
                running.work.cancel()
            await self.bell.wait(heard)

    async def _is_wanted(self, running: _Running) -> bool:
        try:
            return await self.database.read(lambda tx: _is_still_wanted(tx, running.task))
        except EngineError as error:
            log.warning("Whether %s is to be cancelled cannot be read yet: %s", running.task.id, error)
            return True

    async def _record(self, task: Task, outcome: Outcome) -> Task | None:
        """Record the outcome, however long the disk takes, and claim the next task in the same transaction.

        An outcome that cannot be stored becomes a failure.
        """
        backoff = self.backoff(task.attempt)

        def record_and_claim(tx: Transaction, outcome: Outcome) -> tuple[Task, Task | None]:
            return record(tx, task, outcome, backoff), self._claim(tx)

        try:
            try:
                ended, following = await self.database.write_patiently(
                    lambda tx: record_and_claim(tx, outcome)
                )
            except StaleClaimError:
                raise
            except Exception as error:
                log.exception("The outcome of %s cannot be recorded", task.id)
                failure = Failed(f"Its outcome could not be stored: {type(error).__name__}: {error}")
                ended, following = await self.database.write_patiently(
                    lambda tx: record_and_claim(tx, failure)
                )
        except StaleClaimError as error:
            log.warning("%s: %s", task.id, error)
            return None
        self._tell(task, ended)
        return following

    def _tell(self, task: Task, ended: Task) -> None:
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
