# pyright: basic, reportMissingImports=false
# (the peers are installed only where they are measured, and not all of them have types)
"""persist-queue: a file and a thread for each queue, with and without acknowledgements."""

import asyncio
import pickle
import sqlite3
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from threading import Event, Thread

from persistqueue import Empty, SQLiteAckQueue, SQLiteQueue

from benchmarks.engines.measures import QUEUES, Place, Watch


class PersistQueue:
    blocks = True

    def __init__(self, folder: Path, kind: type[SQLiteQueue | SQLiteAckQueue]) -> None:
        self._folder = folder
        self._queues = {name: kind(str(folder / name), multithreading=True) for name in QUEUES}
        self._acknowledges = hasattr(kind, "ack")

    async def put(self, queue: str, n: int) -> None:
        self._queues[queue].put({"n": n})

    @asynccontextmanager
    async def working(self, watch: Watch) -> AsyncGenerator[None]:
        stop = Event()
        threads = [Thread(target=self._work, args=(name, watch, stop)) for name in QUEUES]
        for thread in threads:
            thread.start()
        yield
        stop.set()
        for thread in threads:
            thread.join()

    def _work(self, name: str, watch: Watch, stop: Event) -> None:
        queue = self._queues[name]
        while not stop.is_set():
            try:
                item = queue.get(timeout=1, raw=True)
            except Empty:
                continue
            watch.handle_in_thread(name, item["data"]["n"])
            if self._acknowledges:
                queue.ack(id=item["pqid"])

    async def stock(self, finished: int, queued: int) -> None:
        rows = {name: [] for name in QUEUES}
        for n in range(finished + queued):
            rows[QUEUES[n % 3]].append((pickle.dumps({"n": n}), time.time(), 5 if n < finished else 0))
        for name in QUEUES:
            with closing(sqlite3.connect(self._folder / name / "data.db")) as connection, connection:
                if self._acknowledges:
                    sql = "INSERT INTO ack_queue_default (data, timestamp, status) VALUES (?, ?, ?)"
                    connection.executemany(sql, rows[name])
                else:
                    sql = "INSERT INTO queue_default (data, timestamp) VALUES (?, ?)"
                    connection.executemany(sql, (row[:2] for row in rows[name] if row[2] == 0))

    async def counts(self) -> object:
        if not self._acknowledges:
            return [queue.size for queue in self._queues.values()]
        return [(queue.size, queue.unack_count(), queue.acked_count()) for queue in self._queues.values()]

    async def newest(self, limit: int) -> object:
        """It lists all or nothing."""
        return [queue.queue()[-limit:] for queue in self._queues.values()]


class BehindAThread(PersistQueue):
    """As an asyncio program enqueues with it, whose loop must not wait for the disk; its workers are threads anyway."""

    blocks = False

    def __init__(self, folder: Path, pool: ThreadPoolExecutor) -> None:
        super().__init__(folder, SQLiteAckQueue)
        self._pool = pool

    async def put(self, queue: str, n: int) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, self._queues[queue].put, {"n": n})


@asynccontextmanager
async def without_acknowledgement(place: Place) -> AsyncGenerator[PersistQueue]:
    yield PersistQueue(place.folder, SQLiteQueue)


@asynccontextmanager
async def with_acknowledgement(place: Place) -> AsyncGenerator[PersistQueue]:
    yield PersistQueue(place.folder, SQLiteAckQueue)


@asynccontextmanager
async def behind_a_thread(place: Place) -> AsyncGenerator[PersistQueue]:
    with ThreadPoolExecutor(1) as pool:
        yield BehindAThread(place.folder, pool)
