"""The nouns of the engine. Moments are aware UTC datetimes, durations are timedeltas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]


# A review of 81 stocks is 50 tasks; a queue this long is a client that enqueues in circles.
QUEUE_LIMIT = 10_000


class QueueName(StrEnum):
    """The three queues. They run in parallel; inside each, one task at a time."""

    PORTFOLIO_SYNC = "portfolio_sync"
    DATA_FETCHER = "data_fetcher"
    AI_ANALYSIS = "ai_analysis"


class TaskState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_finished(self) -> bool:
        return self not in (TaskState.QUEUED, TaskState.RUNNING)


@dataclass(frozen=True, slots=True)
class Sibling:
    """Stands for the id that another task of the same `enqueue` call will get, by its position in it."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task as its caller wants it.

    `after` names prerequisites: it runs once all of them are completed, and is cancelled when one of them
    fails or is cancelled. `carried` puts it before the others of its priority; a carried follow-up is the remainder
    of its parent, so what waits for the parent waits for it as well. A task with an
    `approval_window` does not start once that much time has passed since it was asked for; it then waits for
    a person. `timeout` bounds one attempt.
    """

    queue: QueueName
    kind: str
    payload: JsonObject
    dedup_key: str | None = None
    priority: int = 0
    due_at: datetime | None = None
    after: tuple[str | Sibling, ...] = ()
    carried: bool = False
    max_attempts: int = 3
    timeout: timedelta = timedelta(minutes=10)
    approval_window: timedelta | None = None


class Progress(NamedTuple):
    done: int
    total: int
    message: str


class Task(NamedTuple):  # and no dataclass: a tuple of so many fields is made in a quarter of the time
    """One row; see docs/lifecycle.md.

    `claim` counts every claim, `attempt` those that were spent, `revision` the retries of a completed task:
    what an earlier attempt of the same revision stored need not be done again.
    """

    seq: int
    id: str
    run_id: str
    queue: QueueName
    kind: str
    payload: JsonObject
    state: TaskState
    priority: int
    carried: bool
    dedup_key: str | None
    max_attempts: int
    timeout: timedelta
    asked_at: datetime
    approval_window: timedelta | None
    enqueued_at: datetime
    due_at: datetime
    attempt: int = 0
    claim: int = 0
    epoch: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: Progress | None = None
    cancel_requested: str | None = None
    note: str | None = None
    result: JsonObject | None = None
    error: str | None = None
    revision: int = 0

    def needs_approval(self, now: datetime) -> bool:
        """Whether it was asked for so long ago that it does not start without a person's word."""
        return self.approval_window is not None and now - self.asked_at >= self.approval_window


class Enqueued(NamedTuple):
    """The answer to one `NewTask`: its row, or the unfinished task that already holds its dedup key."""

    task: Task
    already_queued: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One claim of a task, from start to end, as its history keeps it.

    `outcome` is None while it runs, else one of completed, retry, snooze, failed, cancelled, interrupted
    (a clean shutdown; nothing spent) and rescued (the process died under it).
    """

    claim: int
    attempt: int
    epoch: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a queue starts nothing. `source` says who set it (user, usage_limit, sign_in, …)."""

    queue: QueueName
    source: str
    reason: str
    held_at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """The last process that took the leader's lock, and whether it still holds it.

    `started` tells it from another process with the same id, at `port` its event loop answers (0: at none).
    """

    epoch: int
    pid: int
    started: str
    port: int
    command: str
    led_since: datetime
    is_alive: bool
