"""One SQLite file, shared by every process of a home: transactions, and what is told to whom after them.

Journal mode, SQLite build and durability are settled in docs/decisions/0002-sqlite-build-and-journal.md, the thread
that commits in 0007-one-commit-for-many.md.
"""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 does not have)

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import apsw

from queues.clock import Clock, system_clock
from queues.connection import Migrations, connect, migrate, require_known_versions
from queues.errors import DatabaseError, StorageError
from queues.filesystems import refuse_network
from queues.jobs import Job, JobThread, Parked
from queues.leader import lock_path
from queues.model import QUEUE_LIMIT
from queues.moments import to_micros
from queues.ringing import Ringer
from queues.topics import Topic

log = logging.getLogger(__name__)

T = TypeVar("T")

# The disk or another process is at fault, and either may recover.
_FOR_NOW = (apsw.BusyError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError)
TRY_AGAIN_SECONDS = 1.0


class Transaction:
    """An open transaction and the moment it began; every change inside carries that one moment."""

    __slots__ = ("_connection", "micros", "now", "queue_limit", "touched")

    def __init__(self, connection: apsw.Connection, now: datetime, queue_limit: int) -> None:
        self.now = now
        self.micros = to_micros(now)
        self.queue_limit = queue_limit
        self.touched = 0
        self._connection = connection

    def to_micros(self, moment: datetime) -> int:
        """As the database stores it; most moments are that of the transaction, which is known already."""
        return self.micros if moment is self.now else to_micros(moment)

    def rows(self, sql: str, /, **values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, /, **values: Any) -> tuple[Any, ...] | None:
        return next(iter(self._connection.execute(sql, values)), None)

    def run(self, sql: str, /, **values: Any) -> int:
        """Run one statement, and return how many rows it changed."""
        self._connection.execute(sql, values)
        return self._connection.changes()

    def run_many(self, sql: str, values: Sequence[Mapping[str, Any]], /) -> None:
        self._connection.executemany(sql, values)

    def touch(self, topics: int = Topic.CHANGED) -> None:
        """Wake in every process of this home whoever waits for these topics, once this transaction is committed."""
        self.touched |= Topic.CHANGED | topics


Work = Callable[[Transaction], T]


