"""A database saved as one file, and put back, while processes work on it; see docs/decisions/0008-restore.md."""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 does not have)

import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import apsw

from queues.connection import BUSY_TIMEOUT_MS, Migrations, connect, migrate
from queues.database import Transaction
from queues.errors import DatabaseError
from queues.holds import hold_queue
from queues.inspection import totals
from queues.leader import lock_path, try_to_hold
from queues.lifecycle import requeue_interrupted
from queues.model import QUEUE_LIMIT, QueueName, TaskState
from queues.moments import from_micros
from queues.ringing import Ringer, listening_ports
from queues.rows import TASK_COLUMNS, read_task

# Names the hold that a restore sets.
RESTORE = "restore"
# `leader` and `listeners` tell of the processes that are, not of the work that was: a restore leaves them alone.
_OF_WORK = "tbl_name NOT IN ('leader', 'listeners') AND tbl_name NOT LIKE 'sqlite~_%' ESCAPE '~'"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database or a backup holds; `newest` is the moment of the newest task, `size` in bytes.

    `versions` are the steps of the schema by component.
    """

    tasks: int
    newest: datetime | None
    versions: Mapping[str, int]
    size: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    `before` is the file with the state that it replaced; None if there was none. `again` are the tasks that ran when
    the backup was made, `held` counts the queued analyses that wait for a person.
    """

    saved: Contents
    before: Path | None
    again: Sequence[str]
    held: int


def back_up(database: Path, target: Path, *, replace: bool = False) -> Contents:
    """Save the database as it is at this moment as `target`: complete and checked, or not at all.

    Whoever works on it goes on. Only the user may read the file.

    Raises:
        DatabaseError: there is no database, `target` exists, or there is no sound copy to be had.
    """
    if not database.is_file():
        raise DatabaseError(f"There is no database {database} to back up; check STOCKDESK_HOME.")
    if target.exists() and not (replace and target.is_file()):
        raise DatabaseError(f"{target} exists already; choose another name, or --force to replace a file.")
    with _copied(database, target.parent) as copy:
        saved = inspect(copy)
        _rename(copy, target)
    return saved


def inspect(path: Path) -> Contents:
    """What this database or backup holds.

    Raises:
        DatabaseError: it is damaged, or not ours.
    """
    with _explained(path), closing(apsw.Connection(str(path), apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        tables: list[Any] = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
        ).fetchall()
        if not {("schema_versions",), ("tasks",)} <= set(tables) or not _is_sound(connection):
            raise DatabaseError(_unsound(path))
        versions: list[Any] = connection.execute("SELECT component, version FROM schema_versions").fetchall()
        found: list[Any] = connection.execute("SELECT count(*), max(enqueued_at) FROM tasks").fetchall()
    tasks, newest = found[0]
    return Contents(
        tasks, None if newest is None else from_micros(newest), dict(versions), path.stat().st_size
    )


def restore(database: Path, backup: Path, migrations: Migrations, now: datetime) -> Restored:
    """Replace all work in the database by that of `backup`, in one step, and save first what it replaces.

    Processes that have it open go on with what was restored. What ran in the backup is queued again, nothing spent;
    queued analyses are held, for they may have been paid for since. A damaged database is moved away; no process may
    lead then.

    Raises:
        DatabaseError: the backup is damaged, not ours or of a newer version; or the database cannot be replaced.
    """
    before = database.with_name(f"before-restore-{now:%Y%m%d-%H%M%S-%f}.db") if database.exists() else None
    with _copied(backup, database.parent) as copy:
        saved = inspect(copy)
        with _explained(backup), closing(apsw.Connection(str(copy))) as connection:
            migrate(connection, migrations)
        to_save = before
        if before is not None and _is_damaged(database):
            _move_away(database, before)
            to_save = None
        with _explained(database), closing(connect(database)) as connection:
            migrate(connection, migrations, lock_path(database))
            connection.pragma("foreign_keys", 0)
            connection.execute("ATTACH ? AS saved", (str(copy),))
            # From here on nobody writes, so that what is saved is just what is replaced; an error undoes all.
            connection.execute("BEGIN IMMEDIATE")
            if to_save is not None:
                with _copied(database, to_save.parent) as replaced:
                    _rename(replaced, to_save)
            tx = Transaction(connection, now, QUEUE_LIMIT)
            _replace(tx)
            restored = Restored(saved, before, _queue_again(tx), _hold_analyses(tx))
            ports = listening_ports(tx)
            connection.execute("COMMIT")
    with closing(Ringer()) as ringer:
        ringer.tell(ports, own=True)
    return restored


@contextmanager
def _copied(source: Path, folder: Path) -> Generator[Path]:
    """A copy of the database in `folder`, as of one moment; it vanishes with the block unless it was moved."""
    with _explained(folder):
        descriptor, name = mkstemp(prefix=".stockdesk-", suffix=".part", dir=folder)  # for the user alone
        os.close(descriptor)
    try:
        with (
            _explained(source),
            closing(apsw.Connection(str(source), apsw.SQLITE_OPEN_READWRITE)) as original,
            closing(apsw.Connection(name)) as copy,
        ):
            original.set_busy_timeout(BUSY_TIMEOUT_MS)
            with copy.backup("main", original, "main") as copying:
                # All at once: a copy in parts begins anew with each write of another process.
                copying.step(-1)
            copy.pragma("journal_mode", "delete")  # one file, without a log beside it
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise DatabaseError(_unsound(path)) from error
    except (apsw.Error, OSError) as error:
        raise DatabaseError(
            f"{path} cannot be used ({error}); check its name, its rights and the free space."
        ) from error


def _unsound(path: Path) -> str:
    return f"{path} is damaged, or no database of Stockdesk's; restore a backup that is sound."


def _is_sound(connection: apsw.Connection) -> bool:
    return connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]


