"""Writes that come together are committed together, and yet each stands or falls alone."""

import threading
from collections.abc import Callable

import anyio
import anyio.lowlevel
import apsw

from queues.database import Database, Transaction
from queues.errors import StorageError
from queues.topics import Topic
from tests.queues.desk import fetch
from tests.queues.running import PATIENCE, put


def commits(database: Database) -> int:
    """Grows with every commit of anybody else."""
    ((version,),) = database.read_now(lambda tx: tx.rows("PRAGMA data_version"))
    return version


def note(word: str) -> Callable[[Transaction], str]:
    def write(tx: Transaction) -> str:
        tx.run("INSERT INTO holds VALUES ('data_fetcher', :word, 'a note', 0, NULL)", word=word)
        return word

    return write


def notes(database: Database) -> list[str]:
    return [
        word for (word,) in database.read_now(lambda tx: tx.rows("SELECT source FROM holds ORDER BY source"))
    ]


class Gate:
    """A write that holds the thread until it is opened, so that others come to wait behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, _: Transaction) -> None:
        self.entered.set()
        assert self.opened.wait(PATIENCE)


async def behind_a_gate(database: Database, *works: Callable[[Transaction], object]) -> list[object]:
    """What becomes of works that all wait while another write goes on."""
    ended: list[object] = [None] * len(works)
    gate = Gate()

    async def write(position: int) -> None:
        try:
            ended[position] = await database.write(works[position])
        except (StorageError, KeyError) as error:
            ended[position] = error

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(database.write, gate)
            await anyio.to_thread.run_sync(gate.entered.wait)
            for position in range(len(works)):
                tasks.start_soon(write, position)
            await anyio.wait_all_tasks_blocked()
            gate.opened.set()
    return ended


async def test_writes_that_wait_for_one_commit_share_the_next(database: Database) -> None:
    before = commits(database)
    words = [f"{number:02}" for number in range(20)]
    assert await behind_a_gate(database, *map(note, words)) == words
    assert notes(database) == words
    assert commits(database) - before == 1  # the gate itself changed nothing


async def test_the_error_of_one_undoes_nothing_of_its_neighbours(database: Database) -> None:
    def fail(tx: Transaction) -> None:
        note("undone")(tx)
        tx.touch()
        raise KeyError("a bug")

    first, error, last = await behind_a_gate(database, note("a"), fail, note("b"))
    assert (first, last, notes(database)) == ("a", "b", ["a", "b"])
    assert isinstance(error, KeyError)


async def test_a_disk_that_is_full_for_one_takes_nothing_from_its_neighbours(database: Database) -> None:
    def fill_disk(tx: Transaction) -> None:
        # What SQLite does by itself when it cannot even keep what it needs to undo one of them.
        tx.rows("ROLLBACK")
        raise apsw.FullError("database or disk is full")

    first, error, last = await behind_a_gate(database, note("a"), fill_disk, note("b"))
    assert (first, last, notes(database)) == ("a", "b", ["a", "b"])
    assert isinstance(error, StorageError)


async def test_a_job_that_joins_a_write_and_fails_undoes_nothing_of_it(database: Database) -> None:
    def join_and_fail(tx: Transaction) -> None:
        note("undone")(tx)
        raise KeyError("a bug")

    def bring_work(tx: Transaction) -> str:
        tx.touch(Topic.DATA_FETCHER)
        return note("kept")(tx)

    with database.park(Topic.DATA_FETCHER, join_and_fail) as joining:
        assert await database.write(bring_work) == "kept"
    assert await joining.result() is None
    assert notes(database) == ["kept"]


async def test_a_job_joins_only_a_write_about_its_topic_and_only_one(database: Database) -> None:
    def bring_work(tx: Transaction) -> None:
        tx.touch(Topic.DATA_FETCHER)

    with database.park(Topic.AI_ANALYSIS, note("never")) as never:
        with database.park(Topic.DATA_FETCHER, note("once")) as once:
            await database.write(bring_work)
            await database.write(bring_work)
        assert await once.result() == "once"
    assert await never.result() is None
    assert notes(database) == ["once"]


async def test_a_write_that_is_given_up_before_its_turn_is_never_made(database: Database) -> None:
    gate = Gate()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.write, gate)
        await anyio.to_thread.run_sync(gate.entered.wait)
        async with anyio.create_task_group() as given_up:
            given_up.start_soon(database.write, note("never"))
            await anyio.wait_all_tasks_blocked()
            given_up.cancel_scope.cancel()
        gate.opened.set()
    assert notes(database) == []


async def test_a_write_that_is_given_up_in_its_turn_is_waited_for(database: Database) -> None:
    gate = Gate()

    def write(tx: Transaction) -> None:
        gate(tx)
        note("made")(tx)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.write, write)
        await anyio.to_thread.run_sync(gate.entered.wait)
        tasks.cancel_scope.cancel()
        gate.opened.set()
    assert notes(database) == ["made"]


async def test_the_event_loop_turns_while_a_commit_waits(database: Database) -> None:
    gate = Gate()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.write, gate)
        await anyio.to_thread.run_sync(gate.entered.wait)
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        assert await database.read(lambda tx: tx.row("SELECT count(*) FROM tasks")) == (0,)
        gate.opened.set()


async def test_what_waits_when_the_database_is_closed_is_written_first(database: Database) -> None:
    gate = Gate()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.write, gate)
        await anyio.to_thread.run_sync(gate.entered.wait)
        tasks.start_soon(database.write, note("last"))
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(anyio.to_thread.run_sync, gate.opened.set)
        await anyio.to_thread.run_sync(database.close)
    reopened = Database(database.path, {})
    try:
        assert notes(reopened) == ["last"]
        put(reopened, fetch())
    finally:
        reopened.close()
