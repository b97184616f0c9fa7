"""Stockdesk's engine, used as the server uses it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import anyio

from benchmarks.engines.measures import QUEUES, Place, Watch
from queues.context import TaskContext
from queues.database import Database
from queues.inspection import TaskFilter, list_tasks
from queues.model import NewTask, QueueName
from queues.outcome import Completed, Outcome
from queues.scheduler import SequentialQueueManager, engine_migrations
from queues.status import queue_status
from queues.store import enqueue

# So many tasks are put in stock at a time; a queue takes no more than it is allowed to hold.
STOCKED_AT_ONCE = 9_000


class Ours:
    blocks = False

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, queue: str, n: int) -> None:
        await self._put([_task(queue, n)])

    @asynccontextmanager
    async def working(self, watch: Watch) -> AsyncGenerator[None]:
        manager = SequentialQueueManager(
            self._database, {"no-op": partial(_no_op, watch)}, command="benchmark"
        )
        async with anyio.create_task_group() as tasks:
            await tasks.start(manager.run)
            yield
            tasks.cancel_scope.cancel()

    async def stock(self, finished: int, queued: int) -> None:
        """Through the engine: only what really ran has all the rows that a finished task has."""
        manager = SequentialQueueManager(
            self._database, {"no-op": partial(_no_op, Watch(finished))}, command="benchmark"
        )
        for first in range(0, finished, STOCKED_AT_ONCE):
            await self._put(_tasks(first, min(first + STOCKED_AT_ONCE, finished)))
            await manager.execute_queues()
        await self._put(_tasks(finished, finished + queued))

    async def counts(self) -> object:
        return await self._database.read(lambda tx: [queue_status(tx, queue) for queue in QueueName])

    async def newest(self, limit: int) -> object:
        return await self._database.read(lambda tx: list_tasks(tx, TaskFilter(), limit=limit))

    async def _put(self, tasks: list[NewTask]) -> None:
        await self._database.write(lambda tx: enqueue(tx, tasks))


def _tasks(first: int, end: int) -> list[NewTask]:
    return [_task(QUEUES[n % 3], n) for n in range(first, end)]


def _task(queue: str, n: int) -> NewTask:
    return NewTask(queue=QueueName(queue), kind="no-op", payload={"n": n})


async def _no_op(watch: Watch, ctx: TaskContext) -> Outcome:
    n = ctx.task.payload["n"]
    assert isinstance(n, int)
    await watch.handle(ctx.task.queue, n)
    return Completed({})


@asynccontextmanager
async def ours(place: Place) -> AsyncGenerator[Ours]:
    database = Database(place.folder / "desk.db", {"queues": engine_migrations()})
    try:
        yield Ours(database)
    finally:
        database.close()
