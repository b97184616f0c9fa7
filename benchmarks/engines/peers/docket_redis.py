# pyright: basic, reportMissingImports=false
# (the peers are installed only where they are measured, and not all of them have types)
"""docket on Redis: a docket and a worker of concurrency 1 for each queue; nothing keeps a second process away."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from docket import Docket, Worker

from benchmarks.engines.measures import QUEUES, Place, Watch

# How long a worker waits for news before it looks for other work, and how often for tasks that are due.
CHECK = timedelta(milliseconds=20)


class DocketEngine:
    blocks = False

    def __init__(self, dockets: dict[str, Docket]) -> None:
        self._dockets = dockets
        self._watch: Watch | None = None
        for docket in dockets.values():
            docket.register(self.no_op)

    async def no_op(self, queue: str, n: int) -> None:
        assert self._watch is not None
        await self._watch.handle(queue, n)

    async def put(self, queue: str, n: int) -> None:
        await self._dockets[queue].add(self.no_op)(queue, n)

    @asynccontextmanager
    async def working(self, watch: Watch) -> AsyncGenerator[None]:
        self._watch = watch
        async with AsyncExitStack() as stack:
            running = [
                asyncio.create_task(
                    (
                        await stack.enter_async_context(
                            Worker(
                                docket,
                                concurrency=1,
                                minimum_check_interval=CHECK,
                                scheduling_resolution=CHECK,
                            )
                        )
                    ).run_forever()
                )
                for docket in self._dockets.values()
            ]
            yield
            for each in running:
                each.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def stock(self, finished: int, queued: int) -> None:
        """Nothing: it can neither count tasks by state nor list finished ones."""

    async def counts(self) -> object:
        raise NotImplementedError

    async def newest(self, limit: int) -> object:
        raise NotImplementedError


@asynccontextmanager
async def open_engine(place: Place) -> AsyncGenerator[DocketEngine]:
    async with AsyncExitStack() as stack:
        yield DocketEngine(
            {name: await stack.enter_async_context(Docket(name=name, url=place.url)) for name in QUEUES}
        )
