"""A running handler is stopped by a cancel, an interruption, an error of its worker; each leaves its trace."""

from collections.abc import Callable
from typing import TypeVar, cast

import anyio
import pytest

from queues import worker as worker_module
from queues.context import TaskContext
from queues.control import cancel_task
from queues.database import Database, Transaction
from queues.errors import StaleClaimError
from queues.inspection import attempts_of
from queues.model import QueueName, Task, TaskState
from queues.outcome import Completed, Outcome
from queues.store import claim_next, record
from tests.queues.desk import NOTHING, fetch
from tests.queues.running import (
    PATIENCE,
    look,
    manager,
    put,
    run_beside_a_neighbour,
    serving,
    succeed,
    until_ended,
    until_running,
)

T = TypeVar("T")


async def hang(_: TaskContext) -> Outcome:
    await anyio.sleep_forever()
    raise AssertionError("never reached")


async def test_a_running_task_that_is_cancelled_ends_at_once_with_the_reason(database: Database) -> None:
    task, next_one = put(database, fetch(kind="hang"), fetch())
    desk = manager(database, {"hang": hang, "work": succeed})
    async with serving(desk):
        await until_running(desk, database, task)
        database.write_now(lambda tx: cancel_task(tx, task.id, "changed my mind"))
        ended = await until_ended(desk, database, task)
        await until_ended(desk, database, next_one)
    assert (ended.state, ended.error) == (TaskState.CANCELLED, "changed my mind")
    (attempt,) = database.read_now(lambda tx: attempts_of(tx, task))
    assert (attempt.outcome, attempt.detail) == ("cancelled", "changed my mind")


async def test_a_handler_whose_cleanup_fails_is_cancelled_all_the_same(database: Database) -> None:
    async def handler(_: TaskContext) -> Outcome:
        try:
            await anyio.sleep_forever()
        finally:
            raise ConnectionError("closing failed")

    (task,) = put(database, fetch())
    desk = manager(database, {"work": handler})
    async with serving(desk):
        await until_running(desk, database, task)
        database.write_now(lambda tx: cancel_task(tx, task.id, "changed my mind"))
        ended = await until_ended(desk, database, task)
    assert (ended.state, ended.error) == (TaskState.CANCELLED, "changed my mind")


async def test_a_cancel_asked_for_before_the_handler_looks_is_not_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claim_and_cancel(tx: Transaction, queue: QueueName, epoch: int) -> Task | None:
        claimed = claim_next(tx, queue, epoch)
        if claimed is not None:
            cancel_task(tx, claimed.id, "changed my mind")
        return claimed

    monkeypatch.setattr(worker_module, "claim_next", claim_and_cancel)
    (task,) = put(database, fetch(kind="hang"))
    with anyio.fail_after(PATIENCE):
        await manager(database, {"hang": hang}).execute_queues()
    assert look(database, task).state is TaskState.CANCELLED


async def test_an_interrupted_handler_is_stopped_and_can_store_nothing_more(database: Database) -> None:
    refusals: list[BaseException] = []

    async def handler(ctx: TaskContext) -> Outcome:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                try:
                    await ctx.report(1, 2, "too late")
                except StaleClaimError as error:
                    refusals.append(error)
        raise AssertionError("never reached")

    (task,) = put(database, fetch())
    desk = manager(database, {"work": handler})
    async with serving(desk):
        await until_running(desk, database, task)
        assert desk.interrupt() == [task.id]
        while not refusals:
            await anyio.wait_all_tasks_blocked()
    seen = look(database, task)
    assert (seen.state, seen.attempt, seen.progress) == (TaskState.QUEUED, 0, None)


async def test_a_handler_cannot_pretend_that_its_attempt_is_stale(database: Database) -> None:
    async def handler(_: TaskContext) -> Outcome:
        raise StaleClaimError("of some other task")

    state, error = await run_beside_a_neighbour(database, handler)
    assert (state, error.partition(" (")[0]) == (TaskState.FAILED, "of some other task")


async def test_progress_is_stored_for_everyone_who_looks(database: Database) -> None:
    seen: list[object] = []

    async def handler(ctx: TaskContext) -> Outcome:
        await ctx.report(1, 3, "INFY")
        seen.append(look(ctx.database, ctx.task).progress)
        return Completed(NOTHING)

    await run_beside_a_neighbour(database, handler)
    assert [str(progress) for progress in seen] == ["Progress(done=1, total=3, message='INFY')"]


async def test_a_worker_that_meets_an_error_goes_on_with_what_it_left_running(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [RuntimeError(f"a bug in the store, {number}") for number in range(3)]

    def fail_at_first(*args: object) -> object:
        if failures:
            raise failures.pop()
        return cast("Callable[..., object]", record)(*args)

    monkeypatch.setattr("queues.scheduler.RESTART_SECONDS", 0)
    monkeypatch.setattr(worker_module, "record", fail_at_first)
    (task,) = put(database, fetch())
    desk = manager(database, {"work": succeed})
    async with serving(desk):
        ended = await until_ended(desk, database, task)
    assert (ended.state, ended.attempt) == (TaskState.COMPLETED, 2)
    assert [a.outcome for a in database.read_now(lambda tx: attempts_of(tx, task))] == [
        "rescued",
        "completed",
    ]
