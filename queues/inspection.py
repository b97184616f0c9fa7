"""Looking at tasks: one, many, a queue, a run. Nothing here changes anything."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from queues.database import Transaction
from queues.holds import current_holds
from queues.model import Attempt, QueueName, Task, TaskState
from queues.moments import from_micros
from queues.rows import ATTEMPT_COLUMNS, HAS_ID, HAS_ONE_OF_IDS, TASK_COLUMNS, read_attempt, read_task

MAX_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
class WaitingFor:
    """Why a queued task does not run: the first that holds of approval, tasks, hold, due, turn.

    `what` says it in words, `until` when the wait ends, where that is known.
    """

    kind: str
    what: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks to list; None means any."""

    queue: QueueName | None = None
    states: Sequence[TaskState] = field(default=())
    run_id: str | None = None

    def includes(self, task: Task) -> bool:
        return self.queue in (None, task.queue) and (not self.states or task.state in self.states)


def list_tasks(
    tx: Transaction, wanted: TaskFilter, *, limit: int, before: int | None = None
) -> tuple[list[Task], int]:
    """Newest first, at most `limit`, those enqueued before seq `before`; and how many match in all."""
    if wanted.run_id is not None:
        matching = [task for task in tasks_of_run(tx, wanted.run_id) if wanted.includes(task)]
        older = [task for task in reversed(matching) if before is None or task.seq < before]
        return older[:limit], len(matching)
    queues = list(QueueName) if wanted.queue is None else [wanted.queue]
    states = list(dict.fromkeys(wanted.states)) or list(TaskState)
    counts = [totals(tx, queue) for queue in queues]
    newest = [seq for queue in queues for state in states for seq in _newest(tx, queue, state, limit, before)]
    shown = sorted(newest, reverse=True)[:limit]
    rows = tx.rows(
        f"SELECT {TASK_COLUMNS} FROM tasks WHERE seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq DESC",
        seqs=json.dumps(shown),
    )
    return [read_task(row) for row in rows], sum(count[state] for count in counts for state in states)


def _newest(tx: Transaction, queue: QueueName, state: TaskState, limit: int, before: int | None) -> list[int]:
    """Of one queue and state, from its own run in an index: what is rare is found without passing what is not."""
    # Written out, for an index of some states serves only a query that names one of them.
    is_state = f"state = '{state}'" + ("" if state is TaskState.QUEUED else " AND state <> 'queued'")
    return [
        seq
        for (seq,) in tx.rows(
            f"SELECT seq FROM tasks WHERE queue = :queue AND {is_state} AND seq < :before"
            " ORDER BY seq DESC LIMIT :limit",
            queue=queue,
            before=MAX_SEQ if before is None else before,
            limit=limit,
        )
    ]


def totals(tx: Transaction, queue: QueueName) -> dict[TaskState, int]:
    """How many tasks of this queue are in each state."""
    row = tx.row(f"SELECT {', '.join(TaskState)} FROM queue_totals WHERE queue = :queue", queue=queue)
    assert row is not None
    return dict(zip(TaskState, row, strict=True))


def tasks_of_run(tx: Transaction, run_id: str) -> list[Task]:
    """Every task of the run, oldest first; empty if there is no such run."""
    return [
        read_task(row)
        for row in tx.rows(
            # The first task of a run gives it its id.
            f"SELECT {TASK_COLUMNS} FROM tasks WHERE {HAS_ID} AND run_id = id"
            f" UNION ALL SELECT {TASK_COLUMNS} FROM tasks WHERE run_id = :id AND run_id <> id ORDER BY seq",
            id=run_id,
        )
    ]


def unfinished_tasks(tx: Transaction, queue: QueueName) -> list[Task]:
    """The queued and running tasks of one queue, in enqueue order."""
    return [
        read_task(row)
        for row in tx.rows(
            f"SELECT {TASK_COLUMNS} FROM tasks WHERE queue = :queue AND state IN ('queued', 'running')"
            " ORDER BY seq",
            queue=queue,
        )
    ]


