"""What can be seen of the desk: each function reads once and answers with a view."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Literal

import anyio

from handlers.analyst.usage import UsageWindow, usage_warnings
from handlers.day import spoken
from handlers.run_report import run_stocks
from handlers.stocks import Stock, StockError, parse_stock
from queues.database import Transaction, Work
from queues.inspection import TaskFilter, list_tasks, tasks_of_run
from queues.leader import lock_path
from queues.lifecycle import find_leader
from queues.model import Leader, QueueName, TaskState
from queues.status import queue_status
from queues.store import find_task
from server.desk import Desk
from server.requests import RequestError
from server.shortening import that_fit
from server.spending import spent_today
from server.takeover import described, is_here, responds
from server.views import LeaderView, QueueView, RunView, StatusView, TaskDetail, TaskPage, TaskView

CURSOR = re.compile(r"[0-9]{1,18}")
# A client that hears nothing of a call gives it up: Claude Code after five minutes over HTTP, others sooner.
REPORT_EVERY = timedelta(seconds=10)


async def desk_status(desk: Desk) -> StatusView:
    """What the queues do, and whether somebody runs them; a process that hangs makes it wait for a second."""

    def look(tx: Transaction) -> StatusView | Leader:
        leader = find_leader(tx, lock_path(desk.database.path))
        if leader is None or is_here(leader):  # nobody has to be asked
            return _status(tx, desk, leader, responds=None if leader is None else True)
        return leader

    leader = await desk.database.read(look)
    if isinstance(leader, StatusView):
        return leader
    answers = await responds(leader)
    return await desk.database.read(lambda tx: _status(tx, desk, leader, responds=answers))


def _status(tx: Transaction, desk: Desk, leader: Leader | None, *, responds: bool | None) -> StatusView:
    queues = [QueueView.of(tx, queue_status(tx, queue), is_led=bool(responds)) for queue in QueueName]
    today = spent_today(tx, desk.settings)
    words = [
        *_leading(leader, desk, responds=responds),
        *_usage(usage_warnings(tx, tx.now), desk.settings.zone, tx.now),
        *_findings(queues, desk.settings.zone, tx.now),
    ]
    return StatusView(
        queues=queues,
        leader=None if leader is None else LeaderView.of(leader, responds=responds),
        analyst=desk.settings.analyst,
        today=today,
        message=" ".join([*words, today.message] if today.at_most_usd else words),
    )


def _leading(leader: Leader | None, desk: Desk, *, responds: bool | None) -> list[str]:
    if leader is not None and leader.is_alive:
        return [] if responds else [_not_responding(leader, responds)]
    if desk.manager.is_running:
        return ["This process is about to run the queues."]
    return ["No process runs the queues; start `stockdesk worker` or keep an MCP client open."]


def _not_responding(leader: Leader, responds: bool | None) -> str:
    if responds is None:
        return (
            f"The process on record as leader ({described(leader)}) has ended, and another is about to run the queues;"
            " if that stays so, `stockdesk takeover` says what to look at."
        )
    return (
        f"The process that runs the queues ({described(leader)}) does not answer: its loop is stalled or it is"
        " stopped; `stockdesk takeover` ends it, and another takes over."
    )


def _findings(queues: Sequence[QueueView], zone: tzinfo | None, now: datetime) -> list[str]:
    """One sentence for everything that needs somebody, so that no trouble hides behind a healthy total."""
    found: list[str] = []
    for queue in queues:
        for hold in queue.holds:
            end = "released" if hold.until is None else spoken(hold.until, zone, now=now)
            found.append(
                f"{queue.queue} is held until {end} ({hold.source}): {hold.reason.removesuffix('.')}."
            )
        if failed := queue.counts[TaskState.FAILED]:
            found.append(f"{failed} task{'s' * (failed > 1)} of {queue.queue} failed; list_tasks shows why.")
        if waiting := queue.waiting_for_approval:
            found.append(
                f"{waiting} task{'s' * (waiting > 1)} of {queue.queue} asked for over a day ago wait for "
                f"approval; release_queue({queue.queue}, include_old=true) lets them go."
            )
    unfinished = sum(queue.counts[TaskState.QUEUED] + queue.counts[TaskState.RUNNING] for queue in queues)
    found.append(f"{unfinished} task{'s' * (unfinished != 1)} unfinished.")
    return found


def _usage(windows: Sequence[UsageWindow], zone: tzinfo | None, now: datetime) -> Iterator[str]:
    """One sentence for each usage window of the subscription that is nearly, or wholly, used up."""
    for each in windows:
        share = "nearly used up" if each.utilization is None else f"{each.utilization * 100:.0f} % used"
        used = "used up" if each.status == "rejected" else share
        reset = "" if each.resets_at is None else f", resets {spoken(each.resets_at, zone, now=now)}"
        yield f"Claude's {each.window.replace('_', '-')} window is {used}{reset}."


async def page_of_tasks(
    desk: Desk,
    *,
    queue: QueueName | None,
    states: Sequence[TaskState],
    run_id: str | None,
    limit: int,
    cursor: str | None,
) -> TaskPage:
    """One page, newest first.

    Raises:
        RequestError: `cursor` is not one that a page gave.
    """
    before = None if cursor is None else number_of(cursor)
    wanted = TaskFilter(queue=queue, states=states, run_id=run_id)

    def read(tx: Transaction) -> TaskPage:
        tasks, total = list_tasks(tx, wanted, limit=limit + 1, before=before)
        shown = that_fit(TaskView.of(tx, task) for task in tasks[:limit])
        more = len(shown) < len(tasks)
        return TaskPage(
            total=total, tasks=shown, next_cursor=str(tasks[len(shown) - 1].seq) if more else None
        )

    return await desk.database.read(read)


def number_of(cursor: str) -> int:
    """The number that a cursor stands for.

    Raises:
        RequestError: it is not one that a page gave.
    """
    if not CURSOR.fullmatch(cursor):
        raise RequestError(_not_a_cursor(cursor))
    return int(cursor)


def stock_of(cursor: str) -> Stock:
    """The stock that a cursor stands for.

    Raises:
        RequestError: it is not one that a page gave.
    """
    try:
        return parse_stock(cursor)
    except StockError as error:
        raise RequestError(_not_a_cursor(cursor)) from error


def _not_a_cursor(cursor: str) -> str:
    return f"The cursor {cursor[:40]!r} is not one that a page gave; leave it out to start anew."


def run_view(tx: Transaction, run_id: str) -> RunView:
    tasks = tasks_of_run(tx, run_id)
    stocks = run_stocks(tx, run_id)
    return RunView(
        run_id=run_id,
        tasks={state: sum(task.state is state for task in tasks) for state in TaskState},
        stocks=stocks.total,
        stocks_done=stocks.done,
        stocks_without_data=stocks.without_data,
        stocks_failed=stocks.failed,
        finished=all(task.state.is_finished for task in tasks),
    )


def detail_of(tx: Transaction, task_id: str) -> TaskDetail:
    """The task, its attempts and its run.

    Raises:
        UnknownTaskError: there is no such task.
    """
    task = find_task(tx, task_id)
    return TaskDetail.of(tx, task, run_view(tx, task.run_id))


async def task_detail(
    desk: Desk,
    task_id: str,
    *,
    wait: timedelta,
    wait_for: Literal["task", "run"],
    report: Callable[[TaskDetail], Awaitable[None]],
) -> TaskDetail:
    """The task, its attempts and its run; returns as soon as the task (or its run) ends, at most after `wait`.

    Whichever process runs it: the end of a task rings in all of them. Meanwhile `report` is told what is seen: at
    first, after each change, and where nothing changes every `REPORT_EVERY`.

    Raises:
        UnknownTaskError: there is no such task.
    """
    read = partial(detail_of, task_id=task_id)
    detail = await desk.database.read(read)
    with anyio.move_on_after(wait.total_seconds()):
        while not (detail.run.finished if wait_for == "run" else detail.task.state.is_finished):
            await report(detail)
            with anyio.move_on_after(REPORT_EVERY.total_seconds()):
                detail = await _changed(desk, read, detail)
    return detail


async def _changed(desk: Desk, read: Work[TaskDetail], seen: TaskDetail) -> TaskDetail:
    """What is read as soon as it is no longer what was seen."""
    while True:
        heard = desk.manager.bell.next_ring()
        found = await desk.database.read(read)
        if found != seen:
            return found
        await desk.manager.bell.wait(heard)
