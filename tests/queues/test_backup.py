"""Backup and restore while processes work: one moment is saved, and all of it is put back in one step."""

import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import anyio
import anyio.to_thread
import pytest

from queues.backup import RESTORE, Restored, back_up, inspect, restore
from queues.context import TaskContext
from queues.database import Database
from queues.errors import DatabaseError, StaleClaimError, UnknownTaskError
from queues.holds import current_holds, release_queue
from queues.inspection import TaskFilter, attempts_of, list_tasks, totals
from queues.leader import LeaderLock, lock_path
from queues.lifecycle import take_over
from queues.model import QueueName, TaskState
from queues.outcome import Completed, Outcome
from queues.scheduler import engine_migrations
from server.desk import migrations
from tests.queues.desk import ANALYSIS, START, SYNC, Desk, fetch, new
from tests.queues.running import manager, put, serving, until_ended
from tests.queues.test_processes import Home, until_all_completed, until_started

OLDEST = Path(__file__).parent / "released" / "0.1.0.sql"
NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
BEFORE = "before-restore-20240301-120000-000000.db"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "saved").mkdir()
    return tmp_path / "saved" / "backup.db"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.close()


def put_back(database: Path, backup: Path) -> Restored:
    return restore(database, backup, {"queues": engine_migrations()}, NOW)


def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def ids_in(path: Path) -> set[str]:
    return {task_id for (task_id,) in ask(path, "SELECT id FROM tasks")}


def ids_of(database: Database) -> set[str]:
    return {task.id for task in database.read_now(lambda tx: list_tasks(tx, TaskFilter(), limit=100_000))[0]}


def test_a_backup_beside_a_leader_and_a_writer_holds_one_moment(home: Home, target: Path) -> None:
    enough = Event()

    def write_triples() -> None:
        while not enough.is_set():
            put(home.database, *map(new, QueueName))

    home.start_listening()
    with ThreadPoolExecutor(1) as writers:
        writing = writers.submit(write_triples)
        for number in range(10):
            back_up(home.database.path, target.with_name(f"{number}.db"))
        enough.set()
        writing.result()
    counts: dict[str, int] = {}
    copies = sorted(target.parent.iterdir())
    assert [copy.name for copy in copies] == [f"{number}.db" for number in range(10)]
    for copy in copies:
        assert ask(copy, "PRAGMA integrity_check") == [("ok",)]
        counts = dict(ask(copy, "SELECT queue, count(*) FROM tasks GROUP BY queue"))
        assert len(set(counts.values())) <= 1
        kept = ask(copy, "SELECT queue, queued + running + completed FROM queue_totals")
        assert dict(kept) == dict.fromkeys(QueueName, 0) | counts
    assert counts


def test_a_backup_says_what_it_holds_and_only_the_user_may_read_it(desk: Desk, target: Path) -> None:
    desk.enqueue(fetch(), fetch())
    saved = back_up(desk.database.path, target)
    assert (saved.tasks, saved.newest, saved.size) == (2, START, target.stat().st_size)
    assert inspect(target) == saved
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(target.parent.iterdir()) == [target]


def test_a_backup_replaces_a_file_only_when_asked_to(desk: Desk, target: Path) -> None:
    target.write_text("a letter", "utf-8")
    with pytest.raises(DatabaseError, match="exists already"):
        back_up(desk.database.path, target)
    assert target.read_text("utf-8") == "a letter"
    back_up(desk.database.path, target, replace=True)
    assert inspect(target).tasks == 0


@pytest.mark.parametrize("where", ["no such folder/backup.db", "."])
def test_a_backup_to_a_place_that_cannot_hold_it_is_refused_with_a_sentence(
    desk: Desk, target: Path, where: str
) -> None:
    with pytest.raises(DatabaseError, match=r"; (check its|choose another) name"):
        back_up(desk.database.path, target.parent / where, replace=True)
    assert list(target.parent.iterdir()) == []


def test_a_home_without_a_database_is_not_made_one_by_a_backup(tmp_path: Path, target: Path) -> None:
    with pytest.raises(DatabaseError, match="There is no database"):
        back_up(tmp_path / "desk.db", target)
    assert not (tmp_path / "desk.db").exists()
    assert not target.exists()


def test_a_restore_brings_back_the_work_and_saves_what_it_replaces(desk: Desk, target: Path) -> None:
    done, waiting = desk.enqueue(fetch(), fetch())
    desk.run_one()
    back_up(desk.database.path, target)
    desk.run_one()
    (later,) = desk.enqueue(fetch())
    restored = put_back(desk.database.path, target)
    assert (restored.saved.tasks, restored.before, restored.again) == (
        2,
        desk.database.path.with_name(BEFORE),
        [],
    )
    assert [desk.look(task).state for task in (done, waiting)] == [TaskState.COMPLETED, TaskState.QUEUED]
    with pytest.raises(UnknownTaskError):
        desk.look(later)
    assert ids_in(desk.database.path.with_name(BEFORE)) == {done.id, waiting.id, later.id}
    counted = desk.do(lambda tx: totals(tx, done.queue))
    assert (counted[TaskState.COMPLETED], counted[TaskState.QUEUED]) == (1, 1)


