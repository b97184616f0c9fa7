"""One SQLite file, shared by every process of a home: connection, transactions, migrations.

Journal mode, SQLite build and durability are settled in docs/decisions/0002-sqlite-build-and-journal.md.
"""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 does not have)

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import apsw

from queues.clock import Clock, system_clock
from queues.doorbell import listening_ports, ring
from queues.errors import DatabaseError, StorageError
from queues.moments import to_micros

log = logging.getLogger(__name__)

T = TypeVar("T")

# WAL-reset corruption with several writing and checkpointing connections was fixed in 3.51.3
# (https://sqlite.org/wal.html, "The WAL-Reset Bug").
OLDEST_SAFE_SQLITE = 3_051_003
# Writers queue behind each other for one fsync each; a wait this long means that a process hangs in a write.
BUSY_TIMEOUT_MS = 10_000
# The disk or another process is at fault, and either may recover.
_FOR_NOW = (apsw.BusyError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError)
TRY_AGAIN_SECONDS = 1.0


class Transaction:
    """An open transaction and the moment it began; every change inside carries that one moment."""

    def __init__(self, connection: apsw.Connection, now: datetime) -> None:
        self.now = now
        self.micros = to_micros(now)
        self.touched = False
        self._connection = connection

    def rows(self, sql: str, /, **values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, /, **values: Any) -> tuple[Any, ...] | None:
        return next(iter(self._connection.execute(sql, values)), None)

    def run(self, sql: str, /, **values: Any) -> int:
        """Run one statement, and return how many rows it changed."""
        self._connection.execute(sql, values).fetchall()
        return self._connection.changes()

    def run_many(self, sql: str, values: Sequence[Mapping[str, Any]], /) -> None:
        self._connection.executemany(sql, values)

    def touch(self) -> None:
        """Wake every process of this home once this transaction is committed."""
        self.touched = True


Work = Callable[[Transaction], T]


class _Line:
    """A connection and what keeps its users apart: one thread at a time, and one waiting task per thread."""

    def __init__(self, connection: apsw.Connection, begin: str) -> None:
        self.connection = connection
        self.begin = begin
        self.lock = threading.Lock()
        self.limiter = anyio.CapacityLimiter(1)


class Database:
    """The file. `read` and `write` run in a thread, so that the event loop never waits for the disk.

    Readers have a connection of their own: they see the last commit, and never wait for a writer.
    """

    def __init__(
        self, path: Path, migrations: Mapping[str, Sequence[str]], clock: Clock = system_clock
    ) -> None:
        """Open or create the file and bring it to the newest schema.

        `migrations` holds, per component, its numbered steps; each runs once.

        Raises:
            DatabaseError: the file cannot be opened, or was written by a newer version.
        """
        self.path = path
        self.clock = clock
        try:
            # IMMEDIATE: a deferred transaction that turns into a writer fails at once, it does not wait its turn.
            self._writer = _Line(_connect(path), "BEGIN IMMEDIATE")
            _migrate(self._writer.connection, migrations)
            self._reader = _Line(_connect(path), "BEGIN")
            self._reader.connection.pragma("query_only", 1)
        except (apsw.Error, OSError) as error:
            raise DatabaseError(
                f"The database {path} cannot be opened ({error}); check that its folder can be written and that "
                "the file is Stockdesk's."
            ) from error

    def close(self) -> None:
        # The writer last: it then empties the write-ahead log into the file.
        for line in (self._reader, self._writer):
            with line.lock:
                line.connection.close()

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent snapshot.

        Raises:
            StorageError: the disk or another process is in the way; `write` may raise it too, nothing is stored.
            DatabaseError: the file is damaged.
        """
        return await anyio.to_thread.run_sync(self.read_now, work, limiter=self._reader.limiter)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction: all of it is durable when this returns, or nothing is."""
        return await anyio.to_thread.run_sync(self.write_now, work, limiter=self._writer.limiter)

    async def write_patiently(self, work: Work[T]) -> T:
        """`write`, again and again for as long as the storage fails."""
        while True:
            try:
                return await self.write(work)
            except StorageError as error:
                log.error("It will be tried again: %s", error)  # noqa: TRY400 (no bug of ours)
                await anyio.sleep(TRY_AGAIN_SECONDS)

    def read_now(self, work: Work[T]) -> T:
        return self._translated(self._reader, work)

    def write_now(self, work: Work[T]) -> T:
        return self._translated(self._writer, work)

    def _translated(self, line: _Line, work: Work[T]) -> T:
        try:
            return self._transact(line, work)
        except _FOR_NOW as error:
            raise StorageError(
                f"The database {self.path} cannot be used now ({error}); nothing was changed. Check disk space "
                "and rights, then try again."
            ) from error
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise DatabaseError(
                f"The database {self.path} is damaged ({error}); move it away, or put a copy in its place."
            ) from error

    def _transact(self, line: _Line, work: Work[T]) -> T:
        ports: list[int] = []
        with line.lock:
            line.connection.execute(line.begin)
            try:
                transaction = Transaction(line.connection, self.clock())
                result = work(transaction)
                if transaction.touched:
                    ports = listening_ports(transaction)
                line.connection.execute("COMMIT")
            except BaseException:
                # SQLite may have rolled back by itself (disk full).
                with suppress(apsw.SQLError):
                    line.connection.execute("ROLLBACK")
                raise
        ring(ports)
        return result


def _connect(path: Path) -> apsw.Connection:
    if apsw.SQLITE_VERSION_NUMBER < OLDEST_SAFE_SQLITE:
        raise DatabaseError(
            f"SQLite {apsw.sqlite_lib_version()} can corrupt a database that several processes write; "
            "install apsw 3.51.3 or newer."
        )
    if not path.exists():
        path.touch(
            mode=0o600
        )  # holdings and verdicts are nobody else's; SQLite gives its log the same rights
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    _use_write_ahead_log(connection)
    connection.pragma("synchronous", "full")
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


def _migrate(connection: apsw.Connection, migrations: Mapping[str, Sequence[str]]) -> None:
    with suppress(apsw.SQLError):
        versions = dict(connection.execute("SELECT component, version FROM schema_versions"))
        if all(versions.get(name) == len(steps) for name, steps in migrations.items()):
            return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_versions"
            " (component TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID"
        )
        versions = dict(connection.execute("SELECT component, version FROM schema_versions"))
        for component, steps in migrations.items():
            version = versions.get(component, 0)
            assert isinstance(version, int)
            _require_known(component, version, len(steps))
            for step in steps[version:]:
                connection.execute(step)
            connection.execute(
                "INSERT INTO schema_versions VALUES (?, ?)"
                " ON CONFLICT (component) DO UPDATE SET version = excluded.version",
                (component, len(steps)),
            )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _require_known(component: str, stored: int, known: int) -> None:
    if stored > known:
        raise DatabaseError(
            f"The database holds schema {stored} of {component}, this version knows {known}; "
            "install the newer Stockdesk that wrote it."
        )
