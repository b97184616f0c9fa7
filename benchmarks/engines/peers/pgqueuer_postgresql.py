# pyright: basic, reportMissingImports=false
# (the peers are installed only where they are measured, and not all of them have types)
"""PgQueuer over asyncpg: an entrypoint for each queue, of which one task runs at a time."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks.engines.measures import CALLERS, QUEUES, Place, Watch

# For the callers, the worker and its listener.
CONNECTIONS = CALLERS + len(QUEUES) + 2


class PgQueuerEngine:
    blocks = False

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.queries = Queries.from_asyncpg_pool(pool)

    async def put(self, queue: str, n: int) -> None:
        await self.queries.enqueue(queue, json.dumps({"n": n}).encode())

    @asynccontextmanager
    async def working(self, watch: Watch) -> AsyncGenerator[None]:
        app = PgQueuer.from_asyncpg_pool(self._pool)
        for name in QUEUES:

            @app.entrypoint(name, concurrency_limit=1)
            async def no_op(job: Job) -> None:
                await watch.handle(job.entrypoint, json.loads(job.payload or b"")["n"])

        worker = asyncio.create_task(app.run(batch_size=3))
        yield
        app.shutdown.set()
        await worker

    async def stock(self, finished: int, queued: int) -> None:
        """A finished task leaves the queue's table for the log."""
        names = [QUEUES[n % 3] for n in range(queued)]
        await self.queries.enqueue(
            names, [json.dumps({"n": n}).encode() for n in range(queued)], [0] * queued
        )
        await self._pool.execute(
            "INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)"
            " SELECT -n, 'successful', ($1::text[])[n % 3 + 1], 0 FROM generate_series(1, $2::int) AS n",
            list(QUEUES),
            finished,
        )
        await self._pool.execute("ANALYZE")

    async def counts(self) -> object:
        return await self.queries.queue_size(), await self.queries.log_statistics(None)

    async def newest(self, limit: int) -> object:
        return await self.queries.browse_queue(limit=limit)


@asynccontextmanager
async def open_engine(place: Place) -> AsyncGenerator[PgQueuerEngine]:
    async with asyncpg.create_pool(place.url, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        engine = PgQueuerEngine(pool)
        if not await engine.queries.schema_is_installed():
            await engine.queries.install()
        yield engine