def _is_damaged(database: Path) -> bool:
    with (
        _explained(database),
        closing(apsw.Connection(str(database), apsw.SQLITE_OPEN_READWRITE)) as connection,
    ):
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        try:
            return not _is_sound(connection)
        except (apsw.CorruptError, apsw.NotADBError):
            return True


def _move_away(database: Path, before: Path) -> None:
    with _explained(database), try_to_hold(lock_path(database)) as nobody_leads:
        if not nobody_leads:
            raise DatabaseError(
                f"The database {database} is damaged and a process has it open; end every client and worker of this "
                "home, then restore again."
            )
        for part in ("-wal", "-shm", ""):
            if (file := Path(f"{database}{part}")).exists():
                file.rename(f"{before}{part}")


def _replace(tx: Transaction) -> None:
    """Give `main` the work of `saved`. No id of a task comes round again; the epoch is higher than any was."""
    newest = tx.row(
        "SELECT max(newest_seq) FROM"
        " (SELECT newest_seq FROM main.queue_totals UNION ALL SELECT newest_seq FROM saved.queue_totals)"
    )
    assert newest is not None
    for (name,) in tx.rows(f"SELECT name FROM main.sqlite_schema WHERE type = 'table' AND {_OF_WORK}"):
        tx.run(f"DROP TABLE main.{name}")
    for kind, name, sql in tx.rows(
        f"SELECT type, name, sql FROM saved.sqlite_schema WHERE sql IS NOT NULL AND {_OF_WORK}"
        " ORDER BY type <> 'table'"  # indexes and triggers once all rows are there
    ):
        tx.run(sql)
        if kind == "table":
            # Without those that are worked out of others.
            stored = tx.rows("SELECT name FROM pragma_table_info(:name, 'saved')", name=name)
            columns = ", ".join(column for (column,) in stored)
            tx.run(f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM saved.{name}")
    tx.run("UPDATE main.queue_totals SET newest_seq = :newest_seq", newest_seq=newest[0])
    tx.run("UPDATE main.leader SET epoch = 1 + max(epoch, (SELECT epoch FROM saved.leader))")


def _queue_again(tx: Transaction) -> list[str]:
    rows = tx.rows(f"SELECT {TASK_COLUMNS} FROM tasks WHERE state = 'running' ORDER BY seq")
    note = "It ran when the backup was made; it starts again."
    return requeue_interrupted(tx, map(read_task, rows), note)


def _hold_analyses(tx: Transaction) -> int:
    queued = totals(tx, QueueName.AI_ANALYSIS)[TaskState.QUEUED]
    if queued:
        reason = (
            "Restored from a backup: what is queued may have been analysed and paid for since it was made; cancel"
            " that, then release the queue."
        )
        hold_queue(tx, QueueName.AI_ANALYSIS, RESTORE, reason)
    return queued


def _rename(file: Path, target: Path) -> None:
    """So that it survives a loss of power."""
    file.replace(target)
    if sys.platform != "win32":  # which cannot open a folder, and writes renames through
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
