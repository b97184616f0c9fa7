"""What changes the desk: each function writes once and answers with a view."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from handlers.analysis_task import unfinished_analyses
from handlers.day import spoken
from handlers.joining import withdraw
from handlers.portfolio_sync import KIND as SYNC
from handlers.resolve import resolve_stocks
from handlers.stocks import Stock, parse_exchange
from queues.control import cancel_task, clear_queue, retry_task
from queues.database import Transaction
from queues.errors import DedupKeyTakenError, TaskStateError
from queues.holds import approve_old, current_holds, hold_queue, release_queue
from queues.inspection import tasks_of_run, waiting_on
from queues.model import QueueName, Task, TaskState
from queues.status import queue_status
from queues.store import find_task
from server.change_views import (
    CancelView,
    ClearView,
    HoldChange,
    RetryView,
    cancel_view,
    retry_view,
    withdrawal_view,
)
from server.desk import Desk
from server.requests import RequestError
from server.shortening import MOST_IDS
from server.views import HoldView

# The source of holds that a person sets; others are set by the limits that were met.
USER = "user"


async def cancel(
    desk: Desk, *, task_ids: Sequence[str], run_id: str | None, reason: str | None
) -> CancelView:
    """Cancel these tasks, or every unfinished one of a run, in one transaction.

    Raises:
        RequestError: neither or both were given, or the run is not known.
        UnknownTaskError: one of the ids is not known; nothing was cancelled.
    """
    if bool(task_ids) == (run_id is not None):
        raise RequestError("Give either task_ids or run_id; list_tasks shows both.")
    why = f"Cancelled on request: {reason}" if reason else "Cancelled on request."

    def work(tx: Transaction) -> CancelView:
        ids = (
            list(dict.fromkeys(task_ids)) if run_id is None else [task.id for task in _known_run(tx, run_id)]
        )
        before = {task_id: find_task(tx, task_id).state for task_id in ids}
        waiting = waiting_on(tx, ids)
        # The newest first: what waits for an older one is then cancelled for the reason that was given.
        for task_id in sorted(ids, key=lambda each: find_task(tx, each).seq, reverse=True):
            if not find_task(tx, task_id).state.is_finished:
                cancel_task(tx, task_id, why)
        also = [
            task_id
            for task_id in waiting
            if task_id not in before and find_task(tx, task_id).state is TaskState.CANCELLED
        ]
        return cancel_view(before, also)

    return await desk.database.write(work)


async def cancel_stocks(
    desk: Desk,
    symbols: Sequence[str],
    *,
    exchange: str | None,
    task_ids: Sequence[str],
    run_id: str | None,
    reason: str | None,
) -> CancelView:
    """Take these stocks out of the analyses that wait (of these tasks or that run, else of all), in one transaction.

    A task that loses its last stock is cancelled.

    Raises:
        RequestError: one of the stocks is in no such analysis, or in one that runs; nothing was changed.
        UnknownTaskError: one of the ids is not known; nothing was changed.
        StockError: a text is no symbol, or its exchange cannot be known.
    """
    why = f"Its stocks were withdrawn: {reason}" if reason else "Its stocks were withdrawn on request."

    def work(tx: Transaction) -> CancelView:
        scope = set[str]() if run_id is None else {task.id for task in _known_run(tx, run_id)}
        scope |= {find_task(tx, task_id).id for task_id in task_ids}
        asked = None if exchange is None else parse_exchange(exchange)
        withdrawn: dict[str, str] = {}
        for stock in resolve_stocks(tx, symbols, asked, desk.settings.default_exchange):
            task = _analysis_of(tx, stock, scope if run_id or task_ids else None)
            withdraw(tx, task, stock, why)
            withdrawn[str(stock)] = task.id
        cancelled = [
            task_id
            for task_id in dict.fromkeys(withdrawn.values())
            if find_task(tx, task_id).state is TaskState.CANCELLED
        ]
        return withdrawal_view(withdrawn, cancelled)

    return await desk.database.write(work)


def _known_run(tx: Transaction, run_id: str) -> list[Task]:
    tasks = tasks_of_run(tx, run_id)
    if not tasks:
        raise RequestError(f"There is no run {run_id!r}; list_tasks shows the run of each task.")
    return tasks


def _analysis_of(tx: Transaction, stock: Stock, scope: Collection[str] | None) -> Task:
    for task, payload in unfinished_analyses(tx):
        in_scope = scope is None or task.id in scope
        if not in_scope or str(stock) not in payload.stocks:
            continue
        if task.state is TaskState.RUNNING:
            raise RequestError(
                f"{stock} is being analysed by {task.id}, which runs; cancel that task to stop its whole session."
                " Nothing was cancelled."
            )
        return task
    raise RequestError(
        f"No such analysis of {stock} is unfinished; list_tasks shows what is. Nothing was cancelled."
    )


async def retry(desk: Desk, *, task_id: str | None, run_id: str | None) -> RetryView:
    """Queue a finished task anew, or every failed and cancelled one of a run.

    Raises:
        RequestError: neither or both were given, or the run has nothing that could be retried.
        EngineError: the task is not known, has not ended, or its work is being done by another.
    """
    if task_id is not None and run_id is None:

        def one(tx: Transaction) -> RetryView:
            _refuse_removal(find_task(tx, task_id))
            task, revived = retry_task(tx, task_id)
            return retry_view([task.id], revived)

        return await desk.database.write(one)
    if task_id is not None or run_id is None:
        raise RequestError("Give either task_id or run_id; list_tasks shows both.")
    return await desk.database.write(lambda tx: _retry_run(tx, run_id))


def _refuse_removal(task: Task) -> None:
    """A person agreed to it as things stood then; since, the account may have been synced again."""
    if task.kind == SYNC and task.payload.get("remove"):
        raise RequestError(
            f"{task.id} removes the account {task.payload.get('account')}, and is not retried; remove_account asks"
            " anew."
        )


def _retry_run(tx: Transaction, run_id: str) -> RetryView:
    tasks = _known_run(tx, run_id)
    queued: list[str] = []
    also: list[str] = []
    refused: list[str] = []
    # The oldest first: a task comes after what it waits for, and may be back because of it.
    for task in tasks:
        if find_task(tx, task.id).state not in (TaskState.FAILED, TaskState.CANCELLED):
            continue
        try:
            _refuse_removal(task)
            _, revived = retry_task(tx, task.id)
        except (TaskStateError, DedupKeyTakenError, RequestError) as error:
            refused.append(str(error))
        else:
            queued.append(task.id)
            also += revived
    if not queued:
        reason = refused[0] if refused else "none of its tasks failed or was cancelled."
        raise RequestError(f"Nothing of the run {run_id!r} can be retried: {reason}")
    return retry_view(queued, also, refused)


async def hold(desk: Desk, queue: QueueName, *, reason: str, minutes: int | None) -> HoldChange:
    """Let the queue start nothing more, until released or for so many minutes; the running task goes on."""

    def work(tx: Transaction) -> HoldChange:
        until = None if minutes is None else tx.now + timedelta(minutes=minutes)
        hold_queue(tx, queue, USER, reason, until)
        running = queue_status(tx, queue).running
        goes_on = f" {running.id} is running and goes on; cancel_tasks would stop it." if running else ""
        end = f"release_queue({queue})" if until is None else spoken(until, desk.settings.zone, now=tx.now)
        return _change(tx, queue, message=f"{queue} starts nothing more until {end}.{goes_on}")

    return await desk.database.write(work)


async def release(desk: Desk, queue: QueueName, *, include_old: bool) -> HoldChange:
    """End every hold of the queue; with `include_old`, also let tasks asked for over a day ago start."""

    def work(tx: Transaction) -> HoldChange:
        ended = release_queue(tx, queue)
        approved = approve_old(tx, queue) if include_old else 0
        left = queue_status(tx, queue).needs_approval
        words = [f"{queue} goes on." if ended else f"{queue} was not held."]
        if approved:
            words.append(f"{approved} old task{'s' * (approved != 1)} may start.")
        if left:
            need = "needs" if left == 1 else "need"
            words.append(f"{left} asked for over a day ago still {need} approval (include_old=true).")
        released = [HoldView.of(each) for each in ended]
        return _change(tx, queue, released=released, approved=approved, message=" ".join(words))

    return await desk.database.write(work)


def _change(
    tx: Transaction,
    queue: QueueName,
    *,
    message: str,
    released: Sequence[HoldView] = (),
    approved: int = 0,
) -> HoldChange:
    return HoldChange(
        queue=queue,
        holds=[HoldView.of(each) for each in current_holds(tx, queue)],
        released=list(released),
        approved_old_tasks=approved,
        message=message,
    )


async def clear(desk: Desk, queue: QueueName, task_ids: Sequence[str]) -> ClearView:
    """Cancel those of these tasks of the queue that are still queued; what runs goes on."""

    def work(tx: Transaction) -> ClearView:
        running = queue_status(tx, queue).running
        cancelled = clear_queue(tx, queue, "The queue was cleared.", task_ids)
        return ClearView(
            queue=queue,
            cancelled_tasks=len(cancelled),
            cancelled=[task.id for task in cancelled[:MOST_IDS]],
            still_running=None if running is None else running.id,
        )

    return await desk.database.write(work)
