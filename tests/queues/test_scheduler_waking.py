"""An idle desk sleeps, and wakes for everything that changes what may start."""

from datetime import timedelta

import anyio
import pytest

from queues import worker as worker_module
from queues.control import retry_task
from queues.database import Database, Transaction
from queues.holds import approve_old, hold_queue, release_queue
from queues.model import QueueName, Sibling, Task, TaskState
from queues.store import claim_next
from tests.queues.desk import ANALYSIS, FETCH, SYNC, fetch, new
from tests.queues.running import HANDLERS, PATIENCE, look, manager, put, serving, until_ended


async def test_an_idle_desk_wakes_on_enqueue(database: Database) -> None:
    desk = manager(database, HANDLERS)
    async with serving(desk):
        await anyio.wait_all_tasks_blocked()
        (task,) = put(database, fetch())
        assert (await until_ended(desk, database, task)).state is TaskState.COMPLETED


async def test_an_idle_desk_wakes_on_release_retry_approval_and_the_end_of_a_prerequisite(
    database: Database,
) -> None:
    def old(tx: Transaction) -> None:
        tx.run("UPDATE tasks SET asked_at = 0 WHERE id = 'fetch-1'")

    database.write_now(lambda tx: hold_queue(tx, ANALYSIS, "user", "maintenance"))
    fetched, analysed = put(
        database, fetch(approval_window=timedelta(hours=24)), new(ANALYSIS, after=(Sibling(0),))
    )
    database.write_now(old)
    desk = manager(database, HANDLERS)
    async with serving(desk):
        await anyio.wait_all_tasks_blocked()
        assert look(database, fetched).state is TaskState.QUEUED
        database.write_now(lambda tx: approve_old(tx, FETCH))
        await until_ended(desk, database, fetched)
        database.write_now(lambda tx: release_queue(tx, ANALYSIS))
        await until_ended(desk, database, analysed)
        database.write_now(lambda tx: retry_task(tx, analysed.id))
        assert (await until_ended(desk, database, analysed)).claim == 2


async def test_an_idle_desk_wakes_at_the_next_due_time_and_the_end_of_a_hold(database: Database) -> None:
    soon = database.clock() + timedelta(milliseconds=30)
    database.write_now(lambda tx: hold_queue(tx, FETCH, "user", "lunch", until=soon))
    held, due = put(database, fetch(), new(SYNC, due_at=soon))
    desk = manager(database, HANDLERS)
    async with serving(desk):
        for task in (held, due):
            ended = await until_ended(desk, database, task)
            assert ended.started_at is not None
            assert ended.started_at >= soon


async def test_what_falls_due_between_the_claim_and_the_look_is_not_slept_through(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [database.clock()]
    (task,) = put(database, fetch(due_at=moment[0] + timedelta(hours=1)))

    def claim_and_let_time_pass(tx: Transaction, queue: QueueName, epoch: int) -> Task | None:
        claimed = claim_next(tx, queue, epoch)
        if queue is FETCH:
            moment[0] += timedelta(hours=2)
        return claimed

    monkeypatch.setattr(database, "clock", lambda: moment[0])
    monkeypatch.setattr(worker_module, "claim_next", claim_and_let_time_pass)
    with anyio.fail_after(PATIENCE):
        await manager(database, HANDLERS).execute_queues()
    assert look(database, task).state is TaskState.COMPLETED
