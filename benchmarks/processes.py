"""What several processes on one home feel of each other. `.venv/bin/python benchmarks/processes.py` (Linux)

Real processes; moments are read from the clock that all processes of a machine share: before the call or the kill
here, and in the first or last line of the handler there. After it, the same for the real commands: a `stockdesk
worker` goes on with a review when the `stockdesk serve` that leads is left by its client or killed.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import as_file

import anyio

from benchmarks.followers import PATIENCE_SECONDS, Process, calls, start_queues, takeovers
from benchmarks.machine import describe
from benchmarks.parallel import fresh_home
from handlers.sources.sample import sample_holdings, sample_last_day
from queues.clock import system_clock
from queues.database import Transaction
from queues.inspection import totals, unfinished_tasks
from queues.leader import lock_path
from queues.lifecycle import find_leader
from queues.model import QueueName, TaskState
from queues.moments import from_micros
from server.client_config import console_script
from server.desk import Desk, open_desk
from server.requests import request_review
from server.settings import Settings

# Medians. Printed without a target are the news of an end, and the commit that each call needs and its start again.
CALL_TARGETS: dict[str, float] = dict.fromkeys(("enqueue", "cancel", "release", "retry"), 3.0)
# Longer than the 30 s after which each process looks again.
IDLE_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Measure:
    """What each round took, or each process used, and the target for one percentile of it (100: the largest)."""

    name: str
    values: Sequence[float]
    target: float = math.inf
    percentile: int = 50
    unit: str = "ms"

    def at(self, percentile: int) -> float:
        if percentile == 100 or len(self.values) == 1:
            return max(self.values)
        return statistics.quantiles(self.values, n=100, method="inclusive")[percentile - 1]

    @property
    def is_met(self) -> bool:
        return self.at(self.percentile) <= self.target

    def __str__(self) -> str:
        columns = "".join(f"{self.at(percentile):>10.3f}" for percentile in (50, 99, 100))
        statistic = "max" if self.percentile == 100 else f"p{self.percentile}"
        target = f"{statistic} <= {self.target:g} {self.unit}: {'yes' if self.is_met else 'NO'}"
        aim = "" if math.isinf(self.target) else target
        return f"{self.name:<58}{len(self.values):>7}{columns} {self.unit:<4} {aim}"


def start_desk(command: str, settings: Settings, stack: ExitStack) -> Process:
    environment = os.environ | {
        "STOCKDESK_HOME": str(settings.home),
        "STOCKDESK_AS_OF": str(settings.as_of),
        "STOCKDESK_ANALYST": settings.analyst,
        "STOCKDESK_PRICE_SOURCES": ",".join(settings.price_sources),
        "STOCKDESK_LOG_LEVEL": "ERROR",
    }
    process = subprocess.Popen(
        [console_script(), command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


@asynccontextmanager
async def desks(stack: ExitStack) -> AsyncGenerator[tuple[Desk, Process, Process]]:
    """A fresh home with a real server that leads, a real worker that waits behind it, and this process."""
    home = stack.enter_context(fresh_home())
    settings = Settings(  # pyright: ignore[reportCallIssue] (the rest has defaults)
        home=home, analyst="baseline", price_sources=("sample",), as_of=sample_last_day()
    )
    async with open_desk(settings, "benchmark") as desk, anyio.create_task_group() as tasks:
        await tasks.start(desk.manager.bell.run)
        server = start_desk("serve", settings, stack)
        await until(desk, lambda tx: leader_pid(tx, desk) == server.pid)
        worker = start_desk("worker", settings, stack)
        await until(desk, lambda tx: tx.row("SELECT 1 FROM listeners WHERE pid = :pid", pid=worker.pid))
        await anyio.sleep(0.1)  # it listens before it waits for the lock
        yield desk, server, worker
        tasks.cancel_scope.cancel()


async def until(desk: Desk, is_reached: Callable[[Transaction], object]) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not await desk.database.read(is_reached):  # noqa: ASYNC110 (not all that is waited for rings)
            await anyio.sleep(0.002)


def leader_pid(tx: Transaction, desk: Desk) -> int | None:
    leader = find_leader(tx, lock_path(desk.database.path))
    return leader.pid if leader is not None and leader.is_alive else None


def first_start(tx: Transaction, leader: int | None) -> datetime:
    """When this process, which leads now, started its first task."""
    row = tx.row(
        "SELECT min(started_at) FROM attempts WHERE epoch = (SELECT epoch FROM leader WHERE pid = :pid)",
        pid=leader,
    )
    if row is None or row[0] is None:
        raise SystemExit("The worker did not go on with the review.")
    return from_micros(row[0])


async def left(way: Callable[[Process], None]) -> float:
    """From the end of a server in the middle of a review to the first task that the worker started."""
    with ExitStack() as stack:
        async with desks(stack) as (desk, server, worker):
            with as_file(sample_holdings()["main"]) as path:
                await request_review(desk, path=str(path), csv_text=None, account=None, exchange=None)
            await until(desk, lambda tx: totals(tx, QueueName.AI_ANALYSIS)[TaskState.COMPLETED])
            said_at = system_clock()
            way(server)
            await until(desk, lambda tx: not any(unfinished_tasks(tx, queue) for queue in QueueName))
            started_at = await desk.database.read(lambda tx: first_start(tx, worker.pid))
            return (started_at - said_at).total_seconds() * 1000


def close_stdin(server: Process) -> None:
    assert server.stdin is not None
    server.stdin.close()


def kill(server: Process) -> None:
    server.kill()


async def departures(rounds: int) -> list[Measure]:
    ways = (("kill -9", kill, 100), ("end of stdin", close_stdin, 1000))
    return [
        Measure(
            f"{name} of a serve that leads -> the worker's first task",
            [await left(way) for _ in range(rounds)],
            target,
            100,
        )
        for name, way, target in ways
    ]


def cpu_seconds(process: Process) -> float:
    """The processor time of another process, in nanosecond steps (clock_getcpuclockid in glibc's sysdeps)."""
    return time.clock_gettime((~process.pid << 3) | 2)


async def idling() -> list[Measure]:
    with fresh_home() as home, ExitStack() as stack:
        processes = [start_queues(home, stack) for _ in range(2)]
        async with desks(stack) as (_, server, worker):
            processes += [server, worker]
            await anyio.sleep(3)  # what starting leaves behind
            before = [cpu_seconds(process) for process in processes]
            await anyio.sleep(IDLE_SECONDS)
            used = [cpu_seconds(process) - since for process, since in zip(processes, before, strict=True)]
    names = (
        "queues that lead",
        "queues that follow",
        "stockdesk serve that leads",
        "stockdesk worker that follows",
    )
    return [
        Measure(f"processor, idle: {name}", [100 * seconds / IDLE_SECONDS], 0.1, 100, "%")
        for name, seconds in zip(names, used, strict=True)
    ]


async def measure(rounds: int, kills: int, departures_each: int) -> list[Measure]:
    return [
        Measure("kill -9 of the leader -> next handler's first line", await takeovers(kills), 100, 100),
        *(
            Measure(name, ms, CALL_TARGETS.get(name.split()[0], math.inf))
            for name, ms in (await calls(rounds)).items()
        ),
        *await departures(departures_each),
        *await idling(),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="What processes on one home feel of each other.")
    parser.add_argument("--rounds", type=int, default=300, help="calls of each kind")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--departures", type=int, default=5, help="real servers that leave, each way")
    arguments = parser.parse_args()
    print(describe("mcp"))
    for name in [name for name in os.environ if name.startswith("STOCKDESK")]:
        del os.environ[name]
    measures = anyio.run(measure, arguments.rounds, arguments.kills, arguments.departures)
    print(f"\n{'':<58}{'rounds':>7}{'p50':>10}{'p99':>10}{'max':>10}")
    print("\n".join(map(str, measures)))
    return 0 if all(each.is_met for each in measures) else 1


if __name__ == "__main__":
    sys.exit(main())
