"""A database that became another one under a living leader: it ends what it ran, and leads the new one anew."""

import anyio

from queues.context import TaskContext
from queues.database import Database, Transaction
from queues.inspection import attempts_of
from queues.leader import lock_path
from queues.lifecycle import find_leader
from queues.model import TaskState
from queues.outcome import Completed, Outcome
from queues.topics import EVERYTHING
from tests.queues.desk import FETCH, NOTHING, fetch
from tests.queues.running import look, manager, put, serving, until_ended, until_running


def become_another(tx: Transaction) -> None:
    """What a restored backup changes for the engine: another epoch, and nothing runs."""
    tx.run("UPDATE leader SET epoch = epoch + 7")
    tx.run("UPDATE attempts SET ended_at = started_at, outcome = 'interrupted' WHERE ended_at IS NULL")
    tx.run("UPDATE tasks SET state = 'queued', attempt = attempt - 1 WHERE state = 'running'")
    tx.touch(EVERYTHING)


async def test_a_leader_ends_what_it_ran_and_goes_on_with_the_new_database(database: Database) -> None:
    ended: list[int] = []

    async def hang_at_first(ctx: TaskContext) -> Outcome:
        try:
            if ctx.task.claim == 1:
                await anyio.sleep_forever()
            return Completed(NOTHING)
        finally:
            ended.append(ctx.task.claim)

    desk = manager(database, {"work": hang_at_first})
    (task,) = put(database, fetch(max_attempts=1))
    async with serving(desk):
        await until_running(desk, database, task)
        before = database.read_now(lambda tx: find_leader(tx, lock_path(database.path)))
        database.write_now(become_another)
        done = await until_ended(desk, database, task)
    after = database.read_now(lambda tx: find_leader(tx, lock_path(database.path)))
    assert (done.state, done.attempt, ended) == (TaskState.COMPLETED, 1, [1, 2])
    assert before is not None
    assert after is not None
    assert after.epoch > before.epoch + 7
    outcomes = [each.outcome for each in database.read_now(lambda tx: attempts_of(tx, task))]
    assert outcomes == ["interrupted", "completed"]


async def test_an_idle_leader_notices_it_with_the_next_task(database: Database) -> None:
    desk = manager(database, {"work": _succeed})
    async with serving(desk):
        await anyio.wait_all_tasks_blocked()
        database.write_now(become_another)
        (task,) = put(database, fetch())
        assert (await until_ended(desk, database, task)).state is TaskState.COMPLETED


async def test_a_run_until_drained_says_why_it_ended_early(database: Database) -> None:
    async def replace(_: TaskContext) -> Outcome:
        await anyio.to_thread.run_sync(database.write_now, become_another)
        await anyio.sleep_forever()
        return Completed(NOTHING)

    (task,) = put(database, fetch(kind="replace"))
    with anyio.fail_after(25):
        report = (await manager(database, {"replace": replace}).execute_queues())[FETCH]
    assert "epoch" in str(report.error)
    assert look(database, task).state is TaskState.QUEUED


async def _succeed(_: TaskContext) -> Outcome:
    return Completed(NOTHING)