class Database:
    """The file. `read` and `write` run in threads, so that the event loop never waits for the disk.

    Writes that come while another one is committed are committed together, each all or nothing. Readers have a
    connection of their own: they see the last commit, and never wait for a writer.
    """

    def __init__(
        self,
        path: Path,
        migrations: Migrations,
        clock: Clock = system_clock,
        *,
        queue_limit: int = QUEUE_LIMIT,
    ) -> None:
        """Open or create the file and bring it to the newest schema.

        `migrations` holds, per component, its numbered steps; each runs once. `queue_limit` is the most tasks that
        may be queued in one queue.

        Raises:
            DatabaseError: the file cannot be opened, lies on a network file system, or was written by a newer version.
        """
        self.path = path
        self.clock = clock
        self.ringer = Ringer()
        self._queue_limit = queue_limit
        self._migrations = migrations
        refuse_network(path)
        try:
            self._write_connection = connect(path)
            migrate(self._write_connection, migrations, lock_path(path))
            self._read_connection = connect(path)
            self._read_connection.pragma("query_only", 1)
        except (apsw.Error, OSError) as error:
            raise DatabaseError(
                f"The database {path} cannot be opened ({error}); `stockdesk doctor` says why, `stockdesk restore "
                "FILE` brings back a backup."
            ) from error
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._writer = JobThread("database-writer", self._commit_all)
        self._reader = JobThread("database-reader", self._look)

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
        with self._reading:
            self._read_connection.close()
        # The writer last: it then empties the write-ahead log into the file.
        with self._writing:
            self._write_connection.close()
        self.ringer.close()

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent snapshot.

        Raises:
            StorageError: the disk or another process is in the way; `write` may raise it too, nothing is stored.
            DatabaseError: the file is damaged.
        """
        job = Job(work)
        await self._reader.do(job)
        return self._outcome(job)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction: all of it is durable when this returns, or nothing is.

        It may be run more than once until then, so it changes nothing but the database.
        """
        job = Job(work)
        await self._writer.do(job)
        return self._outcome(job)

    def park(self, topic: Topic, work: Work[T]) -> Parked:
        """Run `work` inside the next write of this process that touches `topic`, once; see `Parked`."""
        return Parked(self._writer, Job(work), topic)

    async def write_patiently(self, work: Work[T]) -> T:
        """`write`, again and again for as long as the storage fails."""
        while True:
            try:
                return await self.write(work)
            except StorageError as error:
                log.error("It will be tried again: %s", error)  # noqa: TRY400 (no bug of ours)
                await anyio.sleep(TRY_AGAIN_SECONDS)

    def read_now(self, work: Work[T]) -> T:
        """`read`, in the calling thread."""
        return self._now(self._look, work)

    def write_now(self, work: Work[T]) -> T:
        """`write`, in the calling thread."""
        return self._now(partial(self._commit, tell_own=True), work)

    def require_known_schema(self) -> None:
        """For inside a write: no newer version has migrated the file since it was opened.

        Raises:
            DatabaseError: one has.
        """
        require_known_versions(self._write_connection, self._migrations)

    def _now(self, run: Callable[[Sequence[Job]], None], work: Work[T]) -> T:
        job = Job(work)
        try:
            run([job])
        except Exception as error:  # noqa: BLE001 (raised below, as what it means here)
            job.error = error
        return self._outcome(job)

    def _outcome(self, job: Job) -> Any:
        if isinstance(job.error, _FOR_NOW):
            raise StorageError(
                f"The database {self.path} cannot be used now ({job.error}); nothing was changed. Check disk space "
                "and rights, then try again."
            ) from job.error
        if isinstance(job.error, (apsw.CorruptError, apsw.NotADBError)):
            raise DatabaseError(
                f"The database {self.path} is damaged ({job.error}); `stockdesk restore FILE` brings back a backup and "
                "keeps this one."
            ) from job.error
        if job.error is not None:
            raise job.error
        return job.result

    def _look(self, jobs: Sequence[Job]) -> None:
        with self._reading, _Open(self._read_connection, "BEGIN"):
            transaction = self._begin(self._read_connection)
            for job in jobs:
                try:
                    job.result = job.work(transaction)
                except Exception as error:  # noqa: BLE001 (raised where the work was asked for)
                    job.error = error

    def _commit_all(self, jobs: Sequence[Job]) -> None:
        """Commit jobs that came together; where one fails all are undone, and each is run again by itself."""
        try:
            self._commit(jobs, tell_own=False, joined=True)
        except Exception:
            if len(jobs) == 1 and not self._writer.has_joined:
                raise
            for job in jobs:
                try:
                    self._commit([job], tell_own=False)
                except Exception as error:  # noqa: BLE001 (raised where the work was asked for)
                    job.error = error

    def _commit(self, jobs: Sequence[Job], *, tell_own: bool, joined: bool = False) -> None:
        """Run the jobs and commit them at once; then tell who waits for what they touched."""
        told = 0
        ports: list[int] = []
        joining: list[Job] = []
        try:
            with self._writing:
                # IMMEDIATE: a deferred transaction that turns into a writer fails at once, it does not wait its turn.
                with _Open(self._write_connection, "BEGIN IMMEDIATE"):
                    transaction = self._begin(self._write_connection)
                    for job in jobs:
                        told |= self._run(job, transaction)
                    joining = self._writer.join(told) if joined else []
                    for job in joining:
                        told |= self._run(job, transaction)
                    version = self._write_connection.data_version()
                    if told:
                        ports = self.ringer.known_ports(version, transaction)
                self.ringer.committed(version, self._write_connection.data_version())
        except BaseException as error:
            for job in joining:
                job.error = error  # what it did is undone
            raise
        self.ringer.tell(ports, own=tell_own)

    def _run(self, job: Job, transaction: Transaction) -> int:
        """Run one job of a transaction; returns what it touched."""
        transaction.touched = 0
        job.result = job.work(transaction)
        if transaction.touched:
            job.after = partial(self.ringer.tell_here, transaction.touched)
        return transaction.touched

    def _begin(self, connection: apsw.Connection) -> Transaction:
        return Transaction(connection, self.clock(), self._queue_limit)


class _Open:
    """A transaction that is committed at the end of the block, or undone where anything fails."""

    def __init__(self, connection: apsw.Connection, begin: str) -> None:
        self._connection = connection
        self._begin = begin

    def __enter__(self) -> None:
        self._connection.execute(self._begin)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            # SQLite may have rolled back by itself (disk full).
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
