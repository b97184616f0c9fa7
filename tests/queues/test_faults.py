"""What a disk, a file or a clock can do: one clear sentence, nothing lost, and the queues go on by themselves."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from queues.backup import back_up, restore
from queues.context import TaskContext
from queues.database import Database
from queues.doorbell import answers
from queues.errors import DatabaseError, StorageError
from queues.inspection import attempts_of, intervals, overlaps
from queues.model import Task, TaskState
from queues.outcome import Completed, Outcome
from queues.scheduler import engine_migrations
from queues.topics import EVERYTHING
from tests.queues.desk import START, Desk, fetch
from tests.queues.running import (
    HANDLERS,
    PATIENCE,
    look,
    manager,
    open_database,
    put,
    serving,
    until_ended,
)

LARGE = {"text": "x" * 20_000}
WAL_BOUND = 8_000_000 + 4_200_000  # what is kept of it, and what is written to it at once
can_mount = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux may mount a small disk"
)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def again_and_again(work: Callable[[], object]) -> None:
    while True:
        work()


def fill(disk: Path) -> Callable[[], None]:
    """Leave no room on the disk; what is returned makes room again."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        again_and_again(lambda: file.write(bytes(4096)))
    return filler.unlink


def enqueue_until_full(database: Database) -> int:
    """How many were stored until there was no room, also none in the log, for another one."""
    stored: list[Task] = []
    with pytest.raises(StorageError, match=r"cannot be used now \(.*full\); nothing was changed"):
        again_and_again(lambda: stored.extend(put(database, fetch(payload=LARGE))))
    return len(stored)


def count(database: Database) -> int:
    (row,) = database.read_now(lambda tx: tx.rows("SELECT count(*) FROM tasks"))
    return row[0]


@can_mount
def test_on_a_full_disk_an_enqueue_is_refused_with_a_sentence_and_works_again_with_room(
    small_disk: Path,
) -> None:
    database = open_database(small_disk)
    make_room = fill(small_disk)
    stored = enqueue_until_full(database)
    assert count(database) == stored
    make_room()
    put(database, fetch(payload=LARGE))
    assert count(database) == stored + 1
    assert database.read_now(lambda tx: tx.row("PRAGMA integrity_check")) == ("ok",)
    database.close()


@can_mount
async def test_a_task_that_ends_on_a_full_disk_is_recorded_once_there_is_room(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queues.database.TRY_AGAIN_SECONDS", 0.01)
    database = open_database(small_disk)
    runs: list[int] = []

    refused = anyio.Event()
    monkeypatch.setattr("queues.database.log.error", lambda *_: refused.set())  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType] (any message)

    async def fill_the_disk(ctx: TaskContext) -> Outcome:
        runs.append(ctx.task.claim)
        make_room = fill(small_disk)
        enqueue_until_full(database)
        tasks.start_soon(make_room_once_refused, make_room)
        return Completed(LARGE)

    async def make_room_once_refused(make_room: Callable[[], None]) -> None:
        await refused.wait()
        make_room()

    task, following = put(database, fetch(kind="fill"), fetch(priority=-1))
    async with anyio.create_task_group() as tasks:
        desk = manager(database, {**HANDLERS, "fill": fill_the_disk})
        async with serving(desk):
            assert (await until_ended(desk, database, task)).state is TaskState.COMPLETED
            await until_ended(desk, database, following)
    assert refused.is_set()
    assert runs == [1]
    assert [attempt.outcome for attempt in database.read_now(lambda tx: attempts_of(tx, task))] == [
        "completed"
    ]
    database.close()


@can_mount
def test_a_backup_onto_a_full_disk_leaves_nothing_there(database: Database, small_disk: Path) -> None:
    put(database, fetch())
    fill(small_disk)
    with pytest.raises(DatabaseError, match="full"):
        back_up(database.path, small_disk / "backup.db")
    assert list(small_disk.iterdir()) == [small_disk / "filler"]


@can_mount
def test_a_restore_onto_a_full_disk_changes_nothing(
    database: Database, small_disk: Path, tmp_path: Path
) -> None:
    put(database, fetch(payload=LARGE))
    back_up(database.path, tmp_path / "backup.db")
    there = open_database(small_disk)
    (task,) = put(there, fetch())
    fill(small_disk)
    with pytest.raises(DatabaseError, match="full"):
        restore(there.path, tmp_path / "backup.db", {"queues": engine_migrations()}, START)
    assert look(there, task).state is TaskState.QUEUED
    there.close()


@can_mount
def test_a_home_that_cannot_be_written_is_refused_with_a_sentence(small_disk: Path) -> None:
    database = open_database(small_disk)
    put(database, fetch())
    database.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(DatabaseError, match=r"desk\.db cannot be opened \("):
        open_database(small_disk)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    database = open_database(small_disk)
    assert count(database) == 1
    database.close()


def overwrite(path: Path, start: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * length)


def lose_the_header(path: Path) -> None:
    overwrite(path, 0, 100)