def test_after_a_restore_no_id_of_a_task_comes_round_again(desk: Desk, target: Path) -> None:
    back_up(desk.database.path, target)
    (forgotten,) = desk.enqueue(fetch())
    put_back(desk.database.path, target)
    assert desk.enqueue_one(fetch()).seq == forgotten.seq + 1


def test_what_ran_when_the_backup_was_made_is_queued_again_and_has_spent_nothing(
    desk: Desk, target: Path
) -> None:
    running, unwanted = desk.enqueue(fetch(), new(ANALYSIS))
    desk.start()
    desk.cancel(desk.start(ANALYSIS), "not wanted")
    back_up(desk.database.path, target)
    assert put_back(desk.database.path, target).again == [running.id, unwanted.id]
    again = desk.look(running)
    assert (again.state, again.attempt, again.carried) == (TaskState.QUEUED, 0, True)
    assert [attempt.outcome for attempt in desk.history(running)] == ["interrupted"]
    assert desk.look(unwanted).error == "not wanted"


def test_a_worker_from_before_a_restore_can_claim_and_record_nothing(desk: Desk, target: Path) -> None:
    desk.enqueue(fetch())
    stale = desk.start()
    back_up(desk.database.path, target)
    put_back(desk.database.path, target)
    with pytest.raises(StaleClaimError):
        desk.end(stale)
    assert desk.claim() is None


@pytest.mark.parametrize("takeovers", [0, 5])
def test_the_epoch_is_higher_than_in_the_backup_and_than_it_was(
    desk: Desk, tmp_path: Path, target: Path, takeovers: int
) -> None:
    (tmp_path / "other").mkdir()
    other = Desk(tmp_path / "other")
    for _ in range(takeovers):
        other.do(lambda tx: take_over(tx, "test"))
    back_up(desk.database.path, target)
    put_back(other.database.path, target)
    ((epoch,),) = other.do(lambda tx: tx.rows("SELECT epoch FROM leader"))
    assert epoch == max(desk.epoch, other.epoch + takeovers) + 1
    other.database.close()


def test_queued_analyses_are_held_for_they_may_have_been_paid_for_since(desk: Desk, target: Path) -> None:
    (analysis,) = desk.enqueue(new(ANALYSIS))
    back_up(desk.database.path, target)
    desk.run_one(queue=ANALYSIS)
    assert put_back(desk.database.path, target).held == 1
    (hold,) = desk.do(lambda tx: current_holds(tx, ANALYSIS))
    assert (hold.source, hold.until) == (RESTORE, None)
    assert desk.waits_for(analysis) == "hold"
    desk.do(lambda tx: release_queue(tx, ANALYSIS))
    assert desk.do(lambda tx: current_holds(tx, ANALYSIS)) == []


def test_without_queued_analyses_nothing_is_held(desk: Desk, target: Path) -> None:
    desk.enqueue(fetch())
    back_up(desk.database.path, target)
    assert put_back(desk.database.path, target).held == 0
    assert desk.do(lambda tx: tx.rows("SELECT * FROM holds")) == []


def test_a_backup_of_the_oldest_version_is_migrated(desk: Desk, target: Path) -> None:
    with closing(sqlite3.connect(target)) as connection:
        connection.executescript(OLDEST.read_text("utf-8"))
    restored = restore(desk.database.path, target, migrations(), NOW)
    assert len(restored.again) == 3
    assert ids_of(desk.database) == ids_in(target)
    assert desk.do(lambda tx: tx.rows("PRAGMA foreign_key_check")) == []


def test_a_restore_into_an_empty_home_makes_its_database(desk: Desk, tmp_path: Path, target: Path) -> None:
    (task,) = desk.enqueue(fetch())
    back_up(desk.database.path, target)
    (tmp_path / "new").mkdir()
    restored = put_back(tmp_path / "new" / "desk.db", target)
    assert restored.before is None
    assert ids_in(tmp_path / "new" / "desk.db") == {task.id}


DIES_IN_A_RESTORE = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
import queues.backup
from queues.scheduler import engine_migrations

