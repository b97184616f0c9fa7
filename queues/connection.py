"""Opens the SQLite file as docs/decisions/0002-sqlite-build-and-journal.md settles it, and migrates it."""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 does not have)

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TypeAlias

import apsw

from queues.errors import DatabaseError
from queues.leader import try_to_hold

# WAL-reset corruption with several writing and checkpointing connections was fixed in 3.51.3
# (https://sqlite.org/wal.html, "The WAL-Reset Bug").
OLDEST_SAFE_SQLITE = 3_051_003
# Writers queue behind each other for one fsync each; a wait this long means that a process hangs in a write.
BUSY_TIMEOUT_MS = 10_000
# A commit costs by the pages that it writes to the log; most tasks fit into a page of this size.
PAGE_BYTES = 2_048
# From this size on the write-ahead log is emptied into the file after each commit, as far as nobody is in the way.
WAL_EMPTIED_BYTES = 4_000_000
# Each time it has grown by this much, those in the way are waited for; that much is kept of the log once it is empty.
WAL_KEPT_BYTES = 8_000_000
# Others read and write for milliseconds. Who stands still in the middle of it must not stop the writers for long.
WAL_WAIT_MS = 500

Migrations: TypeAlias = Mapping[str, Sequence[str]]
"""Per component the numbered steps of its schema."""


def connect(path: Path) -> apsw.Connection:
    """A connection that waits for other writers, and whose commits survive power loss.

    Raises:
        DatabaseError: this SQLite could corrupt the file.
        apsw.Error: the file cannot be opened or is none of SQLite's.
    """
    if apsw.SQLITE_VERSION_NUMBER < OLDEST_SAFE_SQLITE:
        raise DatabaseError(
            f"SQLite {apsw.sqlite_lib_version()} can corrupt a database that several processes write; "
            "install apsw 3.51.3 or newer."
        )
    if not path.exists():
        # Holdings and verdicts are nobody else's; SQLite gives its log the same rights.
        path.touch(mode=0o600)
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    # Without it SQLite prepares a statement anew for each value that may decide whether a partial index serves.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("page_size", PAGE_BYTES)  # of a fresh file
    _use_write_ahead_log(connection)
    connection.set_wal_hook(_LogKeeper(connection.pragma("page_size")))
    connection.pragma("synchronous", "full")
    connection.pragma("journal_size_limit", WAL_KEPT_BYTES)
    connection.pragma("foreign_keys", 1)
    return connection


def _use_write_ahead_log(connection: apsw.Connection) -> None:
    """Several processes may open a fresh home at once, and this change alone does not wait for a busy file."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while connection.pragma("journal_mode") != "wal":
        try:
            connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class _LogKeeper:
    """Is called after each commit, in place of SQLite's own hook.

    That one waits for nobody, so the log would grow for as long as there is always somebody who reads or writes.
    """

    def __init__(self, page_bytes: int) -> None:
        self._page_bytes = page_bytes
        self._wait_from = WAL_KEPT_BYTES

    def __call__(self, connection: apsw.Connection, _: str, pages: int) -> int:
        size = pages * self._page_bytes
        if size < WAL_EMPTIED_BYTES:
            self._wait_from = WAL_KEPT_BYTES
        elif size < self._wait_from:
            self._empty(connection, apsw.SQLITE_CHECKPOINT_PASSIVE)
        else:
            self._wait_from = size + WAL_KEPT_BYTES
            connection.set_busy_timeout(WAL_WAIT_MS)
            self._empty(connection, apsw.SQLITE_CHECKPOINT_RESTART)
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        return apsw.SQLITE_OK

    def _empty(self, connection: apsw.Connection, mode: int) -> None:
        with suppress(apsw.Error):  # the commit has happened, whatever becomes of this
            connection.wal_checkpoint(mode=mode)


def numbered_steps(folder: Path) -> list[str]:
    """The steps of a schema, files `NUMBER_name.sql` in this folder, in the order of their numbers."""
    steps = sorted(folder.glob("*.sql"), key=lambda step: int(step.name.partition("_")[0]))
    return [step.read_text(encoding="utf-8") for step in steps]


def migrate(connection: apsw.Connection, migrations: Migrations, lock: Path | None = None) -> None:
    """Bring every component to its last step, all in one transaction; each step runs once.

    A file that an older version wrote is migrated under the leader's `lock`: no process of that version may run
    the queues on a schema that it does not know. Without one, nobody else may know the file.

    Raises:
        DatabaseError: a newer version, or another program, wrote the file, or an older version runs its queues.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while stored := require_known_versions(connection, migrations):
        is_fresh = not any(stored.values())
        with nullcontext(True) if is_fresh or lock is None else try_to_hold(lock) as is_free:
            if is_free:
                _run_steps(connection, migrations)
            elif time.monotonic() > deadline:
                raise DatabaseError(
                    f"An older Stockdesk runs the queues of {connection.filename}; end it (close its client, or "
                    "stop its worker), then try again."
                )
            else:
                time.sleep(0.01)  # another process may be at it


def require_known_versions(connection: apsw.Connection, migrations: Migrations) -> dict[str, int]:
    """The components that lack steps, and how many they have.

    Raises:
        DatabaseError: one has more than this version knows.
    """
    try:
        versions = dict(connection.execute("SELECT component, version FROM schema_versions"))
    except apsw.SQLError:  # a fresh file
        versions = {}
    lacking: dict[str, int] = {}
    for component, steps in migrations.items():
        stored = versions.get(component, 0)
        assert isinstance(stored, int)
        if stored > len(steps):
            raise DatabaseError(
                f"The database holds schema {stored} of {component}, this version knows {len(steps)}; install the "
                "newer Stockdesk that wrote it, and restart its clients."
            )
        if stored < len(steps):
            lacking[component] = stored
    return lacking


def _run_steps(connection: apsw.Connection, migrations: Migrations) -> None:
    # A step may put a table in the place of another; with keys that would delete what refers to its rows.
    connection.pragma("foreign_keys", 0)
    connection.execute("BEGIN IMMEDIATE")
    try:
        _require_ours(connection)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_versions"
            " (component TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID"
        )
        # Looked up again: until this transaction another process may have been at it.
        for component, stored in require_known_versions(connection, migrations).items():
            for step in migrations[component][stored:]:
                connection.execute(step)
            connection.execute(
                "INSERT INTO schema_versions VALUES (?, ?)"
                " ON CONFLICT (component) DO UPDATE SET version = excluded.version",
                (component, len(migrations[component])),
            )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    finally:
        connection.pragma("foreign_keys", 1)


def _require_ours(connection: apsw.Connection) -> None:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    if tables and "schema_versions" not in tables:
        raise DatabaseError(
            f"{connection.filename} holds the tables of another program ({tables[0]}, …); move it away, or choose "
            "another home."
        )
