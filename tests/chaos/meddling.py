"""What a process does to the queues while it lives, as its clients would: enqueue, cancel, retry, hold, release."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from random import Random
from typing import TypeVar

import anyio

from queues.clock import system_clock
from queues.control import cancel_task, retry_task
from queues.database import Database, Transaction
from queues.errors import DedupKeyTakenError, TaskStateError, UnknownTaskError
from queues.holds import hold_queue, release_queue
from queues.inspection import totals
from queues.model import Enqueued, NewTask, QueueName, Sibling, Task, TaskState
from queues.moments import to_micros
from queues.store import enqueue
from tests.chaos.events import Log, What

T = TypeVar("T")

QUEUES = list(QueueName)
# Enough that no queue runs dry between two looks, so few that all can be drained in seconds.
BACKLOG = 150
# Whoever has so many survives every kill.
MANY_ATTEMPTS = 1000


@dataclass(frozen=True, slots=True)
class Meddler:
    database: Database
    log: Log
    rng: Random
    numbers: "count[int]" = field(default_factory=count)

    async def run(self) -> None:
        acts = (self._enqueue, self._cancel, self._retry, self._hold)
        driver = os.getppid()
        while os.getppid() == driver:
            await self.rng.choices(acts, (60, 12, 12, 4))[0]()
            await anyio.sleep(self.rng.uniform(0, 0.012))
        os._exit(1)  # the driver was killed, and with it whoever would end this process

    async def _enqueue(self) -> None:
        for answer in await self.database.write(self._put):
            task = answer.task
            if not answer.already_queued:
                token = str(task.payload["token"])
                self.log.write(What.ENQUEUED, queue=task.queue, task_id=task.id, detail=token)

    def _put(self, tx: Transaction) -> list[Enqueued]:
        if sum(totals(tx, queue)[TaskState.QUEUED] for queue in QUEUES) >= BACKLOG:
            return []
        return enqueue(tx, [self._new(tx, place) for place in range(self.rng.randint(1, 8))])

    def _new(self, tx: Transaction, place: int) -> NewTask:
        after: list[str | Sibling] = []
        if place and self.rng.random() < 0.2:
            after.append(Sibling(self.rng.randrange(place)))
        if place and self.rng.random() < 0.05:
            after += [recent for recent in [self._recent(tx)] if recent]
        carried = self.rng.random() < 0.1
        return NewTask(
            queue=self.rng.choice(QUEUES),
            kind="work",
            payload={"token": f"{os.getpid()}-{next(self.numbers)}", "carried": carried},
            carried=carried,
            priority=self.rng.choice((0, 0, 0, 1, 5)),
            max_attempts=self.rng.choice((2, 3, MANY_ATTEMPTS, MANY_ATTEMPTS, MANY_ATTEMPTS)),
            dedup_key=f"key-{self.rng.randrange(8)}" if self.rng.random() < 0.15 else None,
            after=tuple(after),
        )

    def _recent(self, tx: Transaction) -> str:
        row = tx.row(
            "SELECT id FROM tasks WHERE seq > (SELECT max(seq) FROM tasks) - :back ORDER BY seq LIMIT 1",
            back=self.rng.randint(1, BACKLOG),
        )
        return row[0] if row else ""

    async def _cancel(self) -> None:
        choose = self.rng.choice((self._recent, _running))
        task = await self._try(lambda tx: cancel_task(tx, choose(tx), "chaos"))
        if task is not None and task.state is TaskState.CANCELLED:
            self.log.write(What.CANCELLED, queue=task.queue, task_id=task.id)

    async def _retry(self) -> None:
        def retry(tx: Transaction) -> Task:
            chosen = self._recent(tx)
            self.log.write(What.RETRIES, task_id=chosen or "-")
            return retry_task(tx, chosen)[0]

        await self._try(retry)

    async def _try(self, work: Callable[[Transaction], T]) -> T | None:
        with suppress(TaskStateError, DedupKeyTakenError, UnknownTaskError):
            return await self.database.write(work)
        return None

    async def _hold(self) -> None:
        queue, source = self.rng.choice(QUEUES), f"member-{os.getpid()}"
        span = timedelta(milliseconds=self.rng.randint(5, 60))
        self._may_lift(queue, source)
        hold = await self.database.write(lambda tx: hold_queue(tx, queue, source, "chaos", tx.now + span))
        assert hold.until is not None
        lasts = f"{to_micros(hold.held_at)} {to_micros(hold.until)}"
        self.log.write(What.HELD, queue=queue, task_id=source, detail=lasts)
        await anyio.sleep(self.rng.uniform(0, 0.03))
        if self.rng.random() < 0.7:
            self._may_lift(queue, source)
            await self.database.write(lambda tx: release_queue(tx, queue, source))

    def _may_lift(self, queue: QueueName, source: str) -> None:
        """From here the last hold of this source may be over; a new one takes its place."""
        self.log.write(What.RELEASES, queue=queue, task_id=source, detail=str(to_micros(system_clock())))


def _running(tx: Transaction) -> str:
    row = tx.row("SELECT id FROM tasks WHERE state = 'running' LIMIT 1")
    return row[0] if row else ""
