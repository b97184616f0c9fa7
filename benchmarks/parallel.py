"""Does the whole take as long as its longest queue? `.venv/bin/python benchmarks/parallel.py [--claude]`

The tasks of the three queues add up in the proportion 10 : 15 : 60. Printed is the makespan of all three together
divided by that of the longest queue (ai_analysis) alone, each in a fresh home, alternately, in one run. Handlers
sleep; with `--claude`, ai_analysis runs real sessions of the CLI that claude-agent-sdk brings, against a stand-in
for the Messages API in a process of its own, and the other queues sleep in proportion to what those took alone.
What ran when is read from the stored attempts.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import anyio

from benchmarks.machine import describe
from handlers.ai_analysis import AnalystSettings, ai_analysis, analysis_task
from handlers.batches import plan_batches
from handlers.data_fetcher import data_fetcher
from handlers.migrations import domain_migrations
from handlers.planning import fetch_then_analyse, plan_fetch
from handlers.sources.opening import SourceSettings, open_sources
from handlers.sources.sample import sample_last_day, sample_stocks
from queues.context import Handler, TaskContext
from queues.database import Database
from queues.inspection import Interval, intervals, overlaps
from queues.model import NewTask, QueueName, TaskState
from queues.outcome import Completed, Outcome
from queues.scheduler import SequentialQueueManager, engine_migrations
from queues.store import enqueue
from server.desk import DATABASE_NAME

SYNC, FETCH, ANALYSIS = QueueName
SHARES = {SYNC: 10, FETCH: 15, ANALYSIS: 60}
TASKS = {SYNC: 4, FETCH: 10, ANALYSIS: 20}
STANDIN = Path(__file__).parents[1] / "tests" / "standins" / "messages_api.py"
SLEEP_TARGET, CLAUDE_TARGET = 1.05, 1.10


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of `execute_queues`: its wall-clock seconds, and every attempt that it stored."""

    seconds: float
    attempts: Sequence[Interval]

    def busy(self, queue: QueueName) -> float:
        """Seconds in which the queue ran a task."""
        return sum(_seconds(each) for each in self.attempts if each.queue is queue)


def _seconds(attempt: Interval) -> float:
    assert attempt.ended_at is not None, f"{attempt.task_id} has no end"
    return (attempt.ended_at - attempt.started_at).total_seconds()


async def sleeps(ctx: TaskContext) -> Outcome:
    seconds = ctx.task.payload["seconds"]
    assert isinstance(seconds, float)
    await anyio.sleep(seconds)
    return Completed({})


def sleeping(queue: QueueName, total: float) -> list[NewTask]:
    """The queue's number of tasks, which sleep `total` seconds together."""
    payload = {"seconds": total / TASKS[queue]}
    return [NewTask(queue=queue, kind="sleep", payload=payload) for _ in range(TASKS[queue])]


async def measure(home: Path, tasks: Sequence[NewTask], handlers: dict[str, Handler]) -> Measured:
    database = Database(
        home / DATABASE_NAME, {"queues": engine_migrations(), "handlers": domain_migrations()}
    )
    try:
        before = len(database.read_now(intervals))
        await database.write(lambda tx: enqueue(tx, tasks))
        manager = SequentialQueueManager(database, handlers, command="benchmark")
        begin = perf_counter()
        reports = await manager.execute_queues()
        seconds = perf_counter() - begin
        attempts = database.read_now(intervals)[before:]
    finally:
        database.close()
    done = sum(report.count(TaskState.COMPLETED) for report in reports.values())
    if done != len(tasks) or len(attempts) != len(tasks):
        raise SystemExit(
            f"{done} of {len(tasks)} tasks completed, in {len(attempts)} attempts; see the log above."
        )
    return Measured(seconds, attempts)


@contextmanager
def fresh_home(template: Path | None = None) -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="stockdesk-benchmark-") as folder:
        if template is not None:
            shutil.copytree(template, folder, dirs_exist_ok=True)
        yield Path(folder)


async def with_sleeping_handlers(seconds: float, rounds: int) -> bool:
    everything = [
        task for queue in QueueName for task in sleeping(queue, seconds * SHARES[queue] / SHARES[ANALYSIS])
    ]
    longest = [task for task in everything if task.queue is ANALYSIS]
    alone, together = list[Measured](), list[Measured]()
    for _ in range(rounds):
        for tasks, results in ((longest, alone), (everything, together)):
            with fresh_home() as home:
                results.append(await measure(home, tasks, {"sleep": sleeps}))
    print(f"\nsleeping handlers, {TASKS[SYNC]} + {TASKS[FETCH]} + {TASKS[ANALYSIS]} tasks")
    return report(alone, together, SLEEP_TARGET)


async def with_real_sessions(rounds: int, latency: float) -> bool:
    batches = plan_batches(sample_stocks())
    sessions = [analysis_task(batch) for batch in batches]
    alone, together = list[Measured](), list[Measured]()
    with fresh_home() as template, stand_in(latency):
        await know_the_sample(template)
        for _ in range(rounds):
            alone.append(await run_sessions(template, sessions))
            share = alone[-1].busy(ANALYSIS) / SHARES[ANALYSIS]
            others = [task for queue in (SYNC, FETCH) for task in sleeping(queue, share * SHARES[queue])]
            together.append(await run_sessions(template, [*others, *sessions]))
    print(
        f"\nreal Claude CLI, {len(sessions)} sessions of 2 stocks, {latency} s before each of the stand-in's answers;"
        f" {TASKS[SYNC]} + {TASKS[FETCH]} sleeping tasks beside them"
    )
    return report(alone, together, CLAUDE_TARGET)