queues.backup.hold_queue = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
database, backup = map(Path, sys.argv[1:])
queues.backup.restore(database, backup, {"queues": engine_migrations()}, datetime.now(UTC))
"""


def test_a_restore_that_is_killed_has_changed_nothing(desk: Desk, target: Path) -> None:
    desk.enqueue(new(ANALYSIS))
    back_up(desk.database.path, target)
    (later,) = desk.enqueue(fetch())
    ended = subprocess.run([sys.executable, "-c", DIES_IN_A_RESTORE, desk.database.path, target], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert desk.start().id == later.id
    assert len(ids_of(desk.database)) == 2


def from_a_newer_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE schema_versions SET version = 99")
        connection.commit()


def of_another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")


def damaged(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xa5" * 4096 * 10)


def a_letter(path: Path) -> None:
    path.write_text("a letter to the reader, long enough to be no empty file" * 20, "utf-8")


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (from_a_newer_version, "install the newer Stockdesk"),
        (of_another_program, "no database of Stockdesk's"),
        (damaged, "damaged"),
        (a_letter, "no database of Stockdesk's"),
        (gone, "unable to open"),
    ],
)
def test_a_file_that_cannot_be_restored_changes_nothing(
    desk: Desk, target: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    desk.enqueue(fetch())
    back_up(desk.database.path, target)
    spoil(target)
    files = set(desk.database.path.parent.iterdir())
    with pytest.raises(DatabaseError, match=sentence):
        put_back(desk.database.path, target)
    assert len(ids_of(desk.database)) == 1
    assert set(desk.database.path.parent.iterdir()) == files


async def test_a_damaged_database_is_moved_away_unless_a_process_leads(desk: Desk, target: Path) -> None:
    (task,) = desk.enqueue(fetch())
    back_up(desk.database.path, target)
    desk.database.close()
    a_letter(desk.database.path)
    leader = LeaderLock(lock_path(desk.database.path))
    await leader.acquire()
    with pytest.raises(DatabaseError, match="end every client and worker"):
        put_back(desk.database.path, target)
    leader.release()
    restored = put_back(desk.database.path, target)
    assert restored.before is not None
    assert restored.before.read_text("utf-8").startswith("a letter")
    assert ids_in(desk.database.path) == {task.id}


def test_a_folder_in_the_place_of_the_database_is_left_alone(
    tmp_path: Path, desk: Desk, target: Path
) -> None:
    back_up(desk.database.path, target)
    folder = tmp_path / "home" / "desk.db"
    folder.mkdir(parents=True)
    with pytest.raises(DatabaseError, match="unable to open"):
        put_back(folder, target)
    assert list(folder.parent.iterdir()) == [folder]


async def test_a_leader_goes_on_with_what_was_restored(home: Home, target: Path) -> None:
    hanging, behind = put(home.database, fetch(payload={"hangs": 1}), fetch())
    leader = home.start_listening()
    await until_started(home, hanging)
    back_up(home.database.path, target)
    (forgotten,) = put(home.database, new(SYNC))
    await until_all_completed(home, [forgotten])
    restored = await anyio.to_thread.run_sync(put_back, home.database.path, target)
    assert restored.again == [hanging.id]
    await until_all_completed(home, [hanging, behind])
    assert {line.pid for line in home.lines()} == {leader.pid}
    fetches = [(line.what, line.task_id, line.claim) for line in home.lines() if line.queue == hanging.queue]
    assert fetches == [
        ("start", hanging.id, 1),
        ("start", hanging.id, 2),
        ("end", hanging.id, 2),
        ("start", behind.id, 1),
        ("end", behind.id, 1),
    ]
    (following,) = put(home.database, new(SYNC))
    await until_all_completed(home, [following])
    assert following.seq > forgotten.seq


async def test_what_ran_at_the_restore_records_nothing_into_the_restored_task(
    database: Database, target: Path
) -> None:
    async def end_after_the_restore(ctx: TaskContext) -> Outcome:
        if ctx.task.claim == 1:
            await anyio.to_thread.run_sync(back_up, database.path, target)
            await anyio.to_thread.run_sync(put_back, database.path, target)
            with anyio.CancelScope(shield=True), pytest.raises(StaleClaimError):
                await ctx.report(1, 1, "from before the restore")
        return Completed({"claim": ctx.task.claim})

    desk = manager(database, {"work": end_after_the_restore})
    async with serving(desk):
        (task,) = put(database, fetch())
        ended = await until_ended(desk, database, task)
    assert ended.result == {"claim": 2}
    outcomes = [attempt.outcome for attempt in database.read_now(lambda tx: attempts_of(tx, task))]
    assert outcomes == ["interrupted", "completed"]


def test_what_is_written_while_a_restore_comes_is_in_the_database_or_in_what_it_replaced(
    desk: Desk, target: Path
) -> None:
    back_up(desk.database.path, target)
    acknowledged: set[str] = set()
    enough = Event()

    def write() -> None:
        while not enough.is_set():
            acknowledged.update(task.id for task in put(desk.database, fetch()))

    with ThreadPoolExecutor(1) as writers:
        writing = writers.submit(write)
        while len(acknowledged) < 20 and not writing.done():
            pass
        put_back(desk.database.path, target)
        enough.set()
        writing.result()
    assert acknowledged <= ids_of(desk.database) | ids_in(desk.database.path.with_name(BEFORE))
