"""What many tasks cost: enqueue, claim, status and lists with 100,000 finished and 10,000 queued tasks, and with none.

`.venv/bin/python benchmarks/growth.py`; exits with 1 if a target is missed.
"""

import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeVar

from benchmarks.machine import describe
from queues.database import Database, Transaction
from queues.glance import next_tasks, recent_attempts
from queues.inspection import TaskFilter, list_tasks
from queues.lifecycle import take_over
from queues.model import NewTask, QueueName, TaskState
from queues.outcome import Completed
from queues.scheduler import engine_migrations
from queues.status import queue_status
from queues.store import claim_next, enqueue, record

T = TypeVar("T")

FINISHED, QUEUED, STEP = 100_000, 10_000, 1_000
ROUNDS, CALLS = 10, 60
MOST_SLOWDOWN, STATUS_MS, LIST_MS = 1.2, 2.0, 5.0
QUEUES = list(QueueName)


class Store:
    """A store on disk, with its leader's epoch."""

    def __init__(self, folder: Path, finished: int, queued: int) -> None:
        folder.mkdir()
        self.database = Database(folder / "desk.db", {"queues": engine_migrations()}, queue_limit=FINISHED)
        self.epoch = self.database.write_now(lambda tx: take_over(tx, "benchmark"))
        for _ in range(finished // STEP):
            self.database.write_now(self._finish_some)
        for _ in range(queued // STEP):
            self.database.write_now(lambda tx: enqueue(tx, tasks(STEP)))

    def _finish_some(self, tx: Transaction) -> None:
        enqueue(tx, tasks(STEP))
        for number in range(STEP):
            self.run_one(tx, QUEUES[number % 3])

    def run_one(self, tx: Transaction, queue: QueueName) -> None:
        task = claim_next(tx, queue, self.epoch)
        assert task is not None
        record(tx, task, Completed({}), timedelta())

    def claim_and_record(self) -> tuple[float, float]:
        """Milliseconds of the claim, of the record."""
        claimed, task = timed(
            lambda: self.database.write_now(lambda tx: claim_next(tx, QUEUES[0], self.epoch))
        )
        assert task is not None
        recorded, _ = timed(
            lambda: self.database.write_now(lambda tx: record(tx, task, Completed({}), timedelta()))
        )
        return claimed, recorded


def tasks(count: int) -> list[NewTask]:
    return [NewTask(queue=QUEUES[number % 3], kind="fetch", payload={"n": number}) for number in range(count)]


def timed(call: Callable[[], T]) -> tuple[float, T]:
    begin = perf_counter()
    answer = call()
    return 1000 * (perf_counter() - begin), answer


def writes(store: Store) -> list[tuple[float, float, float]]:
    """Milliseconds of enqueue, claim and record, each a durable transaction of its own."""
    one = tasks(1)
    return [
        (
            timed(lambda: store.database.write_now(lambda tx: enqueue(tx, one)))[0],
            *store.claim_and_record(),
        )
        for _ in range(CALLS)
    ]


def looks(store: Store) -> dict[str, float]:
    """Milliseconds of the status of all queues, and of the newest 50 tasks by different filters."""
    wanted = {
        "the newest 50": TaskFilter(),
        "the newest 50 queued": TaskFilter(states=[TaskState.QUEUED]),
        "the newest 50 failed (there are none)": TaskFilter(states=[TaskState.FAILED]),
    }

    def status(tx: Transaction) -> object:
        return [queue_status(tx, queue) for queue in QueueName]

    def upcoming(tx: Transaction) -> object:
        return [next_tasks(tx, queue, 5) for queue in QueueName]

    def listed(filter_: TaskFilter) -> Callable[[Transaction], object]:
        return lambda tx: list_tasks(tx, filter_, limit=50)

    reads: dict[str, Callable[[Transaction], object]] = {
        "status": status,
        **{words: listed(filter_) for words, filter_ in wanted.items()},
        "the last 60 attempts": lambda tx: recent_attempts(tx, 60),
        "the next 5 of each queue": upcoming,
    }
    return {
        words: median(timed(lambda read=read: store.database.read_now(read))[0] for _ in range(CALLS))
        for words, read in reads.items()
    }


def main() -> int:
    print(describe("apsw"), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        empty = Store(Path(folder) / "empty", 0, 0)
        full = Store(Path(folder) / "full", FINISHED, QUEUED)
        rounds = [(writes(empty), writes(full)) for _ in range(ROUNDS)]  # in turn: noise hits both alike
        seen = looks(full)
    is_met = True
    print(f"\n{FINISHED:,} finished and {QUEUED:,} queued tasks; ms, median")
    for place, name in enumerate(("enqueue", "claim", "record")):
        few = median(call[place] for calls, _ in rounds for call in calls)
        many = median(call[place] for _, calls in rounds for call in calls)
        is_met &= many <= MOST_SLOWDOWN * few
        print(f"{name:40}{many:7.3f}   {many / few:.2f} x a store without tasks (at most {MOST_SLOWDOWN})")
    for name, taken in seen.items():
        limit = STATUS_MS if name == "status" else LIST_MS
        is_met &= taken <= limit
        print(f"{name:40}{taken:7.3f}   at most {limit:.0f}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
