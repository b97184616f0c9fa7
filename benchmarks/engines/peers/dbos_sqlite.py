# pyright: basic, reportMissingImports=false
# (the peers are installed only where they are measured, and not all of them have types)
"""DBOS over SQLite: a queue each with concurrency 1, tasks enqueued by its client, as another part of a desk would."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from dbos import DBOS, DBOSClient, DBOSConfig

from benchmarks.engines.measures import QUEUES, Place, Watch

POLL_SECONDS = 0.01
NAME = "benchmark"


class Dbos:
    """The workers of DBOS start with its process-wide instance; that one lives while `working` does."""

    blocks = False

    def __init__(self, path: Path) -> None:
        self._path = path
        url = f"sqlite:///{path}"
        self._config: DBOSConfig = {"name": NAME, "system_database_url": url, "log_level": "ERROR"}
        self._watch: Watch | None = None
        self._launch()  # makes the tables that the client needs
        DBOS.destroy(destroy_registry=True)
        self.client = DBOSClient(system_database_url=url, application_name=NAME)

    def _launch(self) -> None:
        DBOS(config=self._config)

        @DBOS.workflow(name="no_op")
        async def no_op(queue: str, n: int) -> int:
            assert self._watch is not None
            await self._watch.handle(queue, n)
            return n

        DBOS.launch()
        for name in QUEUES:
            DBOS.register_queue(
                name, global_concurrency=1, worker_concurrency=1, polling_interval_sec=POLL_SECONDS
            )

    async def put(self, queue: str, n: int) -> None:
        await self.client.enqueue_async({"workflow_name": "no_op", "queue_name": queue}, queue, n)

    @asynccontextmanager
    async def working(self, watch: Watch) -> AsyncGenerator[None]:
        self._watch = watch
        await asyncio.to_thread(self._launch)
        yield
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True, workflow_completion_timeout_sec=5)

    async def stock(self, finished: int, queued: int) -> None:
        """Many copies of one finished and of one enqueued task."""
        watch = Watch(1)
        await self.put(QUEUES[0], 0)
        async with self.working(watch):
            await watch.ran(1)
        await self.put(QUEUES[0], 0)
        with closing(sqlite3.connect(self._path)) as connection, connection:
            columns = [row[1] for row in connection.execute("PRAGMA table_info(workflow_status)")]
            for status, count in (("SUCCESS", finished), ("ENQUEUED", queued)):
                own = {
                    "workflow_uuid": "hex(randomblob(16))",
                    "queue_name": "json_extract(?, '$[' || (n % 3) || ']')",
                }
                connection.execute(
                    "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
                    f" INSERT INTO workflow_status ({', '.join(columns)})"
                    f" SELECT {', '.join(own.get(column) or column for column in columns)}"
                    " FROM workflow_status JOIN numbers WHERE status = ?",
                    (count, json.dumps(QUEUES), status),
                )

    async def counts(self) -> object:
        """It has no call for this."""
        with closing(sqlite3.connect(self._path)) as connection:
            return connection.execute(
                "SELECT queue_name, status, count(*) FROM workflow_status GROUP BY queue_name, status"
            ).fetchall()

    async def newest(self, limit: int) -> object:
        return await self.client.list_workflows_async(limit=limit, sort_desc=True)


@asynccontextmanager
async def open_engine(place: Place) -> AsyncGenerator[Dbos]:
    engine = await asyncio.to_thread(Dbos, place.folder / "dbos.db")
    yield engine
    engine.client.destroy()
