"""A handler may do what it likes: it harms only its own task, and its end is recorded."""

import asyncio
from datetime import timedelta
from typing import TypeVar, cast

import anyio
import pytest

from queues.context import Handler, TaskContext
from queues.database import Database
from queues.inspection import attempts_of
from queues.model import TaskState
from queues.outcome import Completed, Failed, Outcome, Retry
from tests.queues.desk import NOTHING, fetch
from tests.queues.running import (
    manager,
    put,
    run_beside_a_neighbour,
    succeed,
)

T = TypeVar("T")


async def test_a_handler_that_raises_fails_with_what_it_said(database: Database) -> None:
    async def handler(_: TaskContext) -> Outcome:
        raise LookupError("no such symbol")

    assert await run_beside_a_neighbour(database, handler) == (
        TaskState.FAILED,
        "LookupError: no such symbol (gave up after 1 attempts)",
    )


async def test_a_handler_that_exits_does_not_end_the_process(database: Database) -> None:
    async def handler(_: TaskContext) -> Outcome:
        raise SystemExit(3)

    state, error = await run_beside_a_neighbour(database, handler)
    assert (state, error.partition(" (")[0]) == (TaskState.FAILED, "SystemExit: 3")


async def test_a_handler_whose_inner_work_was_cancelled_does_not_end_its_queue(database: Database) -> None:
    async def handler(_: TaskContext) -> Outcome:
        inner = asyncio.ensure_future(asyncio.sleep(60))
        asyncio.get_running_loop().call_soon(inner.cancel)
        await inner
        raise AssertionError("never reached")

    state, error = await run_beside_a_neighbour(database, handler)
    assert (state, error.partition(" (")[0]) == (
        TaskState.FAILED,
        "It awaited something that was cancelled.",
    )


@pytest.mark.parametrize("rubbish", [None, "done", {"success": False}, Completed, 42], ids=repr)
async def test_a_handler_that_returns_rubbish_has_failed(database: Database, rubbish: object) -> None:
    async def handler(_: TaskContext) -> Outcome:
        return cast("Outcome", rubbish)

    state, error = await run_beside_a_neighbour(database, handler)
    assert state is TaskState.FAILED
    assert error.startswith("The handler of work returned ")


async def test_a_handler_that_is_no_coroutine_has_failed(database: Database) -> None:
    def handler(_: TaskContext) -> Outcome:
        return Completed(NOTHING)

    state, error = await run_beside_a_neighbour(database, cast("Handler", handler))
    assert (state, error.partition(":")[0]) == (TaskState.FAILED, "TypeError")


@pytest.mark.parametrize(
    "result",
    [{"a": {1, 2}}, {"a": float("nan")}, {"a": "\ud800"}, ["a list"], {"a": 1j}, {"a": b"bytes"}],
    ids=repr,
)
async def test_a_result_that_json_cannot_hold_is_a_failure_not_a_stop(
    database: Database, result: object
) -> None:
    async def handler(_: TaskContext) -> Outcome:
        return Completed(cast("dict[str, str]", result))

    state, error = await run_beside_a_neighbour(database, handler)
    assert state is TaskState.FAILED
    assert error.startswith("Its outcome could not be stored: InvalidTaskError")


async def test_a_result_that_contains_itself_is_a_failure(database: Database) -> None:
    async def handler(_: TaskContext) -> Outcome:
        result: dict[str, object] = {}
        result["self"] = result
        return Completed(cast("dict[str, str]", result))

    assert (await run_beside_a_neighbour(database, handler))[0] is TaskState.FAILED


async def test_a_result_nested_deeper_than_sqlite_reads_is_a_failure(database: Database) -> None:
    async def handler(_: TaskContext) -> Outcome:
        nested: list[object] = []
        for _level in range(1500):
            nested = [nested]
        return Completed(cast("dict[str, str]", {"a": nested}))

    assert (await run_beside_a_neighbour(database, handler))[0] is TaskState.FAILED


async def test_an_error_text_that_no_encoding_holds_is_recorded_as_a_failure(database: Database) -> None:
    async def handler(_: TaskContext) -> Outcome:
        return Failed("half a pair: \ud800")

    state, error = await run_beside_a_neighbour(database, handler)
    assert state is TaskState.FAILED
    assert error.startswith("Its outcome could not be stored: UnicodeEncodeError")


async def test_a_delay_beyond_the_calendar_is_a_failure(database: Database) -> None:
    async def handler(_: TaskContext) -> Outcome:
        return Retry("Retry-After: 10**15", delay=timedelta.max)

    state, error = await run_beside_a_neighbour(database, handler, max_attempts=3)
    assert (state, error.partition(" date")[0]) == (
        TaskState.FAILED,
        "Its outcome could not be stored: OverflowError:",
    )


async def test_a_handler_that_never_returns_ends_at_its_timeout(database: Database) -> None:
    async def handler(_: TaskContext) -> Outcome:
        await anyio.sleep_forever()
        raise AssertionError("never reached")

    assert await run_beside_a_neighbour(database, handler, timeout=timedelta(milliseconds=1)) == (
        TaskState.FAILED,
        "It did not end within its timeout of 0:00:00.001000. (gave up after 1 attempts)",
    )


async def test_a_timeout_is_a_retry_not_a_crash(database: Database) -> None:
    async def handler(ctx: TaskContext) -> Outcome:
        if ctx.task.attempt == 1:
            await anyio.sleep_forever()
        return Completed(NOTHING)

    (task,) = put(database, fetch(timeout=timedelta(milliseconds=50)))
    await manager(database, {"work": handler}).execute_queues()
    history = database.read_now(lambda tx: attempts_of(tx, task))
    assert [attempt.outcome for attempt in history] == ["retry", "completed"]


async def test_a_kind_that_nobody_knows_has_failed(database: Database) -> None:
    state, error = await run_beside_a_neighbour(database, succeed, kind="from the future")
    assert state is TaskState.FAILED
    assert "'from the future'" in error


async def test_a_handler_sees_which_attempt_it_is(database: Database) -> None:
    seen: list[tuple[int, int]] = []

    async def handler(ctx: TaskContext) -> Outcome:
        seen.append((ctx.task.attempt, ctx.task.claim))
        return Retry("again")

    await run_beside_a_neighbour(database, handler, max_attempts=3)
    assert seen == [(1, 1), (2, 2), (3, 3)]
