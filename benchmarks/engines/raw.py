"""The limit: SQLite with the three statements that a durable task needs, each a transaction of its own."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 does not have)

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import apsw

from benchmarks.engines.measures import QUEUES, Place, Watch

SCHEMA = """
CREATE TABLE tasks (seq INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, payload TEXT NOT NULL,
    state TEXT NOT NULL, enqueued_at REAL NOT NULL, started_at REAL, finished_at REAL, result TEXT) STRICT;
CREATE INDEX queued ON tasks (queue, seq) WHERE state = 'queued';
"""
ENQUEUE = "INSERT INTO tasks (queue, payload, state, enqueued_at) VALUES (?, ?, 'queued', ?)"
CLAIM = (
    "UPDATE tasks SET state = 'running', started_at = ? WHERE seq = (SELECT seq FROM tasks"
    " WHERE queue = ? AND state = 'queued' ORDER BY seq LIMIT 1) RETURNING seq, payload"
)
FINISH = "UPDATE tasks SET state = 'completed', finished_at = ?, result = '{}' WHERE seq = ?"
STOCK = """
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?)
INSERT INTO tasks (queue, payload, state, enqueued_at)
    SELECT json_extract(?, '$[' || (n % 3) || ']'), json_object('n', n), iif(n < ?, 'completed', 'queued'), n
    FROM numbers
"""


class Raw:
    """One connection. `pool` is the one thread that uses it, or None: the event loop's own does."""

    blocks = False

    def __init__(self, place: Place, pool: ThreadPoolExecutor | None) -> None:
        self._pool = pool
        self._connection = apsw.Connection(str(place.folder / "raw.db"))
        self._connection.pragma("journal_mode", "wal")
        self._connection.pragma("synchronous", "full")
        if not self._connection.table_exists("main", "tasks"):
            self._connection.execute(SCHEMA)
        self._queued = {queue: asyncio.Event() for queue in QUEUES}

    async def put(self, queue: str, n: int) -> None:
        await self._run(ENQUEUE, queue, json.dumps({"n": n}), time.time())
        self._queued[queue].set()

    @asynccontextmanager
    async def working(self, watch: Watch) -> AsyncGenerator[None]:
        workers = [asyncio.create_task(self._work(queue, watch)) for queue in QUEUES]
        yield
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, queue: str, watch: Watch) -> None:
        while True:
            self._queued[queue].clear()
            claimed = await self._run(CLAIM, time.time(), queue)
            if not claimed:
                await self._queued[queue].wait()
                continue
            seq, payload = claimed[0]
            await watch.handle(queue, json.loads(payload)["n"])
            await self._run(FINISH, time.time(), seq)

    async def stock(self, finished: int, queued: int) -> None:
        await self._run(STOCK, finished + queued, json.dumps(QUEUES), finished)

    async def counts(self) -> object:
        return await self._run("SELECT queue, state, count(*) FROM tasks GROUP BY queue, state")

    async def newest(self, limit: int) -> object:
        return await self._run("SELECT * FROM tasks ORDER BY seq DESC LIMIT ?", limit)

    async def _run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        if self._pool is None:
            return self._execute(sql, values)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._execute, sql, values)

    def _execute(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()


@asynccontextmanager
async def on_loop(place: Place) -> AsyncGenerator[Raw]:
    yield Raw(place, None)


@asynccontextmanager
async def in_thread(place: Place) -> AsyncGenerator[Raw]:
    with ThreadPoolExecutor(1) as pool:
        yield Raw(place, pool)
