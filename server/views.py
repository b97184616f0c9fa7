"""What tools and the command line show: small models that a model can read without help."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from queues.database import Transaction
from queues.inspection import WaitingFor, attempts_of, waiting_for
from queues.model import Attempt, Hold, Leader, QueueName, Task, TaskState
from queues.processes import Process, this_process
from queues.status import QueueStatus
from server.shortening import shortened_text, that_fit, within

# A task that waited for a usage limit again and again has many.
MOST_ATTEMPTS = 20
# Characters of JSON, so that a task with all of them is no more than a page.
MOST_OF_PAYLOAD, MOST_OF_RESULT, MOST_OF_ATTEMPTS = 2_500, 5_000, 4_000


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProgressView(View):
    done: int
    total: int
    message: str


class WaitingView(View):
    """`on`: approval, tasks, hold, due or turn; `until` is set where the end of the wait is known."""

    on: str
    what: str
    until: datetime | None

    @classmethod
    def of(cls, waiting: WaitingFor | None) -> "WaitingView | None":
        return None if waiting is None else cls(on=waiting.kind, what=waiting.what, until=waiting.until)


class TaskView(View):
    """Long lists in `payload` and `result` are cut, and say so."""

    id: str
    run_id: str
    queue: QueueName
    kind: str
    state: TaskState
    priority: int
    attempt: int
    enqueued_at: datetime
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: ProgressView | None
    waiting_for: WaitingView | None
    payload: dict[str, JsonValue]
    result: dict[str, JsonValue] | None
    error: str | None

    @classmethod
    def of(cls, tx: Transaction, task: Task) -> "TaskView":
        progress = task.progress
        return cls(
            id=task.id,
            run_id=task.run_id,
            queue=task.queue,
            kind=task.kind,
            state=task.state,
            priority=task.priority,
            attempt=task.attempt,
            enqueued_at=task.enqueued_at,
            due_at=task.due_at,
            started_at=task.started_at,
            finished_at=task.finished_at,
            progress=None
            if progress is None
            else ProgressView(done=progress.done, total=progress.total, message=progress.message),
            waiting_for=WaitingView.of(waiting_for(tx, task)),
            payload=within(task.payload, MOST_OF_PAYLOAD),
            result=None if task.result is None else within(task.result, MOST_OF_RESULT),
            error=None if task.error is None else shortened_text(task.error),
        )


class AttemptView(View):
    """One claim. `outcome` is null while it runs; interrupted and snooze cost no attempt."""

    claim: int
    attempt: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    detail: str | None

    @classmethod
    def of(cls, attempt: Attempt) -> "AttemptView":
        return cls(
            claim=attempt.claim,
            attempt=attempt.attempt,
            started_at=attempt.started_at,
            ended_at=attempt.ended_at,
            outcome=attempt.outcome,
            detail=None if attempt.detail is None else shortened_text(attempt.detail),
        )


class RunView(View):
    """All that one request caused. Where it analyses, a stock is done when it has a verdict.

    Where it only fetches, a stock is done when its prices are there, and without data when no source has any.
    """

    run_id: str
    tasks: dict[TaskState, int]
    stocks: int
    stocks_done: int
    stocks_without_data: int
    stocks_failed: int
    finished: bool


class TaskDetail(View):
    """A task, its newest attempts (20, or fewer with long details), and its run."""

    task: TaskView
    attempts: list[AttemptView]
    run: RunView

    @classmethod
    def of(cls, tx: Transaction, task: Task, run: RunView) -> "TaskDetail":
        newest = map(AttemptView.of, attempts_of(tx, task)[: -MOST_ATTEMPTS - 1 : -1])
        attempts = that_fit(newest, MOST_OF_ATTEMPTS)[::-1]
        return cls(task=TaskView.of(tx, task), attempts=attempts, run=run)


class TaskPage(View):
    """Newest first. `next_cursor` goes into the next call; null means that this was the last page."""

    total: int
    tasks: list[TaskView]
    next_cursor: str | None


class HoldView(View):
    source: str
    reason: str
    held_at: datetime
    until: datetime | None

    @classmethod
    def of(cls, hold: Hold) -> "HoldView":
        return cls(source=hold.source, reason=hold.reason, held_at=hold.held_at, until=hold.until)


class QueueView(View):
    """One queue. `waiting_for_approval` counts queued tasks that were asked for over a day ago.

    `estimated_finish` is null where nobody can know: a hold without an end, no process that runs the queues.
    """

    queue: QueueName
    state: str
    holds: list[HoldView]
    running: TaskView | None
    counts: dict[TaskState, int]
    waiting_for_approval: int
    oldest_wait_seconds: float | None
    estimated_finish: datetime | None

    @classmethod
    def of(cls, tx: Transaction, status: QueueStatus, *, is_led: bool) -> "QueueView":
        oldest = status.oldest_wait
        return cls(
            queue=status.queue,
            state=status.state,
            holds=[HoldView.of(hold) for hold in status.holds],
            running=None if status.running is None else TaskView.of(tx, status.running),
            counts=status.counts,
            waiting_for_approval=status.needs_approval,
            oldest_wait_seconds=None if oldest is None else round(oldest.total_seconds(), 1),
            estimated_finish=status.estimated_finish if is_led else None,
        )


class LeaderView(View):
    """Which process runs the queues. `leads` is false when that process has ended and none has followed.

    `responds` is false when it hangs: stopped, or its loop stalled; null when there is nobody to ask.
    """

    pid: int
    command: str
    since: datetime
    leads: bool
    is_this_process: bool
    responds: bool | None = None

    @classmethod
    def of(cls, leader: Leader, *, responds: bool | None) -> "LeaderView":
        return cls(
            pid=leader.pid,
            command=leader.command,
            since=leader.led_since,
            leads=responds is not None,
            is_this_process=responds is not None and Process(leader.pid, leader.started) == this_process(),
            responds=responds,
        )


class SpentToday(View):
    """Of today's budget for Claude sessions. In `at_most_usd` a session of unknown cost counts as its limit."""

    spent_usd: float
    at_most_usd: float
    budget_usd: float
    left_usd: float
    next_day_at: datetime
    message: str


class StatusView(View):
    """The desk at a glance. `leader` is null when no process has ever run the queues of this home.

    `analyst` judges what this client asks for; each analysis names its own.
    """

    queues: list[QueueView]
    leader: LeaderView | None
    analyst: Literal["claude", "baseline"]
    today: SpentToday
    message: str
