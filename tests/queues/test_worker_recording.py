"""What a handler did is recorded, also when the disk fails for a while, and what cannot be is a failure."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import anyio
import anyio.lowlevel
import pytest

from queues import database as database_module
from queues.context import TaskContext
from queues.database import Database, Transaction, Work
from queues.errors import StorageError
from queues.model import NewTask, TaskState
from queues.outcome import Completed, Outcome
from queues.topics import Topic
from tests.queues.desk import NOTHING
from tests.queues.running import (
    run_beside_a_neighbour,
)

T = TypeVar("T")


def write_then(act: Callable[[Transaction], Sequence[NewTask]]) -> Callable[[Transaction], Sequence[NewTask]]:
    def on_record(tx: Transaction) -> Sequence[NewTask]:
        tx.run("INSERT INTO holds VALUES ('portfolio_sync', 'marker', 'written on record', 0, NULL)")
        return act(tx)

    return on_record


def is_marked(database: Database) -> bool:
    return database.read_now(lambda tx: tx.row("SELECT 1 FROM holds WHERE source = 'marker'")) is not None


async def test_what_belongs_to_an_outcome_is_written_with_it(database: Database) -> None:
    async def handler(_: TaskContext) -> Outcome:
        return Completed(NOTHING, write_then(lambda _: []))

    assert (await run_beside_a_neighbour(database, handler))[0] is TaskState.COMPLETED
    assert is_marked(database)


async def test_an_outcome_that_cannot_be_recorded_leaves_nothing_of_it(database: Database) -> None:
    def fail(_: Transaction) -> Sequence[NewTask]:
        raise ZeroDivisionError("a bug")

    async def handler(_: TaskContext) -> Outcome:
        return Completed(NOTHING, write_then(fail))

    assert await run_beside_a_neighbour(database, handler) == (
        TaskState.FAILED,
        "Its outcome could not be stored: ZeroDivisionError: a bug",
    )
    assert not is_marked(database)


class FailingDatabase(Database):
    """A real one whose next reads or writes from handlers and workers fail as a full disk makes them fail."""

    failing_reads = 0
    failing_writes = 0

    async def read(self, work: Work[T]) -> T:
        if self.failing_reads:
            self.failing_reads -= 1
            raise StorageError("disk I/O error")
        return await super().read(work)

    async def write(self, work: Work[T]) -> T:
        if self.failing_writes:
            self.failing_writes -= 1
            raise StorageError("database or disk is full")
        return await super().write(work)


@pytest.fixture
def failing(database: Database, monkeypatch: pytest.MonkeyPatch) -> FailingDatabase:
    monkeypatch.setattr(database_module, "TRY_AGAIN_SECONDS", 0)
    database.__class__ = FailingDatabase
    assert isinstance(database, FailingDatabase)
    return database


async def test_what_was_done_is_recorded_once_the_disk_recovers(failing: FailingDatabase) -> None:
    runs: list[str] = []

    async def handler(ctx: TaskContext) -> Outcome:
        runs.append(ctx.task.id)
        failing.failing_writes = 3
        return Completed({"n": 1})

    assert (await run_beside_a_neighbour(failing, handler))[0] is TaskState.COMPLETED
    assert (runs, failing.failing_writes) == (["fetch-1"], 0)


async def test_a_read_that_fails_beside_a_running_handler_does_not_harm_it(failing: FailingDatabase) -> None:
    async def handler(_: TaskContext) -> Outcome:
        await anyio.wait_all_tasks_blocked()
        failing.failing_reads = 1
        failing.write_now(lambda tx: tx.touch(Topic.STOP))
        while failing.failing_reads:
            await anyio.lowlevel.checkpoint()
        return Completed(NOTHING)

    assert (await run_beside_a_neighbour(failing, handler))[0] is TaskState.COMPLETED