async def run_sessions(template: Path, tasks: Sequence[NewTask]) -> Measured:
    with fresh_home(template) as home:
        settings = AnalystSettings(analyst="claude", model="claude-sonnet-4-5", folder=home)
        return await measure(
            home, tasks, {"sleep": sleeps, "analyse": ai_analysis(settings, evening, fetch_then_analyse)}
        )


def evening() -> datetime:
    """The desk's clock: the evening of the sample's last day."""
    return datetime.fromisoformat(f"{sample_last_day()}T23:59+00:00")


async def know_the_sample(home: Path) -> None:
    """Fetch the facts of the bundled sample into this home, by the real handler."""
    async with open_sources(SourceSettings(prices=["sample"], requests_per_second=100)) as sources:
        fetch = data_fetcher(sources.prices, evening, 4)
        await measure(home, plan_fetch(sample_stocks(), force=False).tasks, {"fetch": fetch})


@contextmanager
def stand_in(latency: float) -> Generator[None]:
    """The Messages API's stand-in as a process, and an environment in which the CLI talks to nobody else."""
    for name in [name for name in os.environ if name.startswith(("CLAUDE", "ANTHROPIC"))]:
        del os.environ[name]
    command = [sys.executable, str(STANDIN), "--latency", str(latency)]
    with (
        tempfile.TemporaryDirectory(prefix="claude-home-") as home,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        os.environ |= {
            "HOME": home,
            "CLAUDE_CONFIG_DIR": f"{home}/.claude",
            "ANTHROPIC_BASE_URL": process.stdout.readline().strip(),
            "ANTHROPIC_API_KEY": "dummy",
        }
        yield


def report(alone: Sequence[Measured], together: Sequence[Measured], target: float) -> bool:
    """Print what was found; whether the promise of the queues was kept and the target met."""
    ratios = [whole.seconds / longest.seconds for longest, whole in zip(alone, together, strict=True)]
    for longest, whole, ratio in zip(alone, together, ratios, strict=True):
        sums = " + ".join(f"{whole.busy(queue):.2f}" for queue in QueueName)
        print(
            f"  together {whole.seconds:.3f} s, longest alone {longest.seconds:.3f} s: {ratio:.3f} (busy: {sums} s)"
        )
    broken = sum(len(overlaps(each.attempts)) for each in (*alone, *together))
    both = statistics.median(at_once(each.attempts) / each.seconds for each in together)
    gain = statistics.median(sum(each.busy(queue) for queue in QueueName) / each.seconds for each in together)
    median = statistics.median(ratios)
    print(
        f"  makespan / longest queue alone: median {median:.3f},"
        f" {min(ratios):.3f} to {max(ratios):.3f} (target {target})"
    )
    print(
        f"  one after the other it would take {gain:.2f} times as long; idle in the longest queue: {idle(together)}"
    )
    print(
        f"  tasks of different queues at the same time: {both:.0%} of the time"
        f" ({SHARES[FETCH] / SHARES[ANALYSIS]:.0%} expected); of one queue: {broken} pairs"
    )
    return broken == 0 and median <= target


def at_once(attempts: Sequence[Interval]) -> float:
    """Seconds in which at least two attempts ran."""
    moments = sorted(
        [(each.started_at, 1) for each in attempts]
        + [(each.started_at + _span(each), -1) for each in attempts]
    )
    found, running = timedelta(), 0
    for (moment, change), (following, _) in pairwise(moments):
        running += change
        if running > 1:
            found += following - moment
    return found.total_seconds()


def _span(attempt: Interval) -> timedelta:
    return timedelta(seconds=_seconds(attempt))


def idle(runs: Sequence[Measured]) -> str:
    """The gaps between the end of a task of ai_analysis and the start of the next."""
    gaps = list[float]()
    for run in runs:
        line = [each for each in run.attempts if each.queue is ANALYSIS]
        for earlier, later in pairwise(line):
            assert earlier.ended_at is not None
            gaps.append((later.started_at - earlier.ended_at).total_seconds() * 1000)
    return f"{statistics.median(gaps):.1f} ms between two tasks (longest {max(gaps):.1f})"


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Makespan of three queues over that of the longest one alone."
    )
    parser.add_argument("--claude", action="store_true", help="real Claude sessions against a local stand-in")
    parser.add_argument("--seconds", type=float, default=6.0, help="sleep of the longest queue in all")
    parser.add_argument(
        "--latency", type=float, default=1.0, help="seconds before each answer of the stand-in"
    )
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(describe("anyio", *(("claude-agent-sdk",) if arguments.claude else ())))
    if arguments.claude:
        kept = anyio.run(with_real_sessions, arguments.rounds, arguments.latency)
    else:
        kept = anyio.run(with_sleeping_handlers, arguments.seconds, arguments.rounds)
    print("  kept" if kept else "  NOT KEPT")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
