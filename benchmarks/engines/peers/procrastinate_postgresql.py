# pyright: basic, reportMissingImports=false
# (the peers are installed only where they are measured, and not all of them have types)
"""Procrastinate: one worker for three tasks at once, a lock per queue that no two tasks hold at a time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from procrastinate import App, PsycopgConnector

from benchmarks.engines.measures import CALLERS, QUEUES, Place, Watch

# For the callers, the worker and its listener.
CONNECTIONS = CALLERS + len(QUEUES) + 2


class Procrastinate:
    blocks = False

    def __init__(self, app: App) -> None:
        self._app = app
        self._watch: Watch | None = None

        @app.task(name="no_op")
        async def no_op(queue: str, n: int) -> None:
            assert self._watch is not None
            await self._watch.handle(queue, n)

        self._deferrers = {name: no_op.configure(queue=name, lock=name) for name in QUEUES}

    async def put(self, queue: str, n: int) -> None:
        await self._deferrers[queue].defer_async(queue=queue, n=n)

    @asynccontextmanager
    async def working(self, watch: Watch) -> AsyncGenerator[None]:
        self._watch = watch
        worker = asyncio.create_task(
            self._app.run_worker_async(concurrency=len(QUEUES), install_signal_handlers=False)
        )
        yield
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker

    async def stock(self, finished: int, queued: int) -> None:
        await self._app.connector.execute_query_async(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status)"
            " SELECT queue, 'no_op', queue, jsonb_build_object('queue', queue, 'n', n),"
            " (CASE WHEN n < %(finished)s THEN 'succeeded' ELSE 'todo' END)::procrastinate_job_status"
            " FROM generate_series(0, %(last)s) AS n, LATERAL (SELECT (%(queues)s::text[])[n %% 3 + 1] AS queue)"
            " AS name ORDER BY n",
            finished=finished,
            last=finished + queued - 1,
            queues=list(QUEUES),
        )
        await self._app.connector.execute_query_async("ANALYZE")

    async def counts(self) -> object:
        return await self._app.job_manager.list_queues_async()

    async def newest(self, limit: int) -> object:
        """Its own call lists all jobs or those of one state."""
        return await self._app.connector.execute_query_all_async(
            "SELECT * FROM procrastinate_jobs ORDER BY id DESC LIMIT %(limit)s", limit=limit
        )


@asynccontextmanager
async def open_engine(place: Place) -> AsyncGenerator[Procrastinate]:
    app = App(connector=PsycopgConnector(conninfo=place.url, min_size=CONNECTIONS, max_size=CONNECTIONS))
    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        yield Procrastinate(app)
