"""What a session costs beyond the model's own time. `.venv/bin/python benchmarks/session_overhead.py` (Linux, macOS)

Each round judges three stocks with the real Claude CLI before a stand-in of its API: once as a task, claimed, handled
and recorded, in a fresh home; once by a bare `ClaudeSDKClient` with the same options and prompt, without guard, lock,
folder or store: the floor. From a session's time is subtracted what the stand-in took to decide its answers, and what
the desk took to check and store the verdicts; that counts as bookkeeping, with all that the task does outside.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from unittest.mock import patch

import anyio
from claude_agent_sdk import ClaudeSDKClient

from benchmarks.machine import describe
from benchmarks.parallel import evening, fresh_home, know_the_sample
from handlers.ai_analysis import AnalystSettings, ai_analysis, analysis_task
from handlers.analyst.cli import find_cli
from handlers.analyst.options import session_options
from handlers.analyst.session import Assignment, SessionReport, new_session_id, run_session
from handlers.analyst.submissions import Answer
from handlers.migrations import domain_migrations
from handlers.planning import fetch_then_analyse
from handlers.sources.sample import sample_stocks
from queues.context import TaskContext
from queues.database import Database
from queues.lifecycle import take_over
from queues.model import QueueName, TaskState
from queues.scheduler import engine_migrations
from queues.store import claim_next, enqueue, find_task, record
from server.desk import DATABASE_NAME
from tests.standins.messages_api import MessagesApi, Reply, Request, submits_all

SESSION_TARGET, BOOKKEEPING_TARGET = 600.0, 20.0
BATCH = sample_stocks()[:3]


@dataclass(slots=True)
class Watches:
    """Seconds so far in this round: in the session, in the stand-in's answers, in the desk's."""

    session: float = 0.0
    answers: float = 0.0
    submits: float = 0.0
    assignment: Assignment | None = None

    def script(self, request: Request) -> Reply:
        begin = perf_counter()
        try:
            return submits_all(request)
        finally:
            self.answers += perf_counter() - begin

    async def run_session(
        self, ctx: TaskContext, settings: AnalystSettings, assignment: Assignment, *, session_id: str
    ) -> SessionReport:
        self.assignment = assignment
        timed = replace(assignment, submit=self._timed(assignment.submit))
        begin = perf_counter()
        try:
            return await run_session(ctx, settings, timed, session_id=session_id)
        finally:
            self.session += perf_counter() - begin

    def _timed(
        self, submit: Callable[[Mapping[str, Any]], Awaitable[Answer]]
    ) -> Callable[[Mapping[str, Any]], Awaitable[Answer]]:
        async def timed(arguments: Mapping[str, Any]) -> Answer:
            begin = perf_counter()
            try:
                return await submit(arguments)
            finally:
                self.submits += perf_counter() - begin

        return timed


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds."""

    session: float
    bare: float
    around: float
    submits: float

    @property
    def bookkeeping(self) -> float:
        return self.around + self.submits


async def one_round(template: Path, api: MessagesApi) -> Round:
    with fresh_home(template) as home:
        settings = AnalystSettings(analyst="claude", model="claude-sonnet-4-5", folder=home / "sessions")
        watches = Watches()
        api.script = watches.script
        with patch("handlers.ai_analysis.run_session", watches.run_session):
            task = await run_task(home, settings)
        assert watches.assignment is not None
        alone = Watches()
        api.script = alone.script
        bare = await bare_session(home, settings, watches.assignment)
    return Round(
        session=1000 * (watches.session - watches.answers - watches.submits),
        bare=1000 * (bare - alone.answers),
        around=1000 * (task - watches.session),
        submits=1000 * watches.submits,
    )


