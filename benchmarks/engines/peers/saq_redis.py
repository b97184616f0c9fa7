# pyright: basic, reportMissingImports=false
# (the peers are installed only where they are measured, and not all of them have types)
"""SAQ on Redis: a queue and a worker of concurrency 1 for each; nothing keeps a second process from its tasks."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from saq import Job, Queue, Status, Worker

from benchmarks.engines.measures import QUEUES, Place, Watch, put_all

# Finished tasks stay for ever, as with the engines that keep them in tables.
FOR_EVER = 0


class Saq:
    blocks = False

    def __init__(self, queues: dict[str, Queue]) -> None:
        self._queues = queues

    async def put(self, queue: str, n: int) -> None:
        await self._queues[queue].enqueue("no_op", n=n, ttl=FOR_EVER)

    @asynccontextmanager
    async def working(self, watch: Watch) -> AsyncGenerator[None]:
        workers = [self._worker(name, watch) for name in QUEUES]
        running = [asyncio.create_task(worker.start()) for worker in workers]
        yield
        for worker in workers:
            worker.event.set()
        await asyncio.gather(*running)

    def _worker(self, name: str, watch: Watch) -> Worker:
        async def no_op(_context: object, *, n: int) -> None:
            await watch.handle(name, n)

        worker = Worker(self._queues[name], [("no_op", no_op)], concurrency=1)
        worker.SIGNALS = []
        return worker

    async def stock(self, finished: int, queued: int) -> None:
        for first in range(0, finished, 1_000):
            async with self._queues[QUEUES[0]].redis.pipeline(transaction=False) as pipeline:
                for n in range(first, min(first + 1_000, finished)):
                    queue = self._queues[QUEUES[n % 3]]
                    now = round(1000 * time.time())
                    job = Job(
                        "no_op", {"n": n}, queue=queue, status=Status.COMPLETE, ttl=FOR_EVER, completed=now
                    )
                    pipeline.set(job.id, queue.serialize(job))
                await pipeline.execute()
        await put_all(self, queued, 8)

    async def counts(self) -> object:
        """By going through all of them; its own counts leave the finished ones out."""
        counts: Counter[tuple[str, Status]] = Counter()
        for name, queue in self._queues.items():
            async for job in queue.iter_jobs():
                counts[name, job.status] += 1
        return counts

    async def newest(self, limit: int) -> object:
        return [await queue.info(jobs=True, limit=limit) for queue in self._queues.values()]


@asynccontextmanager
async def open_engine(place: Place) -> AsyncGenerator[Saq]:
    queues = {name: Queue.from_url(place.url, name=name) for name in QUEUES}
    for queue in queues.values():
        await queue.connect()
    yield Saq(queues)
    for queue in queues.values():
        await queue.disconnect()
