"""What is measured of an engine.

Every engine gets the same payload, {"n": 17}, and the same handler, which yields once: without that no event loop
could run two tasks of one queue at once, and nobody would notice an engine that does.
"""

import asyncio
import os
import random
import statistics
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Protocol, TypeAlias

QUEUES = ("portfolio_sync", "data_fetcher", "ai_analysis")
CALLERS = 8
LISTED = 50
# An engine that ends no task for so long has lost the rest; no engine here sleeps or backs off for longer.
SILENCE_SECONDS = 20
PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: tasks enqueued, drained and dispatched, tasks in stock, seconds of idling."""

    puts: int
    tasks: int
    dispatches: int
    finished: int
    queued: int
    idle_seconds: float

    def scaled(self, share: float) -> "Sizes":
        return replace(self, puts=round(share * self.puts), tasks=round(share * self.tasks))


FULL = Sizes(puts=4_000, tasks=10_000, dispatches=200, finished=100_000, queued=10_000, idle_seconds=10)
QUICK = Sizes(puts=400, tasks=600, dispatches=30, finished=1_000, queued=100, idle_seconds=0.1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine keeps its data: a folder of its own, and the address of its server, if it has one."""

    folder: Path
    url: str


class Watch:
    """The handler of every engine: counts what runs, and sees whether two tasks of one queue run at once."""

    def __init__(self, expected: int) -> None:
        self.moments: list[float] = []
        self.ended: list[int] = []
        self.overlaps = 0
        self._expected = expected
        self._busy: set[str] = set()
        self._loop = asyncio.get_running_loop()
        self._reached = asyncio.Event()

    async def handle(self, queue: str, n: int) -> None:
        self._enter(queue)
        await asyncio.sleep(0)
        self._leave(queue, n)

    def handle_in_thread(self, queue: str, n: int) -> None:
        self._enter(queue)
        sleep(0)
        self._leave(queue, n)

    async def ran(self, expected: int) -> bool:
        """Wait until this many tasks have run, in whichever threads; False if they seem to be lost."""
        self._expected = expected
        before = -1
        while before < len(self.ended) < expected:
            before = len(self.ended)
            self._reached.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self._reached.wait()
        return len(self.ended) >= expected

    def _enter(self, queue: str) -> None:
        self.moments.append(perf_counter())
        self.overlaps += queue in self._busy
        self._busy.add(queue)

    def _leave(self, queue: str, n: int) -> None:
        self._busy.discard(queue)
        self.ended.append(n)
        if len(self.ended) >= self._expected:
            self._loop.call_soon_threadsafe(self._reached.set)


class Engine(Protocol):
    """What an adapter offers. `blocks` says that its library is synchronous: `put` then blocks its thread."""

    blocks: bool

    async def put(self, queue: str, n: int) -> None:
        """Enqueue one task; it is durable when this returns."""
        ...

    def working(self, watch: Watch) -> AbstractAsyncContextManager[None]:
        """Run the three queues with this handler until the block ends."""
        ...

    async def stock(self, finished: int, queued: int) -> None:
        """Store this many finished and queued tasks, in whatever way."""
        ...

    async def counts(self) -> object:
        """How many tasks there are, by queue and state; NotImplementedError where an engine cannot tell."""
        ...

    async def newest(self, limit: int) -> object:
        """The newest tasks."""
        ...


Values: TypeAlias = dict[str, float]
Measure: TypeAlias = Callable[[Engine, Sizes], Awaitable[Values]]


async def put_all(engine: Engine, count: int, callers: int) -> float:
    """Seconds that so many callers at once need for `count` tasks, each of them one after another."""
    begin = perf_counter()
    if engine.blocks and callers > 1:
        with ThreadPoolExecutor(callers) as pool:
            running = [
                pool.submit(asyncio.run, put_every(engine, count, caller, callers))
                for caller in range(callers)
            ]
        for each in running:
            each.result()
    else:
        await asyncio.gather(*(put_every(engine, count, caller, callers) for caller in range(callers)))
    return perf_counter() - begin