async def run_task(home: Path, settings: AnalystSettings) -> float:
    """Seconds from the claim of the task to its recorded end."""
    database = Database(
        home / DATABASE_NAME, {"queues": engine_migrations(), "handlers": domain_migrations()}
    )
    try:
        await database.write(lambda tx: enqueue(tx, [analysis_task(BATCH)]))
        epoch = await database.write(lambda tx: take_over(tx, "benchmark"))
        begin = perf_counter()
        task = await database.write(lambda tx: claim_next(tx, QueueName.AI_ANALYSIS, epoch))
        assert task is not None
        outcome = await ai_analysis(settings, evening, fetch_then_analyse)(TaskContext(task, database))
        await database.write(lambda tx: record(tx, task, outcome, timedelta()))
        seconds = perf_counter() - begin
        ended = await database.read(lambda tx: find_task(tx, task.id))
    finally:
        database.close()
    if ended.state is not TaskState.COMPLETED:
        raise SystemExit(f"{ended.id} is {ended.state}: {ended.error}")
    return seconds


async def bare_session(home: Path, settings: AnalystSettings, assignment: Assignment) -> float:
    """Seconds of the same session as the SDK alone runs it, to the exit of the CLI."""

    async def accept(_: Mapping[str, Any]) -> Answer:
        return Answer("Stored.")

    with TemporaryDirectory(dir=home) as cwd:
        begin = perf_counter()
        options = session_options(
            settings,
            assignment.instructions,
            session_id=new_session_id(),
            stocks=len(BATCH),
            cwd=Path(cwd),
            launcher=find_cli(),
            submit=accept,
            on_stderr=lambda _: None,
        )
        async with ClaudeSDKClient(options) as client:
            await client.query(assignment.prompt)
            async for _ in client.receive_response():
                pass
        return perf_counter() - begin


async def measure(rounds: int) -> list[Round]:
    for name in [name for name in os.environ if name.startswith(("CLAUDE", "ANTHROPIC"))]:
        del os.environ[name]
    with fresh_home() as template, fresh_home() as claude, MessagesApi() as api:
        await know_the_sample(template)
        os.environ |= {"HOME": str(claude), "CLAUDE_CONFIG_DIR": str(claude / ".claude")}
        os.environ |= {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "dummy"}
        await one_round(template, api)  # the CLI is read from the disk, and writes its first configuration
        return [await one_round(template, api) for _ in range(rounds)]


def line(name: str, values: Sequence[float], target: float | None = None) -> bool:
    median = statistics.median(values)
    is_met = target is None or median <= target
    aim = "" if target is None else f"   median <= {target:g} ms: {'yes' if is_met else 'NO'}"
    print(f"{name:<44}{median:>9.1f}{min(values):>9.1f}{max(values):>9.1f}{aim}")
    return is_met


def load() -> str:
    return " ".join(f"{average:.2f}" for average in os.getloadavg())


def main() -> int:
    parser = argparse.ArgumentParser(description="What a session costs beyond the model's own time.")
    parser.add_argument("--rounds", type=int, default=15)
    count = parser.parse_args().rounds
    print(describe("claude-agent-sdk"))
    before = load()
    rounds = anyio.run(measure, count)
    print(f"load over 1, 5 and 15 minutes: {before} before, {load()} after")
    print(f"\n{f'ms, {count} sessions of {len(BATCH)} stocks each way':<44}{'median':>9}{'min':>9}{'max':>9}")
    is_met = [
        line("session, less the model's time", [each.session for each in rounds], SESSION_TARGET),
        line("a bare ClaudeSDKClient, less the model's", [each.bare for each in rounds]),
        line("bookkeeping of the batch", [each.bookkeeping for each in rounds], BOOKKEEPING_TARGET),
        line("  of it before and after the session", [each.around for each in rounds]),
        line("  of it in the session: verdicts taken", [each.submits for each in rounds]),
    ]
    ratio = statistics.median(each.session / each.bare for each in rounds)
    print(f"session / bare: median {ratio:.2f}")
    return 0 if all(is_met) else 1


if __name__ == "__main__":
    sys.exit(main())
