"""Every released version's database (tests/queues/released) is opened by today's code, and nothing of it is lost."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handlers.analyst.costs import sessions_of_task
from handlers.portfolio import current_holdings
from handlers.verdicts import latest_verdicts
from queues.database import Database, Transaction
from queues.errors import DatabaseError
from queues.inspection import TaskFilter, attempts_of, list_tasks, totals
from queues.leader import LeaderLock, lock_path
from queues.lifecycle import take_over
from queues.model import QueueName, Task, TaskState
from queues.store import find_task
from server.desk import migrations
from tests.queues.running import HANDLERS, drain, fetch, manager, put

RELEASED = sorted((Path(__file__).parent / "released").glob("*.sql"))
EVERY_TASK = TaskFilter()
Rows = dict[str, list[tuple[Any, ...]]]


def open_today(path: Path) -> Database:
    return Database(path, migrations())


@pytest.fixture(params=RELEASED, ids=lambda path: path.stem)
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "stockdesk.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(request.param.read_text("utf-8"))
    return path


@pytest.fixture
def database(released: Path) -> Iterator[Database]:
    database = open_today(released)
    yield database
    database.close()


def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def columns_of(path: Path) -> dict[str, str]:
    tables = ask(
        path,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('schema_versions', 'sqlite_sequence')",
    )
    return {
        table: ", ".join(name for (name,) in ask(path, f"SELECT name FROM pragma_table_info('{table}')"))
        for (table,) in tables
    }


def rows_of(path: Path, columns: dict[str, str]) -> Rows:
    return {
        table: ask(path, f"SELECT {names} FROM {table} ORDER BY {names}") for table, names in columns.items()
    }


def schema(path: Path) -> set[tuple[str, str, str]]:
    rows = ask(path, "SELECT type, name, coalesce(sql, '') FROM sqlite_schema")
    return {(kind, name, re.sub(r"\s+", " ", sql)) for kind, name, sql in rows}


def every_task(tx: Transaction) -> list[Task]:
    return list_tasks(tx, EVERY_TASK, limit=1000)[0]


def running(tx: Transaction) -> list[Task]:
    return list_tasks(tx, TaskFilter(states=[TaskState.RUNNING]), limit=3)[0]


def test_it_holds_something_in_every_table_and_an_attempt_that_runs_in_every_queue(released: Path) -> None:
    rows = rows_of(released, columns_of(released))
    assert [table for table, found in rows.items() if not found] == []
    database = open_today(released)
    assert {task.queue for task in database.read_now(running)} == set(QueueName)
    database.close()


def test_every_row_is_still_there(released: Path) -> None:
    columns = columns_of(released)
    before = rows_of(released, columns)
    open_today(released).close()
    assert rows_of(released, columns) == before
    assert ask(released, "PRAGMA foreign_key_check") == []


def test_the_ids_go_on_after_the_last_one_that_was_given(released: Path) -> None:
    ((last,),) = ask(released, "SELECT seq FROM sqlite_sequence WHERE name = 'tasks'")
    with closing(sqlite3.connect(released)) as connection, connection:
        connection.execute("DELETE FROM tasks WHERE seq = ?", (last,))  # as if it had been forgotten
    database = open_today(released)
    (task,) = put(database, fetch())
    assert task.seq == last + 1
    database.close()


def test_the_schema_is_that_of_a_fresh_database(released: Path, tmp_path: Path) -> None:
    open_today(released).close()
    fresh = tmp_path / "fresh.db"
    open_today(fresh).close()
    assert schema(released) == schema(fresh)


async def test_it_is_not_touched_while_a_process_of_its_own_version_leads(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queues.connection.BUSY_TIMEOUT_MS", 0)
    leader = LeaderLock(lock_path(released))
    await leader.acquire()
    before = schema(released)
    with pytest.raises(DatabaseError, match="An older Stockdesk runs the queues"):
        open_today(released)
    assert schema(released) == before
    leader.release()
    open_today(released).close()


def test_what_is_counted_is_what_there_is(database: Database) -> None:
    tasks = database.read_now(every_task)
    for queue in QueueName:
        states = [task.state for task in tasks if task.queue is queue]
        counted = database.read_now(lambda tx, queue=queue: totals(tx, queue))
        assert counted == {state: states.count(state) for state in TaskState}


def test_what_a_dead_process_left_running_is_rescued(database: Database) -> None:
    left = database.read_now(running)
    database.write_now(lambda tx: take_over(tx, "test"))
    for task in left:
        now = database.read_now(lambda tx, task=task: find_task(tx, task.id))
        if task.cancel_requested:
            assert now.state is TaskState.CANCELLED
        elif task.attempt == task.max_attempts:
            assert now.state is TaskState.FAILED
        else:
            assert (now.state, now.attempt, now.carried) == (TaskState.QUEUED, task.attempt, True)
        outcomes = [
            attempt.outcome for attempt in database.read_now(lambda tx, now=now: attempts_of(tx, now))
        ]
        assert None not in outcomes


async def test_its_queues_go_on(database: Database) -> None:
    database.write_now(lambda tx: tx.run("DELETE FROM holds"))
    waiting = [task for task in database.read_now(every_task) if task.state is TaskState.QUEUED]
    database.write_now(lambda tx: tx.run("UPDATE tasks SET due_at = enqueued_at WHERE state = 'queued'"))
    ended = await drain(manager(database, HANDLERS))
    assert {task.id for task in waiting} <= {task_id for ids in ended.values() for task_id in ids}


def test_holdings_verdicts_and_costs_are_readable(database: Database) -> None:
    def read(tx: Transaction) -> None:
        assert current_holdings(tx)
        (verdict, *_) = latest_verdicts(tx)
        assert verdict.evidence
        (session,) = sessions_of_task(tx, verdict.task_id)
        assert session.ended_as == "success"

    database.read_now(read)