async def put_every(engine: Engine, count: int, first: int, step: int) -> None:
    for n in range(first, count, step):
        await engine.put(QUEUES[n % 3], n)


async def enqueue(engine: Engine, sizes: Sizes) -> Values:
    return {"enqueue": sizes.puts / await put_all(engine, sizes.puts, 1)}


async def enqueue_at_once(engine: Engine, sizes: Sizes) -> Values:
    return {"enqueue8": sizes.puts / await put_all(engine, sizes.puts, CALLERS)}


async def drain(engine: Engine, sizes: Sizes) -> Values:
    await put_all(engine, sizes.tasks, CALLERS)
    watch = Watch(sizes.tasks)
    async with engine.working(watch):
        await watch.ran(sizes.tasks)
    # From the first task to the last: how long the workers take to start is not the matter here.
    moments = watch.moments
    return _judged(watch, sizes.tasks, drain=(len(moments) - 1) / (moments[-1] - moments[0]))


async def live(engine: Engine, sizes: Sizes) -> Values:
    watch = Watch(sizes.tasks)
    async with engine.working(watch):
        begin = perf_counter()
        for n in range(sizes.tasks):
            await engine.put(QUEUES[n % 3], n)
            await asyncio.sleep(0)  # a producer that never gives way would only fill the queues first
        await watch.ran(sizes.tasks)
    return _judged(watch, sizes.tasks, live=len(watch.moments) / (watch.moments[-1] - begin))


async def dispatch(engine: Engine, sizes: Sizes) -> Values:
    pause = random.Random(0)
    watch = Watch(0)
    took: list[float] = []
    async with engine.working(watch):
        for n in range(sizes.dispatches):
            # Random, so that an engine that polls is met at any moment of its round.
            await asyncio.sleep(pause.uniform(0.01, 0.03))
            begin = perf_counter()
            await engine.put(QUEUES[n % 3], n)
            if not await watch.ran(n + 1):
                break
            took.append(1000 * (watch.moments[n] - begin))
    p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
    return _judged(watch, sizes.dispatches, p50=p50, p99=p99)


async def stock(engine: Engine, sizes: Sizes) -> Values:
    """Prepares `inspect`; runs once, in the folder that every round of `inspect` then uses."""
    await engine.stock(sizes.finished, sizes.queued)
    return {}


async def inspect(engine: Engine, sizes: Sizes) -> Values:
    del sizes
    try:
        counts = await _milliseconds(engine.counts)
    except NotImplementedError:
        return {}
    return {"counts": counts, "newest": await _milliseconds(lambda: engine.newest(LISTED))}


async def idle(engine: Engine, sizes: Sizes) -> Values:
    async with engine.working(Watch(0)):
        await asyncio.sleep(min(1, sizes.idle_seconds))
        begin, used = perf_counter(), process_time()
        await asyncio.sleep(sizes.idle_seconds)
        return {
            "idle": 100 * (process_time() - used) / (perf_counter() - begin),
            "memory": resident_mb(),
        }


MEASURES: dict[str, Measure] = {
    "enqueue": enqueue,
    "enqueue8": enqueue_at_once,
    "drain": drain,
    "live": live,
    "dispatch": dispatch,
    "stock": stock,
    "inspect": inspect,
    "idle": idle,
}


async def _milliseconds(ask: Callable[[], Awaitable[object]]) -> float:
    took: list[float] = []
    while len(took) < 3 or (len(took) < 15 and sum(took) < 2_000):
        begin = perf_counter()
        await ask()
        took.append(1000 * (perf_counter() - begin))
    return statistics.median(took)


def _judged(watch: Watch, count: int, **values: float) -> Values:
    different = len(set(watch.ended))
    return values | {
        "overlaps": watch.overlaps,
        "lost": count - different,
        "doubled": len(watch.ended) - different,
    }


def resident_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 (no path is built)
        return int(file.read().split()[1]) * PAGE_KB / 1024