def lose_the_end(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The file of a database that holds some hundreds of tasks, and that nobody has open."""
    database = open_database(tmp_path)
    put(database, *(fetch(payload={"text": "x" * 500}) for _ in range(300)))
    database.close()
    return database.path


@pytest.mark.parametrize("harm", [lose_the_header, lose_the_end, become_a_folder])
def test_a_file_that_is_no_database_any_more_is_refused_with_a_sentence_and_left_as_it_is(
    filled: Path, harm: Callable[[Path], None]
) -> None:
    harm(filled)
    left = filled.read_bytes() if filled.is_file() else None
    with pytest.raises(DatabaseError, match=r"desk\.db cannot be opened \(.*\); "):
        open_database(filled.parent)
    assert (filled.read_bytes() if filled.is_file() else None) == left


def test_a_damaged_page_is_named_by_what_meets_it(filled: Path) -> None:
    size = filled.stat().st_size
    overwrite(filled, size // 2, size // 2)  # the schema stands before
    database = open_database(filled.parent)
    with pytest.raises(DatabaseError, match=r"desk\.db is damaged \(.*\); "):
        database.read_now(lambda tx: tx.rows("SELECT * FROM tasks"))
    database.close()


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(DatabaseError, match="another program"):
        open_database(tmp_path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("songs",)]


def test_after_the_clock_was_set_back_tasks_start_at_once_and_no_attempt_begins_before_the_last_one_ended(
    desk: Desk,
) -> None:
    first, second, third = desk.enqueue(fetch(), fetch(), fetch())
    desk.pass_time(timedelta(seconds=5))
    running = desk.start()
    desk.pass_time(timedelta(seconds=5))
    desk.pass_time(-timedelta(hours=3))
    assert desk.end(running).id == first.id
    assert desk.run_one().id == second.id
    desk.pass_time(-timedelta(days=400))
    assert desk.run_one().id == third.id
    attempts = desk.do(intervals)
    assert [attempt.task_id for attempt in attempts] == [first.id, second.id, third.id]
    assert overlaps(attempts) == []


WRITE_MANY = """
import sys
from pathlib import Path
from tests.queues.running import open_database, put, fetch

database = open_database(Path(sys.argv[1]))
for _ in range(100):
    put(database, fetch(payload={"text": "x" * 100_000}))
database.close()
"""
READ_BY_TURNS = """
import itertools, sqlite3, sys, time

pair = [sqlite3.connect(sys.argv[1], isolation_level=None) for _ in range(2)]
pair[0].execute("BEGIN")
pair[0].execute("SELECT count(*) FROM tasks").fetchone()
print("reads", flush=True)
for one, other in itertools.cycle([pair, pair[::-1]]):
    time.sleep(0.02)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM tasks").fetchone()
    one.execute("COMMIT")
"""
LOOK_AND_STAND_STILL = """
import sqlite3, sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM tasks").fetchone()
print("looks", flush=True)
sys.stdin.read()
"""


def wal_size(database: Database) -> int:
    return Path(f"{database.path}-wal").stat().st_size


def test_the_log_stays_bounded_while_several_processes_write(database: Database) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITE_MANY, database.path.parent]) for _ in range(3)]
    largest = 0
    while any(writer.poll() is None for writer in writers):
        put(database, fetch())
        largest = max(largest, wal_size(database))
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert count(database) > 300  # of 100 kB each
    assert largest < 2 * WAL_BOUND  # on a busy machine the others may be waited for once in vain


def test_the_log_stays_bounded_while_there_is_always_somebody_who_reads(database: Database) -> None:
    command = [sys.executable, "-c", READ_BY_TURNS, database.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as readers:
        assert readers.stdout is not None
        assert readers.stdout.readline() == b"reads\n"
        largest = 0
        for _ in range(50):
            put(database, *(fetch(payload=LARGE) for _ in range(40)))
            largest = max(largest, wal_size(database))
        readers.kill()
    assert largest < 2 * WAL_BOUND


def test_the_log_that_a_reader_kept_growing_shrinks_once_the_reader_has_gone(database: Database) -> None:
    command = [sys.executable, "-c", LOOK_AND_STAND_STILL, database.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"looks\n"
        for _ in range(40):
            put(database, *(fetch(payload=LARGE) for _ in range(20)))
        assert wal_size(database) > WAL_BOUND
        reader.kill()
    for _ in range(3):  # one empties it, the next begins it anew
        put(database, fetch())
    assert wal_size(database) < WAL_BOUND


async def test_the_loop_of_a_leader_answers_while_another_process_keeps_the_database_busy(
    database: Database,
) -> None:
    desk = manager(database, HANDLERS)
    async with serving(desk):
        (task,) = put(database, fetch())
        await until_ended(desk, database, task)
        (waiting,) = put(database, fetch())
        with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            desk.bell.ring_here(EVERYTHING)
            await anyio.wait_all_tasks_blocked()
            assert await answers(desk.bell.port, timedelta(seconds=PATIENCE))
            other.execute("COMMIT")
        await until_ended(desk, database, waiting)
