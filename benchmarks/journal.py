"""What durability costs in each SQLite build and journal mode. `.venv/bin/python benchmarks/journal.py`

The engine's own schema and functions run over four files: the standard library's SQLite and apsw's, each with the
rollback journal (DELETE) and the write-ahead log (WAL), always with synchronous=FULL. The rounds are interleaved.
Printed are the median of each speed, and the median of its ratio to the standard library's rollback journal in the
same round, which a machine that is busy with other things disturbs least. An enqueue is one transaction; a task is
drained by two, its claim and its record.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 does not have)

import argparse
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import apsw

from benchmarks.machine import describe
from queues.clock import system_clock
from queues.database import Transaction
from queues.lifecycle import take_over
from queues.model import QUEUE_LIMIT, NewTask, QueueName
from queues.outcome import Completed
from queues.scheduler import engine_migrations
from queues.store import claim_next, enqueue, record

T = TypeVar("T")

BASE = "sqlite3 DELETE"


class Standard:
    """The standard library's connection with the three methods of apsw's that a `Transaction` uses."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> sqlite3.Cursor:
        return self._connection.execute(sql, values or {})

    def script(self, sql: str) -> None:
        self._connection.executescript(sql)

    def changes(self) -> int:
        return self._connection.execute("SELECT changes()").fetchone()[0]


class Bundled:
    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        self.execute = self._connection.execute
        self.changes = self._connection.changes

    def script(self, sql: str) -> None:
        self._connection.execute(sql)


class Store:
    """One file in one mode."""

    def __init__(self, connection: Standard | Bundled, journal: str) -> None:
        self._connection = connection
        mode = connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
        assert mode == (journal.lower(),), mode
        connection.execute("PRAGMA synchronous = full")
        connection.execute("PRAGMA foreign_keys = 1")
        for step in engine_migrations():
            connection.script(step)
        self.epoch = self.write(lambda tx: take_over(tx, "benchmark"))

    def write(self, work: Callable[[Transaction], T]) -> T:
        self._connection.execute("BEGIN IMMEDIATE")
        # Both kinds of connection have what a transaction calls.
        result = work(Transaction(self._connection, system_clock(), QUEUE_LIMIT))  # pyright: ignore[reportArgumentType]
        self._connection.execute("COMMIT")
        return result


def enqueues(store: Store, count: int) -> float:
    """Enqueues per second."""
    task = NewTask(queue=QueueName.DATA_FETCHER, kind="fetch", payload={"stocks": ["NSE:INFY", "NSE:TCS"]})
    begin = perf_counter()
    for _ in range(count):
        store.write(lambda tx: enqueue(tx, [task]))
    return count / (perf_counter() - begin)


def drains(store: Store, count: int) -> float:
    """Tasks claimed and recorded per second."""
    begin = perf_counter()
    for _ in range(count):
        task = store.write(lambda tx: claim_next(tx, QueueName.DATA_FETCHER, store.epoch))
        assert task is not None
        store.write(lambda tx, task=task: record(tx, task, Completed({}), timedelta()))
    return count / (perf_counter() - begin)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Durable tasks per second, by SQLite build and journal mode."
    )
    parser.add_argument("--tasks", type=int, default=60, help="tasks in one round")
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    print(describe())
    with tempfile.TemporaryDirectory(prefix="stockdesk-journal-") as folder:
        stores = {
            f"{name} {journal}": Store(connect(Path(folder) / f"{name}-{journal}.db"), journal)
            for journal in ("DELETE", "WAL")
            for name, connect in (("sqlite3", Standard), ("apsw", Bundled))
        }
        speeds = {name: (list[float](), list[float]()) for name in stores}
        for _ in range(arguments.rounds):
            for name, store in stores.items():
                speeds[name][0].append(enqueues(store, arguments.tasks))
                speeds[name][1].append(drains(store, arguments.tasks))
    print(f"\nmedian of {arguments.rounds} rounds of {arguments.tasks} tasks, synchronous=FULL")
    print("build and journal    enqueue/s      x    drained/s      x")
    for name, (enqueued, drained) in speeds.items():
        columns = [
            (
                statistics.median(own),
                statistics.median(mine / other for mine, other in zip(own, base, strict=True)),
            )
            for own, base in zip((enqueued, drained), speeds[BASE], strict=True)
        ]
        print(f"{name:<19}" + "".join(f" {speed:>10,.0f} {ratio:>6.2f}" for speed, ratio in columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
