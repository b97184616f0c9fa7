"""An engine to test: a real database in a fresh folder, with a clock that the test moves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from queues.control import cancel_task, retry_task
from queues.database import Database, Transaction
from queues.inspection import attempts_of, waiting_for
from queues.lifecycle import take_over
from queues.model import QUEUE_LIMIT, Attempt, JsonObject, NewTask, QueueName, Task
from queues.outcome import Completed, Outcome
from queues.scheduler import engine_migrations
from queues.store import claim_next, enqueue, find_task, record

T = TypeVar("T")

START = datetime(2024, 3, 1, 9, 0, tzinfo=UTC)
BACKOFF = timedelta(seconds=10)
SYNC, FETCH, ANALYSIS = QueueName
NOTHING: JsonObject = {}


class Desk:
    """Each method is one transaction at the time `now`, as the process that leads."""

    def __init__(self, folder: Path, queue_limit: int = QUEUE_LIMIT) -> None:
        self.now = START
        self.database = Database(
            folder / "desk.db", {"queues": engine_migrations()}, lambda: self.now, queue_limit=queue_limit
        )
        self.epoch = self.do(lambda tx: take_over(tx, "test"))

    def do(self, work: Callable[[Transaction], T]) -> T:
        return self.database.write_now(work)

    def pass_time(self, span: timedelta) -> None:
        self.now += span

    def enqueue(self, *tasks: NewTask) -> list[Task]:
        return [answer.task for answer in self.do(lambda tx: enqueue(tx, tasks))]

    def enqueue_one(self, task: NewTask) -> Task:
        return self.enqueue(task)[0]

    def claim(self, queue: QueueName = FETCH) -> Task | None:
        return self.do(lambda tx: claim_next(tx, queue, self.epoch))

    def start(self, queue: QueueName = FETCH) -> Task:
        task = self.claim(queue)
        assert task is not None, f"nothing in {queue} may start"
        return task

    def end(self, task: Task, outcome: Outcome | None = None) -> Task:
        self.do(lambda tx: record(tx, task, outcome or Completed(NOTHING), BACKOFF))
        return self.look(task)

    def run_one(self, outcome: Outcome | None = None, queue: QueueName = FETCH) -> Task:
        return self.end(self.start(queue), outcome)

    def cancel(self, task: Task, reason: str = "no longer wanted") -> Task:
        return self.do(lambda tx: cancel_task(tx, task.id, reason))

    def retry(self, task: Task) -> tuple[Task, list[str]]:
        return self.do(lambda tx: retry_task(tx, task.id))

    def look(self, task: Task) -> Task:
        return self.do(lambda tx: find_task(tx, task.id))

    def history(self, task: Task) -> list[Attempt]:
        return self.do(lambda tx: attempts_of(tx, task))

    def waits_for(self, task: Task) -> str | None:
        waiting = self.do(lambda tx: waiting_for(tx, find_task(tx, task.id)))
        return None if waiting is None else waiting.kind


def fetch(**wishes: object) -> NewTask:
    """A task of the data_fetcher that does nothing in particular."""
    return new(FETCH, **wishes)


def new(queue: QueueName, **wishes: object) -> NewTask:
    return NewTask(**({"queue": queue, "kind": "work", "payload": NOTHING} | wishes))  # pyright: ignore[reportArgumentType] (checked where it is stored)
