"""The three queues together: in parallel, each strictly one task at a time, in the one process that leads."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio
from anyio.abc import TaskStatus

from queues.connection import numbered_steps
from queues.context import Handler
from queues.database import Database, Transaction, Work
from queues.doorbell import Doorbell
from queues.errors import DatabaseError, EpochOverError, StorageError
from queues.leader import LeaderLock, is_led, lock_path
from queues.lifecycle import forget_finished, interrupt, take_over
from queues.model import QueueName, Task, TaskState
from queues.observing import Observer
from queues.recurrence import keep_schedules
from queues.retry import Backoff, exponential_backoff
from queues.schedules import Timetable
from queues.worker import Drain, Worker

log = logging.getLogger(__name__)

TIDY_EVERY = timedelta(days=1)
# A worker that met an unforeseen error tries again after this long: a queue must never stop silently.
RESTART_SECONDS = 5.0


def engine_migrations() -> list[str]:
    """The engine's schema, as the numbered steps that `Database` runs once each."""
    return numbered_steps(Path(__file__).parent / "schema")


class QueueReport(NamedTuple):
    """What one queue did in `execute_queues`: the task after each attempt, and what ended the queue early."""

    ended: tuple[Task, ...]
    error: Exception | None

    def count(self, state: TaskState) -> int:
        """How many attempts left their task in this state (a retry leaves it queued)."""
        return sum(task.state is state for task in self.ended)


class SequentialQueueManager:
    """Runs the queues of one database, once no other process does.

    `bell` lets anything in this process wait for changes, whoever leads.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        *,
        command: str,
        backoff: Backoff = exponential_backoff,
        retention: timedelta = timedelta(days=90),
        on_lead: Work[None] | None = None,
        timetable: Timetable | None = None,
        observer: Observer | None = None,
    ) -> None:
        """`handlers` by kind of task; `command` says in status views what kind of process this is.

        `on_lead` runs in the transaction in which this process begins to lead; `timetable` knows the schedules, of
        which none fires without it.
        """
        self.bell = Doorbell(database)
        self._database = database
        self._handlers = handlers
        self._command = command
        self._backoff = backoff
        self._retention = retention
        self._on_lead = on_lead
        self._timetable = timetable
        self._observer = observer
        self._lock = LeaderLock(lock_path(database.path))
        self._epoch: int | None = None
        self._is_running = False

    @property
    def is_running(self) -> bool:
        """Whether `run` leads, or will as soon as nobody else does."""
        return self._is_running

    @property
    def is_leader(self) -> bool:
        return self._epoch is not None

    async def execute_queues(self) -> dict[QueueName, QueueReport]:
        """Run all three queues in parallel until all are drained; says per queue what it did.

        Waits first for another process that leads. Retries and due times are waited for; tasks in a queue
        that is held without an end, or that need approval, stay. An error in one queue never ends another.
        """
        reports: dict[QueueName, QueueReport] = {}
        drain = Drain()

        async def run_until_drained(worker: Worker) -> None:
            ended: list[Task] = []
            error = None
            try:
                await replace(worker, ended=ended).run(drain)
            except Exception as caught:
                log.exception("The queue %s ended", worker.queue)
                error = caught
                drain.stopped.add(worker.queue)
                self.bell.ring_here()
            reports[worker.queue] = QueueReport(tuple(ended), error)

        async with anyio.create_task_group() as listening:
            await listening.start(self.bell.run)
            async with self._lead(), anyio.create_task_group() as draining:
                for worker in await self._begin_epoch():
                    draining.start_soon(run_until_drained, worker)
            listening.cancel_scope.cancel()
        return {queue: reports[queue] for queue in QueueName}

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Listen at once, lead as soon as no other process does, and run the queues until cancelled."""
        self._is_running = True
        async with anyio.create_task_group() as tasks:
            await tasks.start(self.bell.run)
            task_status.started()
            async with self._lead():
                while True:
                    await self._run_epoch()

    async def _run_epoch(self) -> None:
        """Run the queues until cancelled, or until the epoch is over: a restored database has another one."""
        workers = await self._begin_epoch()
        try:
            async with anyio.create_task_group() as running:
                for worker in workers:
                    running.start_soon(self._keep_running, f"The queue {worker.queue}", worker.run)
                if self._timetable is not None:
                    fire = partial(
                        keep_schedules, self._database, self.bell, self._timetable, workers[0].epoch
                    )
                    running.start_soon(self._keep_running, "The timetable", fire)
                running.start_soon(self._tidy)
        except* EpochOverError:
            if self._epoch is None:  # `interrupt` ended it; all that is left is to be cancelled
                await anyio.sleep_forever()
            log.warning(
                "The database is another one than it was (restored from a backup?); this process leads it anew"
            )

    def interrupt(self) -> list[str]:
        """Record now, without awaiting anything, that the running tasks are interrupted; starts nothing more.

        No attempt is lost; the tasks go on when a process leads again. Returns their ids. Call it first in a
        shutdown, then cancel `run`.
        """
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return []
        try:
            return self._database.write_now(lambda tx: interrupt(tx, epoch))
        except BaseException:
            self._epoch = epoch  # the end of `run` tries once more
            raise

    @asynccontextmanager
    async def _lead(self) -> AsyncGenerator[None]:
        if is_led(lock_path(self._database.path)):
            log.info("Another process runs the queues of this home; this one takes over when it ends")
        await self._lock.acquire()
        try:
            yield
        finally:
            try:
                self.interrupt()
            finally:
                self._lock.release()

    async def _begin_epoch(self) -> list[Worker]:
        epoch = await self._database.write_patiently(self._take_over)
        self._epoch = epoch
        log.info("This process leads (epoch %d)", epoch)
        return [
            Worker(
                queue,
                epoch,
                self._database,
                self.bell,
                self._handlers,
                self._backoff,
                observer=self._observer,
            )
            for queue in QueueName
        ]

    def _take_over(self, tx: Transaction) -> int:
        # A newer version may have migrated the file while this process waited for the lock.
        self._database.require_known_schema()
        epoch = take_over(tx, self._command, self.bell.port)
        if self._on_lead is not None:
            self._on_lead(tx)
        return epoch

    async def _keep_running(self, what: str, run: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await run()
            except EpochOverError:
                raise
            except (StorageError, DatabaseError) as error:
                log.error("%s goes on in %s s: %s", what, RESTART_SECONDS, error)  # noqa: TRY400
                await anyio.sleep(RESTART_SECONDS)
            except Exception:
                log.exception("%s met an error; it goes on in %s s", what, RESTART_SECONDS)
                await anyio.sleep(RESTART_SECONDS)

    async def _tidy(self) -> None:
        while True:
            try:
                await self._forget_old_tasks()
            except DatabaseError as error:
                log.error("Old tasks are not forgotten: %s", error)  # noqa: TRY400 (no bug of ours)
            await anyio.sleep(TIDY_EVERY.total_seconds())

    async def _forget_old_tasks(self) -> None:
        forgotten = 0
        while some := await self._database.write_patiently(lambda tx: forget_finished(tx, self._retention)):
            forgotten += some
        if forgotten:
            log.info("Forgot %d tasks that ended more than %d days ago", forgotten, self._retention.days)
