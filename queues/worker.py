"""The worker of one queue: claim a task, run its handler, record how it ended; one at a time."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import anyio
import anyio.lowlevel

from queues.context import Handler, TaskContext
from queues.database import Database, Transaction, Work
from queues.doorbell import Doorbell
from queues.errors import EngineError, StaleClaimError, UnknownTaskError
from queues.inspection import attempts_of
from queues.lifecycle import require_epoch, rescue_left_over
from queues.model import Attempt, QueueName, Task, TaskState
from queues.observing import Observer, Recorded, log_fields, observed
from queues.outcome import Cancelled, Completed, Failed, Outcome, Retry, Snooze
from queues.retry import Backoff
from queues.store import claim_next, find_task, record
from queues.topics import OF_QUEUE, Topic
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


class _Found(NamedTuple):
    """The claimed task, or when time alone lets one start (None: never), and whether nothing is left in any queue."""

    task: Task | None = None
    wake: datetime | None = None
    is_drained: bool = False


class _Ended(NamedTuple):
    """What was recorded: the task as it is then, and its history, each where someone wants to know."""

    task: Task | None
    history: list[Attempt]


class _Rings(NamedTuple):
    """The next rings that concern a worker, of before it looked into the database."""

    work: anyio.Event
    stop: anyio.Event


@dataclass(slots=True, eq=False)
class _Running:
    """The attempt that a worker is at, how to stop it, and whether it was."""

    task: Task
    work: anyio.CancelScope
    is_stopped: bool = False


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
    observer: Observer | None = None
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
        claim = partial(self._claim, drain)
        rings = self._next_rings()
        found: _Found | None = await self.database.write(claim)
        while True:
            if found is None:
                rings = self._next_rings()
                found = await self.database.write(claim)
            elif found.task is not None:
                rings, found = await self._run_one(found.task, rings.stop, claim)
            elif drain is not None and (found.is_drained or drain.is_done):
                drain.is_done = True
                self.bell.ring_here()
                return
            else:
                found = await self._wait(rings.work, found.wake, claim)

    def _claim(self, drain: Drain | None, tx: Transaction) -> _Found:
        task = claim_next(tx, self.queue, self.epoch)
        if task is not None:
            return _Found(task)
        require_epoch(tx, self.epoch)
        return _Found(
            wake=next_wake(tx, self.queue), is_drained=drain is not None and is_drained(tx, drain.stopped)
        )

    async def _wait(self, work: anyio.Event, wake: datetime | None, claim: Work[_Found]) -> _Found | None:
        """Wait until something may start; what a write of this process brings is claimed in that same commit."""
        with self.database.park(OF_QUEUE[self.queue], claim) as claiming:
            await self.bell.wait(work, at_most=None if wake is None else wake - self.database.clock())
        found = await claiming.result()
        return found if found is not None and found.task is not None else None

    def _next_rings(self) -> _Rings:
        return _Rings(self.bell.next_ring(OF_QUEUE[self.queue]), self.bell.next_ring(Topic.STOP))

    async def _run_one(
        self, task: Task, stop: anyio.Event, claim: Work[_Found]
    ) -> tuple[_Rings, _Found | None]:
        """Run the claimed task and record how it ended; the rings are of before the next claim, which comes with it."""
        ids = log_fields(
            task=task.id, run=task.run_id, queue=task.queue, attempt=task.attempt, claim=task.claim
        )
        with ids, observed(self.observer, task) as recorded:
            outcome = await self._attempt(task, stop)
            rings = self._next_rings()
            return rings, await self._record(task, outcome, claim, recorded)

    async def _attempt(self, task: Task, stop: anyio.Event) -> Outcome:
        """`stop` is of before the claim: what rang since may be meant for this task, and nobody was there to hear."""
        log.info("%s starts (attempt %d, claim %d)", task.id, task.attempt, task.claim)
        work = anyio.CancelScope(deadline=anyio.current_time() + task.timeout.total_seconds())
        running = self._running = _Running(task, work)
        with work:
            try:
                if not stop.is_set() or await self._is_wanted(running):
                    return await self._run_handler(task)
            finally:
                self._running = None
        if work.cancelled_caught and not running.is_stopped:
            return Retry(f"It did not end within its timeout of {task.timeout}.")
        # It was stopped; `record` knows the reason, or that the attempt is stale.
        return Cancelled("It was asked to stop.")

    async def _run_handler(self, task: Task) -> Outcome:
        handler = self.handlers.get(task.kind)
        if handler is None:
            return Failed(f"No handler knows the kind {task.kind!r}; a newer version may have enqueued it.")
        # A shutdown that came while the task was claimed: no handler starts.
        await anyio.lowlevel.checkpoint_if_cancelled()
        try:
            return _checked(task, await handler(TaskContext(task, self.database)))
        except StaleClaimError as error:
            return Retry(str(error))  # `record` finds out whether it is true
        except (Exception, SystemExit) as error:
            log.exception("%s raised", task.id)
            return Retry(f"{type(error).__name__}: {error}")
        except anyio.get_cancelled_exc_class():
            if anyio.current_effective_deadline() == -math.inf:
                raise  # we are to stop, or its time is up
            # The handler awaited something that was cancelled; passed on, it would end the queue in silence.
            log.exception("%s cancelled itself", task.id)
            return Retry("It awaited something that was cancelled.")

    async def _watch_for_stops(self) -> None:
        while True:
            heard = self.bell.next_ring(Topic.STOP)
            if self._running is not None and not await self._is_wanted(running := self._running):
                running.is_stopped = True
                running.work.cancel()
            await self.bell.wait(heard)

    async def _is_wanted(self, running: _Running) -> bool:
        try:
            return await self.database.read(lambda tx: _is_still_wanted(tx, running.task))
        except UnknownTaskError:
            return False
        except EngineError as error:
            log.warning("Whether %s is to be cancelled cannot be read yet: %s", running.task.id, error)
            return True

    async def _record(
        self, task: Task, outcome: Outcome, claim: Work[_Found], recorded: Recorded
    ) -> _Found | None:
        """Record the outcome, however long the disk takes, and claim the next task in the same transaction.

        An outcome that cannot be stored becomes a failure. None where the attempt was ended elsewhere.
        """
        try:
            try:
                ended, found = await self.database.write_patiently(
                    lambda tx: (self._end(tx, task, outcome), claim(tx))
                )
            except StaleClaimError:
                raise
            except Exception:
                log.exception("The outcome of %s and the next claim cannot be stored at once", task.id)
                ended, found = await self._record_alone(task, outcome), None
        except StaleClaimError as error:
            log.warning("%s: %s", task.id, error)
            return None
        recorded(ended.history)
        self._tell(task, ended.task)
        return found

    async def _record_alone(self, task: Task, outcome: Outcome) -> _Ended:
        try:
            return await self.database.write_patiently(lambda tx: self._end(tx, task, outcome))
        except StaleClaimError:
            raise
        except Exception as error:
            log.exception("The outcome of %s cannot be recorded", task.id)
            failure = Failed(f"Its outcome could not be stored: {type(error).__name__}: {error}")
            return await self.database.write_patiently(lambda tx: self._end(tx, task, failure))

    def _end(self, tx: Transaction, task: Task, outcome: Outcome) -> _Ended:
        backoff = self.backoff(task.attempt) if isinstance(outcome, Retry | Snooze) else timedelta()
        record(tx, task, outcome, backoff)
        is_told = self.ended is not None or not isinstance(outcome, Completed)
        return _Ended(
            find_task(tx, task.id) if is_told else None,
            [] if self.observer is None else attempts_of(tx, task),
        )

    def _tell(self, task: Task, ended: Task | None) -> None:
        if ended is None:
            log.info("%s is completed after claim %d", task.id, task.claim)
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
