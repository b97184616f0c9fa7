# pyright: basic, reportMissingImports=false
# (the peers are installed only where they are measured, and not all of them have types)
"""huey over SQLite: three consumers of one thread each, one file. A result is kept, as a third statement."""

import pickle
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from huey import SqliteHuey
from huey.consumer import Consumer

from benchmarks.engines.measures import QUEUES, Place, Watch

POLL_SECONDS = 0.01


class Huey:
    blocks = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._watch: Watch | None = None
        self._queues = {
            name: SqliteHuey(name, filename=str(path), fsync=True, strict_fifo=True) for name in QUEUES
        }
        self._tasks = {name: self._define(name) for name in QUEUES}

    def _define(self, name: str) -> Any:
        @self._queues[name].task()
        def no_op(n: int) -> int:
            assert self._watch is not None
            self._watch.handle_in_thread(name, n)
            return n

        return no_op

    async def put(self, queue: str, n: int) -> None:
        self._tasks[queue](n)

    @asynccontextmanager
    async def working(self, watch: Watch) -> AsyncGenerator[None]:
        self._watch = watch
        consumers = [
            Consumer(queue, periodic=False, initial_delay=POLL_SECONDS, max_delay=POLL_SECONDS, backoff=1)
            for queue in self._queues.values()
        ]
        for consumer in consumers:
            consumer.start()
        yield
        for consumer in consumers:
            consumer.stop(graceful=True)

    async def stock(self, finished: int, queued: int) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.executemany(
                "INSERT INTO kv (queue, key, value) VALUES (?, ?, ?)",
                ((QUEUES[n % 3], f"result {n}", pickle.dumps(n)) for n in range(finished)),
            )
            connection.executemany(
                "INSERT INTO task (queue, data, priority) VALUES (?, ?, 0)",
                (
                    (name, self._queues[name].serialize_task(self._tasks[name].s(n)))
                    for n, name in enumerate(QUEUES * (queued // 3))
                ),
            )

    async def counts(self) -> object:
        return [(queue.pending_count(), queue.result_count()) for queue in self._queues.values()]

    async def newest(self, limit: int) -> object:
        """Those that are queued; of the finished ones only results are kept. It lists the oldest first."""
        return [queue.pending(limit) for queue in self._queues.values()]


@asynccontextmanager
async def open_engine(place: Place) -> AsyncGenerator[Huey]:
    yield Huey(place.folder / "huey.db")