def attempts_of(tx: Transaction, task: Task) -> list[Attempt]:
    """The history of the task, oldest claim first."""
    return [
        read_attempt(row)
        for row in tx.rows(
            f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE task_seq = :seq ORDER BY claim", seq=task.seq
        )
    ]


def prerequisites_of(tx: Transaction, task: Task) -> list[tuple[str, TaskState]]:
    """The tasks it waits or waited for, with their present states."""
    return [
        (task_id, TaskState(state))
        for task_id, state in tx.rows(
            "SELECT id, state FROM prerequisites JOIN tasks ON tasks.seq = after_seq"
            " WHERE task_seq = :seq ORDER BY seq",
            seq=task.seq,
        )
    ]


def waiting_on(tx: Transaction, task_ids: Sequence[str]) -> list[str]:
    """The queued tasks that wait for one of these, directly or through others, in enqueue order."""
    return [
        task_id
        for (task_id,) in tx.rows(
            f"""
            WITH RECURSIVE waiting (seq) AS (
                SELECT task_seq FROM prerequisites JOIN tasks ON tasks.seq = after_seq WHERE {HAS_ONE_OF_IDS}
                UNION SELECT task_seq FROM prerequisites JOIN waiting ON after_seq = waiting.seq)
            SELECT id FROM tasks JOIN waiting USING (seq) WHERE state = 'queued' ORDER BY seq
            """,
            ids=json.dumps(list(task_ids)),
        )
    ]


def waiting_for(tx: Transaction, task: Task) -> WaitingFor | None:
    """Why a queued task does not run yet; None for any other task."""
    if task.state is not TaskState.QUEUED:
        return None
    if task.needs_approval(tx.now):
        asked = f"asked for at {task.asked_at:%Y-%m-%d %H:%M} UTC, more than {task.approval_window} ago"
        return WaitingFor(
            "approval", f"approval: {asked}; release_queue({task.queue}, include_old=true) lets it go"
        )
    blockers = [name for name, state in prerequisites_of(tx, task) if state is not TaskState.COMPLETED]
    if blockers:
        return WaitingFor("tasks", f"the end of {', '.join(blockers)}")
    for hold in current_holds(tx, task.queue):
        return WaitingFor("hold", f"the hold of {task.queue} ({hold.source}): {hold.reason}", hold.until)
    if task.due_at > tx.now and task.due_at != task.enqueued_at:
        return WaitingFor("due", task.note or "its due time", task.due_at)
    return WaitingFor("turn", f"its turn in {task.queue}")


@dataclass(frozen=True, slots=True)
class Interval:
    """When one attempt of a task ran; `ended_at` is None while it runs."""

    task_id: str
    queue: QueueName
    started_at: datetime
    ended_at: datetime | None


def intervals(tx: Transaction) -> list[Interval]:
    """Every attempt of every task, by start."""
    return [
        Interval(
            task_id,
            QueueName(queue),
            from_micros(started_at),
            None if ended_at is None else from_micros(ended_at),
        )
        for task_id, queue, started_at, ended_at in tx.rows(
            "SELECT id, queue, attempts.started_at, ended_at FROM attempts JOIN tasks ON tasks.seq = task_seq"
            " ORDER BY attempts.started_at, attempts.epoch, task_seq"
        )
    ]


def overlaps(attempts: Sequence[Interval]) -> list[tuple[Interval, Interval]]:
    """Attempts that began while another one of their queue ran: the promise of the queues is that there are none.

    `attempts` are ordered by start.
    """
    found: list[tuple[Interval, Interval]] = []
    longest: dict[QueueName, Interval] = {}
    for attempt in attempts:
        earlier = longest.setdefault(attempt.queue, attempt)
        if earlier is not attempt and _ends_after(earlier, attempt.started_at):
            found.append((earlier, attempt))
        if earlier.ended_at is not None and _ends_after(attempt, earlier.ended_at):
            longest[attempt.queue] = attempt
    return found


def _ends_after(attempt: Interval, moment: datetime) -> bool:
    return attempt.ended_at is None or attempt.ended_at > moment
