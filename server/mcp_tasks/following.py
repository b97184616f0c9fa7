"""The work that an MCP task stands for: which of our tasks it follows, how far they are, how they ended."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

from handlers.day import spoken
from handlers.run_report import run_stocks
from queues.database import Transaction
from queues.inspection import tasks_of_run, waiting_for
from queues.model import QueueName, Task, TaskState
from queues.store import find_task
from server.change_views import EnqueueView
from server.mcp_tasks.store import Ending
from server.shortening import MOST_IDS, shortened_text

# Where the fruit of each queue is seen.
SEEN_IN = {
    QueueName.PORTFOLIO_SYNC: "get_portfolio shows the holdings.",
    QueueName.DATA_FETCHER: "get_task shows what each fetch brought.",
    QueueName.AI_ANALYSIS: "get_verdicts shows the verdicts.",
}


def followed(tx: Transaction, answer: EnqueueView) -> list[Task]:
    """The run that the request began; of other runs that do its work, what concerns its stocks.

    A sync is followed with all its run, for nobody knows its stocks before. So is all else where the answer may name
    only the first of what it met.

    Raises:
        UnknownTaskError: a task was forgotten meanwhile.
    """
    named = dict.fromkeys([*answer.task_ids, *answer.already_queued.values()])
    tasks = [find_task(tx, task_id) for task_id in named]
    is_cut = len(answer.already_queued) >= MOST_IDS
    whole = {task.run_id for task in tasks if is_cut or task.queue is QueueName.PORTFOLIO_SYNC}
    if answer.run_id is not None and (is_cut or began_run(answer)):
        whole.add(answer.run_id)
    return [
        task
        for run_id in dict.fromkeys([*sorted(whole), *(task.run_id for task in tasks)])
        for task in tasks_of_run(tx, run_id)
        # The remainder of a session holds some of the same stocks.
        if run_id in whole or task.id in named or not answer.already_queued.keys().isdisjoint(stocks_of(task))
    ]


def began_run(answer: EnqueueView) -> bool:
    """Whether the run is the request's own: it has the id of a task that is new."""
    return answer.run_id in answer.task_ids and answer.run_id not in answer.already_queued.values()


def stocks_of(task: Task) -> set[str]:
    stocks = task.payload.get("stocks")
    return set(map(str, stocks)) if isinstance(stocks, list) else set()


def last_change(tasks: Sequence[Task]) -> datetime:
    """When one of them was last enqueued, started or finished."""
    return max(task.finished_at or task.started_at or task.enqueued_at for task in tasks)


def how_far(tx: Transaction, answer: EnqueueView, tasks: Sequence[Task], zone: tzinfo | None) -> str:
    """What is done, what runs, and what needs more than its turn to start."""
    ended = sum(task.state.is_finished for task in tasks)
    done = f"{ended} of {len(tasks)} tasks ended{_stocks_done(tx, answer)}."
    running = (
        f"{task.id} runs{f': {task.progress.message}' if task.progress else ''}."
        for task in tasks
        if task.state is TaskState.RUNNING
    )
    return " ".join([done, *running, *_first_wait(tx, tasks, zone)])


def _stocks_done(tx: Transaction, answer: EnqueueView) -> str:
    if answer.run_id is None or not began_run(answer):
        return ""
    stocks = run_stocks(tx, answer.run_id)
    without_data = f", {stocks.without_data} without data" if stocks.without_data else ""
    return f", {stocks.done} of {stocks.total} stocks done{without_data}" if stocks.total else ""


def _first_wait(tx: Transaction, tasks: Sequence[Task], zone: tzinfo | None) -> Iterator[str]:
    """That of the first one whose start is up to somebody else; a mere turn counts only while nothing runs."""
    passed_over = {"tasks", *("turn" for task in tasks if task.state is TaskState.RUNNING)}
    for task in tasks:
        waiting = waiting_for(tx, task)
        if waiting is not None and waiting.kind not in passed_over:
            until = "" if waiting.until is None else f" until {spoken(waiting.until, zone, now=tx.now)}"
            yield f"{task.id} waits{until} for {waiting.what.removesuffix('.')}."
            return


def ending_of(tx: Transaction, answer: EnqueueView, tasks: Sequence[Task]) -> Ending | None:
    """How they ended; None while one is unfinished.

    It is an error if one failed, and cancelled if nothing of what the request was for is left: its last queue.
    """
    if not all(task.state.is_finished for task in tasks):
        return None
    last_queue = [queue for queue in QueueName if any(task.queue is queue for task in tasks)][-1]
    failed = [task for task in tasks if task.state is TaskState.FAILED]
    cancelled = [task for task in tasks if task.state is TaskState.CANCELLED]
    completed = len(tasks) - len(failed) - len(cancelled)
    words = [f"{completed} of {len(tasks)} tasks completed{_stocks_done(tx, answer)}."]
    if failed:
        words.append(
            f"{len(failed)} failed, first {failed[0].id}: {shortened_text(failed[0].error or '')}"
            f' retry_task(run_id="{failed[0].run_id}") tries again.'
        )
    if cancelled:
        # After a failure that is the reason.
        why = "." if failed else f", first {cancelled[0].id}: {shortened_text(cancelled[0].error or '')}"
        words.append(f"{len(cancelled)} cancelled{why}")
    is_lost = not failed and all(task in cancelled for task in tasks if task.queue is last_queue)
    if not is_lost:
        words.append(SEEN_IN[last_queue])
    return Ending(
        status="cancelled" if is_lost else "completed",
        message=" ".join(words),
        is_error=bool(failed),
        ended_at=last_change(tasks),
    )
