"""A big fetch beside its rate limit. `.venv/bin/python -m benchmarks.fetch [--stocks 500] [--per-second 20]`

Tasks of ten stocks each fetch two years of daily prices of every stock and of their benchmark, from Yahoo's stand-in: a
process of its own on loopback, which waits 20 ms before each answer. Printed are the time over the least that the rate
limit allows, the most memory that the process ever had, and the longest that its event loop stood still, from before
the sources are opened: by how much a coroutine that wants to run every millisecond came too late. Each has its target
beside it; the exit code is 1 where one is missed.

On a machine that does other work, the loop also waits for a processor. So the same is told of an idle loop, and the
longest that this process, in whichever thread, was computing during a stall; the rest of it was waiting.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time

import anyio

from benchmarks.machine import describe
from benchmarks.parallel import fresh_home
from handlers.benchmarks import BENCHMARKS
from handlers.data_fetcher import data_fetcher
from handlers.migrations import domain_migrations
from handlers.planning import plan_fetch
from handlers.sources.base import Bar, PriceSource
from handlers.sources.opening import SourceSettings, open_sources
from handlers.stocks import Exchange, Stock
from queues.database import Database
from queues.model import QueueName, TaskState
from queues.scheduler import SequentialQueueManager, engine_migrations
from queues.store import enqueue
from server.desk import DATABASE_NAME

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


async def watch_loop(stalls: list[tuple[float, float]]) -> None:
    """Seconds of each stall, and how many of them this process was computing, in one thread after the other."""
    while True:
        begin, computed = perf_counter(), process_time()
        await anyio.sleep(0.001)
        stall = perf_counter() - begin - 0.001
        stalls.append((stall, min(stall, process_time() - computed)))


async def idle(seconds: float) -> list[tuple[float, float]]:
    stalls: list[tuple[float, float]] = []
    with anyio.move_on_after(seconds):
        await watch_loop(stalls)
    return stalls


async def fetch_all(stocks: int, per_second: float, url: str, database: Database) -> float:
    """The seconds of it."""
    plan = plan_fetch([Stock(f"F{number}", Exchange.NSE) for number in range(stocks)], force=False)
    await database.write(lambda tx: enqueue(tx, plan.tasks))
    settings = SourceSettings(prices=["yahoo"], yahoo_url=url, requests_per_second=per_second)
    async with open_sources(settings) as sources:
        (yahoo,) = sources.prices
        fetch = data_fetcher([TwoYears(yahoo)], evening, 4, benchmarks=BENCHMARKS)
        begin = perf_counter()
        reports = await SequentialQueueManager(
            database, {"fetch": fetch}, command="benchmark"
        ).execute_queues()
        seconds = perf_counter() - begin
    if (done := reports[QueueName.DATA_FETCHER].count(TaskState.COMPLETED)) != len(plan.tasks):
        raise SystemExit(f"{done} of {len(plan.tasks)} tasks completed; see the log above.")
    return seconds


async def run(stocks: int, per_second: float) -> bool:
    is_met, before, stalls = False, await idle(5), list[tuple[float, float]]()
    with stand_in() as url, fresh_home() as home:
        migrations = {"queues": engine_migrations(), "handlers": domain_migrations()}
        with closing(Database(home / DATABASE_NAME, migrations)) as database:
            async with anyio.create_task_group() as group:
                group.start_soon(watch_loop, stalls)
                seconds = await fetch_all(stocks, per_second, url, database)
                group.cancel_scope.cancel()
                is_met = report(stocks / per_second, seconds, {"idle": before, "fetching": stalls})
    return is_met


def report(gaps: float, seconds: float, stalls_of: Mapping[str, Sequence[tuple[float, float]]]) -> bool:
    """Whether no target was missed."""
    least = gaps + LATENCY  # with the benchmark there are as many gaps as stocks
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform == "linux" else 2**20
    )
    print(f"time: {seconds:.1f} s, {seconds / least:.3f} x the least of {least:.1f} s ({MOST_TIME})")
    print(f"memory at its most: {megabytes:.0f} MB ({MOST_MEGABYTES})")
    for name, stalls in stalls_of.items():
        late, own = (sorted(each) for each in zip(*stalls, strict=True))
        print(
            f"event loop, {name}: longest stall {1000 * late[-1]:.1f} ms ({1000 * MOST_STALL:.0f}), 99.9 % below "
            f"{1000 * late[int(len(late) * 0.999)]:.1f} ms; computing in one for at most {1000 * own[-1]:.1f} ms"
        )
    longest = max(stall for stall, _ in stalls_of["fetching"])
    return seconds <= MOST_TIME * least and megabytes <= MOST_MEGABYTES and longest <= MOST_STALL


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
    if not anyio.run(run, arguments.stocks, arguments.per_second):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
