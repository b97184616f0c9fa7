"""The file under the engine: whole transactions, several writers, no blocked loop, a schema that only grows."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import apsw
import pytest

from queues.database import Database, Transaction
from queues.errors import DatabaseError
from queues.leader import lock_path, try_to_hold
from queues.scheduler import engine_migrations
from queues.store import enqueue
from tests.queues.desk import fetch
from tests.queues.running import HANDLERS, PATIENCE, manager, open_database, put


def count_tasks(database: Database) -> int:
    row = database.read_now(lambda tx: tx.row("SELECT count(*) FROM tasks"))
    assert row is not None
    return row[0]


def put_one(tx: Transaction) -> None:
    enqueue(tx, [fetch()])


async def test_the_loop_goes_on_while_another_process_writes(database: Database) -> None:
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.write, put_one)
        await anyio.wait_all_tasks_blocked()
        other.execute("COMMIT")  # reached only because the waiting write does not hold the loop
    other.close()
    assert count_tasks(database) == 1


def test_a_queue_fed_by_events_does_not_grow(database: Database) -> None:
    for _ in range(500):
        put(database, fetch(dedup_key="price of INFY"))
    assert count_tasks(database) == 1


def test_many_writers_wait_for_each_other_and_none_is_refused(tmp_path: Path) -> None:
    databases = [open_database(tmp_path) for _ in range(4)]

    def write_fifty(database: Database) -> None:
        for _ in range(50):
            put(database, fetch())

    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(write_fifty, databases))
    assert count_tasks(databases[0]) == 200
    for database in databases:
        database.close()


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def enqueue_and_fail(tx: Transaction) -> None:
        put_one(tx)
        raise KeyError("the caller fails")

    with pytest.raises(KeyError):
        await database.write(enqueue_and_fail)
    assert count_tasks(database) == 0
    await database.write(put_one)
    assert count_tasks(database) == 1


def test_a_transaction_has_one_moment(database: Database) -> None:
    assert database.write_now(lambda tx: tx.now - tx.now).total_seconds() == 0
    first, second = put(database, fetch(), fetch())
    assert first.enqueued_at == second.enqueued_at


def test_a_schema_step_runs_once_and_a_new_one_is_added(tmp_path: Path) -> None:
    steps = ["CREATE TABLE notes (text TEXT)"]
    Database(tmp_path / "a.db", {"notes": steps}).close()
    steps.append("ALTER TABLE notes ADD COLUMN author TEXT")
    for _ in range(2):
        database = Database(tmp_path / "a.db", {"notes": steps})
        assert database.write_now(lambda tx: tx.run("INSERT INTO notes VALUES ('a', 'b')")) == 1
        database.close()


def test_a_schema_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    broken = ["CREATE TABLE notes (text TEXT); CREATE TABLE notes (text TEXT)"]
    with pytest.raises(DatabaseError, match="cannot be opened"):
        Database(tmp_path / "a.db", {"notes": broken})
    database = Database(tmp_path / "a.db", {"notes": ["CREATE TABLE notes (text TEXT)"]})
    assert database.read_now(lambda tx: tx.rows("SELECT * FROM notes")) == []
    database.close()


def test_a_file_that_a_newer_version_wrote_is_left_alone(tmp_path: Path) -> None:
    Database(tmp_path / "a.db", {"notes": ["CREATE TABLE a (b)", "CREATE TABLE c (d)"]}).close()
    with pytest.raises(DatabaseError, match="holds schema 2 of notes, this version knows 1"):
        Database(tmp_path / "a.db", {"notes": ["CREATE TABLE a (b)"]})


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("a letter to the reader, long enough to be no empty file" * 20)
    with pytest.raises(DatabaseError, match=r"a\.db cannot be opened"):
        Database(tmp_path / "a.db", {})


def test_the_sqlite_in_use_has_no_known_corruption_bug() -> None:
    assert apsw.SQLITE_VERSION_NUMBER >= 3_051_003


FIRST, SECOND = "CREATE TABLE first (x INTEGER) STRICT", "CREATE TABLE second (x INTEGER) STRICT"


def test_a_file_is_not_migrated_while_an_older_version_runs_its_queues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queues.connection.BUSY_TIMEOUT_MS", 50)
    path = tmp_path / "desk.db"
    Database(path, {"part": [FIRST]}).close()
    with try_to_hold(lock_path(path)) as is_held:
        assert is_held
        with pytest.raises(DatabaseError, match="An older Stockdesk runs the queues"):
            Database(path, {"part": [FIRST, SECOND]})
        Database(path, {"part": [FIRST]}).close()
    Database(path, {"part": [FIRST, SECOND]}).close()


async def test_a_process_leads_nothing_that_a_newer_version_has_migrated(tmp_path: Path) -> None:
    old = open_database(tmp_path)
    newer = Database(old.path, {"queues": [*engine_migrations(), SECOND]})
    with (
        anyio.fail_after(PATIENCE),
        pytest.RaisesGroup(
            pytest.RaisesExc(DatabaseError, match="install the newer"), flatten_subgroups=True
        ),
    ):
        await manager(old, HANDLERS).run()
    newer.close()
    old.close()
