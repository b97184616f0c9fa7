"""Leaving in order loses no attempt; whoever leads next goes on where it stopped."""

import anyio
import anyio.from_thread
import anyio.lowlevel
import apsw
import pytest

from queues import worker as worker_module
from queues.context import TaskContext
from queues.control import cancel_task
from queues.database import Database, Transaction
from queues.errors import StorageError
from queues.holds import hold_queue, release_queue
from queues.inspection import attempts_of
from queues.lifecycle import interrupt, take_over
from queues.model import QueueName, Task, TaskState
from queues.outcome import Completed, Outcome
from queues.store import claim_next
from tests.queues.desk import FETCH, NOTHING, fetch
from tests.queues.running import (
    HANDLERS,
    PATIENCE,
    drain,
    look,
    manager,
    put,
    serving,
    states,
    succeed,
    until_ended,
    until_running,
)


async def hang(_: TaskContext) -> Outcome:
    await anyio.sleep_forever()
    raise AssertionError("never reached")


async def test_an_interrupt_loses_no_attempt_and_starts_nothing_more(database: Database) -> None:
    running, waiting = put(database, fetch(kind="hang", max_attempts=1), fetch())
    desk = manager(database, {"hang": hang, "work": succeed})
    async with serving(desk):
        await until_running(desk, database, running)
        assert desk.interrupt() == [running.id]
        assert not desk.is_leader
        await anyio.wait_all_tasks_blocked()
        assert states(database, [running, waiting]) == [TaskState.QUEUED, TaskState.QUEUED]
    assert (look(database, running).attempt, look(database, running).max_attempts) == (0, 1)
    assert desk.interrupt() == []
    order = await drain(manager(database, {"hang": succeed, "work": succeed}))
    assert order[FETCH] == [running.id, waiting.id]


async def test_leaving_without_a_word_loses_no_attempt_either(database: Database) -> None:
    (task,) = put(database, fetch(kind="hang"))
    desk = manager(database, {"hang": hang})
    async with serving(desk):
        await until_running(desk, database, task)
    (attempt,) = database.read_now(lambda tx: attempts_of(tx, task))
    assert (look(database, task).attempt, attempt.outcome) == (0, "interrupted")


async def test_a_claim_in_the_moment_of_leaving_loses_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    async def note(ctx: TaskContext) -> Outcome:
        started.append(ctx.task.id)
        return Completed(NOTHING)

    def claim_while_leaving(tx: Transaction, queue: QueueName, epoch: int) -> Task | None:
        claimed = claim_next(tx, queue, epoch)
        if claimed is not None:
            anyio.from_thread.run_sync(leaving.cancel_scope.cancel, token=token)
        return claimed

    token = anyio.lowlevel.current_token()
    (task,) = put(database, fetch(max_attempts=1))
    monkeypatch.setattr(worker_module, "claim_next", claim_while_leaving)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(manager(database, {"work": note}).run)
    assert (started, look(database, task).state, look(database, task).attempt) == ([], TaskState.QUEUED, 0)


async def test_a_manager_can_lead_again_after_it_left(database: Database) -> None:
    desk = manager(database, HANDLERS)
    for _ in range(3):
        put(database, fetch())
        async with serving(desk):
            await anyio.wait_all_tasks_blocked()
        await drain(desk)
    assert database.read_now(lambda tx: tx.row("SELECT count(*) FROM tasks WHERE state = 'completed'")) == (
        3,
    )


async def test_a_second_manager_waits_until_the_first_has_left_and_re_runs_nothing(
    database: Database,
) -> None:
    first, second = manager(database, {"hang": hang}), manager(database, HANDLERS)
    running, waiting = put(database, fetch(kind="hang"), fetch())
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as later:
            async with serving(first):
                await until_running(first, database, running)
                await later.start(second.run)
                await anyio.wait_all_tasks_blocked()
                assert (first.is_leader, second.is_leader) == (True, False)
                assert look(database, running).claim == 1
                database.write_now(lambda tx: hold_queue(tx, FETCH, "user", "so that the second gets it"))
                database.write_now(lambda tx: cancel_task(tx, running.id, "stop"))
                await until_ended(first, database, running)
            database.write_now(lambda tx: release_queue(tx, FETCH))
            await until_ended(second, database, waiting)
            assert second.is_leader
            later.cancel_scope.cancel()


async def test_housekeeping_that_fails_does_not_end_the_queues(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [apsw.BusyError("database is locked")]

    def forget(*_: object) -> int:
        if failures:
            raise failures.pop()
        return 0

    monkeypatch.setattr("queues.scheduler.forget_finished", forget)
    monkeypatch.setattr("queues.database.TRY_AGAIN_SECONDS", 0)
    desk = manager(database, HANDLERS)
    async with serving(desk):
        (task,) = put(database, fetch())
        await until_ended(desk, database, task)
    assert failures == []


async def test_a_leader_that_cannot_write_yet_tries_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [apsw.BusyError("database is locked"), apsw.FullError("database or disk is full")]

    def take_over_at_last(tx: Transaction, command: str, port: int) -> int:
        if failures:
            raise failures.pop()
        return take_over(tx, command, port)

    monkeypatch.setattr("queues.scheduler.take_over", take_over_at_last)
    monkeypatch.setattr("queues.database.TRY_AGAIN_SECONDS", 0)
    put(database, fetch())
    assert (await drain(manager(database, HANDLERS)))[FETCH] == ["fetch-1"]


async def test_an_interruption_that_could_not_be_written_is_tried_again_at_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [apsw.BusyError("database is locked")]

    def fail_once(tx: Transaction, epoch: int) -> list[str]:
        if failures:
            raise failures.pop()
        return interrupt(tx, epoch)

    monkeypatch.setattr("queues.scheduler.interrupt", fail_once)
    (task,) = put(database, fetch(kind="hang"))
    desk = manager(database, {"hang": hang})
    async with serving(desk):
        await until_running(desk, database, task)
        with pytest.raises(StorageError):
            desk.interrupt()
    assert (look(database, task).state, look(database, task).attempt) == (TaskState.QUEUED, 0)


async def test_the_lock_is_given_up_even_if_the_interruption_cannot_be_written(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[str]:
        raise apsw.FullError("database or disk is full")

    desk = manager(database, HANDLERS)
    with monkeypatch.context() as patch, pytest.RaisesGroup(StorageError):
        patch.setattr("queues.scheduler.interrupt", fail)
        await desk.execute_queues()
    put(database, fetch())
    assert (await drain(manager(database, HANDLERS)))[FETCH] == ["fetch-1"]
