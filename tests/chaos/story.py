"""All that is known of a home after its storm: the log outside, and what the database holds in the end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from queues.database import Transaction
from queues.inspection import Interval, attempts_of, intervals, totals
from queues.model import Attempt, QueueName, Task, TaskState
from queues.rows import TASK_COLUMNS, read_task
from tests.chaos.events import Event, Log, What, read_events
from tests.chaos.work import Doom, open_chaos

ENGINE_LOG = "engine.log"


@dataclass(frozen=True, slots=True)
class Story:
    events: Sequence[Event]
    tasks: Mapping[str, Task]
    attempts: Mapping[str, Sequence[Attempt]]
    """By task, in the order of their claims."""
    intervals: Sequence[Interval]
    """All attempts, by start."""
    waiting: frozenset[str]
    """Tasks that have a prerequisite."""
    effects: frozenset[tuple[str, int]]
    """Task and claim."""
    completions: Mapping[tuple[str, int], int]
    """By task and revision, the claim that completed it."""
    totals: Mapping[QueueName, Mapping[TaskState, int]]
    """As the engine counts them."""
    damage: Sequence[str]
    """What SQLite itself finds wrong with the file."""
    complaints: Sequence[str]
    """What the engine logged as an error."""

    def of(self, *kinds: What) -> Iterator[Event]:
        return (event for event in self.events if event.what in kinds)

    def retried(self) -> set[str]:
        """Tasks that were, or may have been, retried by hand."""
        return {event.task_id for event in self.of(What.RETRIES)}


def read_story(home: Path) -> Story:
    events, complaints = read_events(home / "log"), _complaints(home / ENGINE_LOG)
    log = Log(home / "log")
    database = open_chaos(home, Doom(log))
    try:
        return database.read_now(lambda tx: _read(tx, events, complaints))
    finally:
        database.close()
        log.close()


def _read(tx: Transaction, events: Sequence[Event], complaints: Sequence[str]) -> Story:
    tasks = [read_task(row) for row in tx.rows(f"SELECT {TASK_COLUMNS} FROM tasks ORDER BY seq")]
    damage = [*tx.rows("PRAGMA integrity_check"), *tx.rows("PRAGMA foreign_key_check")]
    return Story(
        events=events,
        tasks={task.id: task for task in tasks},
        attempts={task.id: attempts_of(tx, task) for task in tasks},
        intervals=intervals(tx),
        waiting=frozenset(
            waiting for (waiting,) in tx.rows("SELECT id FROM tasks JOIN prerequisites ON task_seq = seq")
        ),
        effects=frozenset(
            (task, claim) for task, claim in tx.rows("SELECT task_id, claim FROM effects WHERE NOT is_late")
        ),
        completions={
            (task, revision): claim
            for task, revision, claim in tx.rows("SELECT task_id, revision, claim FROM completions")
        },
        totals={queue: totals(tx, queue) for queue in QueueName},
        damage=[str(row) for row in damage if row != ("ok",)],
        complaints=complaints,
    )


def _complaints(engine_log: Path) -> list[str]:
    lines = engine_log.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if {"ERROR", "CRITICAL"} & set(line.split()[1:2])]
