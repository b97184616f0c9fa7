"""A real database with the whole schema, and tasks that run in it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from handlers.migrations import domain_migrations
from handlers.sources.http import Host
from handlers.sources.pace import Pace
from handlers.sources.yahoo import YahooSource
from queues.context import TaskContext
from queues.database import Database
from queues.lifecycle import take_over
from queues.model import JsonObject, NewTask, QueueName, Task
from queues.outcome import Outcome, Snooze
from queues.scheduler import engine_migrations
from queues.store import claim_next, enqueue, find_task, record
from tests.handlers.claude import api, baseline, claude
from tests.standins.http_source import HttpSource

__all__ = ["api", "baseline", "claude"]  # fixtures

NOW = datetime(2022, 12, 28, 23, 30, tzinfo=UTC)


@dataclass(slots=True)
class MovableClock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True, slots=True)
class TaskRunner:
    """Claims tasks as a worker would, and gives what their handlers get."""

    database: Database
    clock: MovableClock
    epoch: int

    def __call__(self, queue: QueueName, payload: JsonObject, *, max_attempts: int = 3) -> TaskContext:
        """Enqueue a task and claim it."""
        new = NewTask(queue=queue, kind="test", payload=payload, max_attempts=max_attempts)
        self.database.write_now(lambda tx: enqueue(tx, [new]))
        return self.claim(queue)

    def end(self, ctx: TaskContext, outcome: Outcome) -> Task:
        """Record how the attempt ended."""
        self.database.write_now(lambda tx: record(tx, ctx.task, outcome, timedelta()))
        return self.database.read_now(lambda tx: find_task(tx, ctx.task.id))

    def again(self, ctx: TaskContext, outcome: Outcome) -> TaskContext:
        """Record the attempt, let the time pass that the task has to wait, and claim it again."""
        held = outcome.hold.until if isinstance(outcome, Snooze) and outcome.hold is not None else None
        self.clock.now = max(self.clock.now, self.end(ctx, outcome).due_at, held or self.clock.now)
        return self.claim(ctx.task.queue)

    def claim(self, queue: QueueName) -> TaskContext:
        task = self.database.write_now(lambda tx: claim_next(tx, queue, self.epoch))
        assert task is not None
        return TaskContext(task, self.database)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def database(tmp_path: Path, clock: MovableClock) -> Iterator[Database]:
    migrations = {"queues": engine_migrations(), "handlers": domain_migrations()}
    opened = Database(tmp_path / "desk.db", migrations, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def running_task(database: Database, clock: MovableClock) -> TaskRunner:
    return TaskRunner(database, clock, epoch=database.write_now(lambda tx: take_over(tx, "test")))


@pytest.fixture
def server() -> Iterator[HttpSource]:
    """A price source on loopback that answers every symbol, until a test changes its script."""
    with HttpSource() as source:
        yield source


@pytest.fixture
async def yahoo(server: HttpSource) -> AsyncIterator[YahooSource]:
    """The source as the desk uses it, pointed at `server`, without waiting between requests."""
    async with httpx.AsyncClient(timeout=10) as client:
        yield YahooSource(Host("Yahoo", f"{server.url}/", client, Pace(1e6)))
