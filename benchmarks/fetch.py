"""A big fetch beside its rate limit. `.venv/bin/python -m benchmarks.fetch [--stocks 500] [--per-second 20]`

One task fetches two years of daily prices of each stock and of their benchmark, from Yahoo's stand-in: a process of its
own on loopback, which waits 20 ms before each answer. Printed are the time over the least that the rate limit allows,
the most memory that the process ever had, and the longest that its event loop stood still while a coroutine wanted to
run every millisecond. On a machine that does other work the last one counts its scheduler, too; so it stands beside the
same measure of an idle loop.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter

import anyio

from benchmarks.machine import describe
from benchmarks.parallel import fresh_home, measure
from handlers.benchmarks import BENCHMARKS
from handlers.data_fetcher import data_fetcher
from handlers.planning import plan_fetch
from handlers.sources.base import Bar, PriceSource
from handlers.sources.opening import SourceSettings, open_sources
from handlers.stocks import Exchange, Stock

STANDIN = Path(__file__).parents[1] / "tests" / "standins" / "http_source.py"
LATENCY = 0.02
TWO_YEARS = timedelta(days=731)
MOST_TIME, MOST_MEGABYTES, MOST_STALL = 1.15, 150, 0.02


@dataclass(frozen=True, slots=True)
class TwoYears:
    """The source, asked for more than the desk needs."""

    source: PriceSource
    name: str = "yahoo"
    citation: str = "two years of a stand-in"

    async def daily_prices(self, stock: Stock, start: date, end: date) -> Sequence[Bar]:
        return await self.source.daily_prices(stock, min(start, end - TWO_YEARS), end)


def evening() -> datetime:
    return datetime(2022, 12, 28, 23, 30, tzinfo=UTC)


@contextmanager
def stand_in() -> Generator[str]:
    command = [sys.executable, str(STANDIN), "--latency", str(LATENCY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


async def watch_loop(stalls: list[float]) -> None:
    while True:
        begin = perf_counter()
        await anyio.sleep(0.001)
        stalls.append(perf_counter() - begin - 0.001)


async def idle(seconds: float) -> list[float]:
    stalls: list[float] = []
    with anyio.move_on_after(seconds):
        await watch_loop(stalls)
    return stalls


async def run(stocks: int, per_second: float) -> None:
    plan = plan_fetch([Stock(f"F{number}", Exchange.NSE) for number in range(stocks)], force=False)
    stalls: list[float] = []
    before = await idle(5)
    async with AsyncExitStack() as stack:
        url, home = stack.enter_context(stand_in()), stack.enter_context(fresh_home())
        sources = open_sources(
            SourceSettings(prices=["yahoo"], yahoo_url=url, requests_per_second=per_second)
        )
        (yahoo,) = (await stack.enter_async_context(sources)).prices
        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(watch_loop, stalls)
        fetch = data_fetcher([TwoYears(yahoo)], evening, 4, benchmarks=BENCHMARKS)
        measured = await measure(home, plan.tasks, {"fetch": fetch})
        group.cancel_scope.cancel()
    least = stocks / per_second + LATENCY  # with the benchmark, so many gaps
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform == "linux" else 2**20
    )
    print(
        f"time: {measured.seconds:.1f} s, {measured.seconds / least:.3f} x the least of {least:.1f} s ({MOST_TIME})"
    )
    print(f"memory at its most: {megabytes:.0f} MB ({MOST_MEGABYTES})")
    for name, found in (("idle", before), ("fetching", stalls)):
        late = sorted(found)
        print(
            f"event loop, {name}: longest stall {1000 * late[-1]:.1f} ms ({1000 * MOST_STALL:.0f}), "
            f"99.9 % below {1000 * late[int(len(late) * 0.999)]:.1f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stocks", type=int, default=500)
    parser.add_argument("--per-second", type=float, default=20)
    arguments = parser.parse_args()
    print(describe("httpx", "pydantic"))
    print(
        f"{arguments.stocks} stocks, two years each, {arguments.per_second:g} requests a second,"
        f" {LATENCY * 1000:.0f} ms latency"
    )
    anyio.run(run, arguments.stocks, arguments.per_second)


if __name__ == "__main__":
    main()
