"""The way of a task through its table: enqueue, claim, record. Every function runs inside a transaction."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import apsw

from queues.context import require_current
from queues.database import Transaction
from queues.dependents import dependents_of, link_prerequisite, move_dependents
from queues.ending import finish, requeue
from queues.errors import InvalidTaskError, QueueFullError, UnknownTaskError
from queues.holds import hold_queue
from queues.model import Enqueued, NewTask, QueueName, Sibling, Task, TaskState
from queues.moments import span_to_micros
from queues.outcome import Cancelled, Completed, Failed, Outcome, Retry, Snooze
from queues.rows import HAS_ID, TASK_COLUMNS, dump, read_task
from queues.topics import ANY_QUEUE, work_in

# Task ids are read aloud, typed and quoted by models: a word that says the queue, and a number.
ID_PREFIXES = {
    QueueName.PORTFOLIO_SYNC: "sync",
    QueueName.DATA_FETCHER: "fetch",
    QueueName.AI_ANALYSIS: "analysis",
}
NEVER = datetime.min.replace(tzinfo=UTC)


def find_task(tx: Transaction, task_id: str) -> Task:
    """The task with this id.

    Raises:
        UnknownTaskError: there is none.
    """
    row = tx.row(f"SELECT {TASK_COLUMNS} FROM tasks WHERE {HAS_ID}", id=task_id)
    if row is None:
        raise UnknownTaskError(f"There is no task {task_id[:40]!r}; list_tasks shows the ids.")
    return read_task(row)


def enqueue(
    tx: Transaction, tasks: Sequence[NewTask], *, parent: Task | None = None, run_id: str | None = None
) -> list[Enqueued]:
    """Store these tasks as queued, in this order, as one run: `run_id`, that of `parent`, or a new one.

    A task whose dedup key is held by an unfinished one is not stored; the holder is returned in its place.

    Raises:
        InvalidTaskError: JSON cannot hold the payload, or the schema not the rest.
        UnknownTaskError: `after` names no task.
        QueueFullError: more would be queued than the queue may hold; follow-ups of a `parent` are never refused.
    """
    answers: list[Enqueued] = []
    run_id = parent.run_id if parent else run_id
    for new in tasks:
        holder = None if new.dedup_key is None else _holder_of(tx, new)
        if holder is not None:
            answers.append(Enqueued(holder, already_queued=True))
            continue
        try:
            task = _insert(tx, new, run_id, parent)
        except (apsw.ConstraintError, OverflowError) as error:
            raise InvalidTaskError(f"A task of kind {new.kind[:40]!r} cannot be stored: {error}.") from error
        run_id = task.run_id
        if new.after:
            _link(tx, task, new.after, answers)
            task = find_task(tx, task.id)
        answers.append(Enqueued(task, already_queued=False))
    tx.touch(work_in(new.queue for new in tasks))
    return answers


def _holder_of(tx: Transaction, new: NewTask) -> Task | None:
    row = tx.row(
        f"SELECT {TASK_COLUMNS} FROM tasks WHERE queue = :queue AND dedup_key = :key"
        " AND state IN ('queued', 'running')",
        queue=new.queue,
        key=new.dedup_key,
    )
    return None if row is None else read_task(row)


def _insert(tx: Transaction, new: NewTask, run_id: str | None, parent: Task | None) -> Task:
    row = tx.row(
        "SELECT queued, (SELECT max(newest_seq) FROM queue_totals) FROM queue_totals WHERE queue = :queue",
        queue=new.queue,
    )
    assert row is not None
    if parent is None and row[0] >= tx.queue_limit:
        raise QueueFullError(
            f"{new.queue} may hold {tx.queue_limit} queued tasks, and this request would bring more; wait until some "
            "have run, clear the queue, or raise the setting queue_limit. Nothing was enqueued."
        )
    seq = row[1] + 1
    payload = dump(new.payload)
    task = _queued(new, seq, run_id, payload, asked_at=parent.asked_at if parent else tx.now, now=tx.now)
    tx.run(
        "INSERT INTO tasks (seq, run_id, queue, kind, payload, state, priority, carried, dedup_key,"
        " max_attempts, timeout, asked_at, approval_window, enqueued_at, due_at)"
        " VALUES (:seq, :run_id, :queue, :kind, :payload, :state, :priority, :carried, :dedup_key,"
        " :max_attempts, :timeout, :asked_at, :approval_window, :now, :due_at)",
        seq=seq,
        run_id=task.run_id,
        queue=task.queue,
        kind=task.kind,
        payload=payload,
        state=task.state,
        priority=task.priority,
        carried=int(task.carried),
        dedup_key=task.dedup_key,
        max_attempts=task.max_attempts,
        timeout=span_to_micros(task.timeout),
        asked_at=tx.to_micros(task.asked_at),
        approval_window=None if task.approval_window is None else span_to_micros(task.approval_window),
        now=tx.micros,
        due_at=tx.to_micros(task.due_at),
    )
    return task


def _queued(
    new: NewTask, seq: int, run_id: str | None, payload: str, *, asked_at: datetime, now: datetime
) -> Task:
    """The task as it is stored, without reading it back."""
    task_id = f"{ID_PREFIXES[new.queue]}-{seq}"
    return Task(
        seq=seq,
        id=task_id,
        run_id=run_id or task_id,
        queue=new.queue,
        kind=new.kind,
        payload=json.loads(payload),
        state=TaskState.QUEUED,
        priority=new.priority,
        carried=new.carried,
        dedup_key=new.dedup_key,
        max_attempts=new.max_attempts,
        timeout=new.timeout,
        # A follow-up was asked for when its parent was: a start a week later must not make it look new.
        asked_at=max(asked_at, new.due_at or NEVER),
        approval_window=new.approval_window,
        enqueued_at=now,
        due_at=new.due_at or now,
    )


def _link(tx: Transaction, task: Task, after: Sequence[str | Sibling], siblings: Sequence[Enqueued]) -> None:
    for prerequisite in after:
        if isinstance(prerequisite, Sibling):
            if not 0 <= prerequisite.index < len(siblings):
                raise InvalidTaskError(
                    f"A task may wait only for earlier siblings, not for {prerequisite.index}."
                )
            after_id = siblings[prerequisite.index].task.id
        else:
            after_id = prerequisite
        link_prerequisite(tx, task, find_task(tx, after_id))


def claim_next(tx: Transaction, queue: QueueName, epoch: int) -> Task | None:
    """Start the next task of this queue, or return None: nothing may start now.

    Order: priority, then carried (interrupted tasks and remainders), then enqueue order. Passed by: a task
    that is not due, waits for a prerequisite, or needs approval. Nothing starts in a held queue, beside a
    running task, or for a leader that is not the current one. No attempt begins before the last one of its
    queue ended, wherever the clock stands.
    """
    row = tx.row(
        f"""
        UPDATE tasks
        SET state = 'running', claim = claim + 1, attempt = attempt + 1, epoch = :epoch, note = NULL,
            started_at = max(:now, (SELECT last_ended_at FROM queue_totals WHERE queue = :queue))
        WHERE seq = (
            SELECT seq FROM tasks AS candidate
            WHERE queue = :queue AND state = 'queued' AND (due_at <= :now OR due_at = enqueued_at)
              AND (approval_window IS NULL OR asked_at + approval_window > :now)
              AND NOT EXISTS (
                SELECT 1 FROM prerequisites JOIN tasks AS earlier ON earlier.seq = after_seq
                WHERE task_seq = candidate.seq AND earlier.state <> 'completed')
            ORDER BY priority DESC, carried DESC, seq LIMIT 1)
          AND EXISTS (SELECT 1 FROM queue_totals WHERE queue = :queue AND running = 0)
          AND NOT EXISTS (SELECT 1 FROM holds WHERE queue = :queue AND (until IS NULL OR until > :now))
          AND EXISTS (SELECT 1 FROM leader WHERE epoch = :epoch)
        RETURNING {TASK_COLUMNS}
        """,
        queue=queue,
        epoch=epoch,
        now=tx.micros,
    )
    if row is None:
        return None
    tx.touch()
    return read_task(row)


def record(tx: Transaction, task: Task, outcome: Outcome, backoff: timedelta) -> None:
    """End the attempt `task` with its outcome; follow-ups are enqueued in this same transaction.

    A retry waits for the outcome's own delay, else for `backoff`; once all attempts are spent it fails. What
    would go on, itself or by its follow-ups, although its cancel was asked for is cancelled. A follow-up may
    take over the dedup key of its parent.

    Raises:
        StaleClaimError: the attempt is not the task's current one; nothing is stored.
        InvalidTaskError: the result or a follow-up cannot be stored; nothing is stored.
    """
    asked_to_stop, has_dependents = require_current(tx, task)
    if asked_to_stop is not None and _would_go_on(outcome):
        outcome = Cancelled(asked_to_stop)
    match outcome:
        case Completed():
            _complete(tx, task, outcome, has_dependents=has_dependents)
        case Failed():
            _fail(tx, task, outcome)
        case Cancelled(reason):
            finish(tx, task, "cancelled", error=reason)
        case Retry(error) if task.attempt >= task.max_attempts:
            finish(tx, task, "failed", error=f"{error} (gave up after {task.attempt} attempts)")
        case Retry(error, delay):
            requeue(tx, task, "retry", error, tx.now + (backoff if delay is None else delay), spent=1)
        case Snooze(reason, until, hold):
            # With neither a moment nor a hold, nothing but the backoff keeps it from snoozing in circles.
            until = until or (tx.now + backoff if hold is None else None)
            foreseen = hold.until if until is None and hold is not None else until
            requeue(tx, task, "snooze", reason, until, spent=0, foreseen=foreseen)
            if hold is not None:
                hold_queue(tx, task.queue, hold.source, hold.reason, hold.until)
    tx.touch()


def _complete(tx: Transaction, task: Task, outcome: Completed, *, has_dependents: bool) -> None:
    finish(tx, task, "completed", result=dump(outcome.result))
    dependents = dependents_of(tx, task.seq) if has_dependents else ()
    new: Sequence[NewTask] = () if outcome.on_record is None else outcome.on_record(tx)
    follow_ups = enqueue(tx, new, parent=task) if new else []
    if outcome.of_follow_ups is not None:  # they may take over the dedup key of a task only once it has ended
        tx.run(
            "UPDATE tasks SET result = :result WHERE seq = :seq",
            seq=task.seq,
            result=dump({**outcome.result, **outcome.of_follow_ups(follow_ups)}),
        )
    if dependents:
        for wish, follow_up in zip(new, follow_ups, strict=True):
            if wish.carried:
                move_dependents(tx, dependents, follow_up.task)
        tx.touch(ANY_QUEUE)


def _fail(tx: Transaction, task: Task, outcome: Failed) -> None:
    if outcome.on_record is not None:
        outcome.on_record(tx)  # while what waits for the task is still queued
    result = None if outcome.result is None else dump(outcome.result)
    finish(tx, task, "failed", error=outcome.error, result=result)


def _would_go_on(outcome: Outcome) -> bool:
    """Whether something is still to come of it: another attempt, or follow-ups."""
    return isinstance(outcome, Retry | Snooze | Cancelled) or (
        isinstance(outcome, Completed) and outcome.on_record is not None
    )
