"""Tasks as a list, and one with all its attempts."""

from collections.abc import Iterator
from datetime import datetime
from json import dumps

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from queues.model import TaskState
from server.dashboard.view import SENTENCE
from server.rendering.commands import in_commands
from server.rendering.console import QUEUES, STATES, elapsed, moment
from server.titles import title
from server.views import AttemptView, RunView, TaskDetail, TaskPage, TaskView


def task_table(page: TaskPage, *, is_chosen: bool = False) -> RenderableType:
    """Ids and stocks are folded, never cut; what a task waits for and its error are below it.

    With `is_chosen`, the page is not of all tasks.
    """
    if not page.tasks:
        none = "There are no tasks yet; ask Claude to review a portfolio."
        return Text("There is no such task." if is_chosen else none)
    whole = [Column(name, no_wrap=True) for name in ("task", "state", "since")]
    table = Table(*whole, Column("what", ratio=1, overflow="fold"))
    table.box, table.expand, table.show_edge, table.padding = SIMPLE_HEAD, True, False, (0, 1, 0, 0)
    for task in page.tasks:
        name, state = Text(task.id, QUEUES[task.queue]), Text(task.state, STATES[task.state])
        table.add_row(name, state, moment(_since(task), year=False), _about(task))
    more = "" if page.next_cursor is None else f"; --cursor {page.next_cursor} shows older ones"
    return Group(table, Text(f"{len(page.tasks)} of {page.total} tasks{more}.", "dim"))


def _since(task: TaskView) -> datetime:
    started = task.started_at if task.state is TaskState.RUNNING else None
    return task.finished_at or started or task.enqueued_at


def _about(task: TaskView) -> Text:
    about = Text(title(task.kind, task.payload), overflow="fold")
    if task.progress is not None and not task.state.is_finished:
        about.append(f"\n{task.progress.done}/{task.progress.total} {task.progress.message}")
    if task.waiting_for is not None:
        about.append(f"\nwaits for {_waits(task)}", "dim")
    if task.error is not None:
        error = task.error if len(task.error) <= SENTENCE else f"{task.error[: SENTENCE - 1]}…"
        about.append(f"\n{error}", STATES[task.state])
    return about


def _waits(task: TaskView) -> str:
    assert task.waiting_for is not None
    until = task.waiting_for.until
    return in_commands(task.waiting_for.what) + ("" if until is None else f", until {moment(until)}")


def task_list(detail: TaskDetail) -> RenderableType:
    """Everything about one task, a line or more for each thing."""
    task = detail.task
    grid = Table.grid(
        Column(no_wrap=True), Column(ratio=1, overflow="fold"), padding=(0, 2, 0, 0), expand=True
    )
    grid.add_row(Text(task.id, QUEUES[task.queue]), Text(task.state, STATES[task.state]))
    for name, what in _things(task, detail.run):
        grid.add_row(name, what)
    for attempt in detail.attempts:
        grid.add_row(f"claim {attempt.claim}", _attempt(attempt))
    return grid


def _things(task: TaskView, run: RunView) -> Iterator[tuple[str, str]]:
    yield "about", title(task.kind, task.payload)
    yield "queue", f"{task.queue}, priority {task.priority}, attempt {task.attempt}"
    yield "run", _run(run)
    moments = {"enqueued": task.enqueued_at, "started": task.started_at, "finished": task.finished_at}
    yield "times", ", ".join(f"{name} {moment(at)}" for name, at in moments.items() if at is not None)
    if task.waiting_for is not None:
        yield "waits for", _waits(task)
    if task.progress is not None:
        yield "progress", f"{task.progress.done}/{task.progress.total} {task.progress.message}"
    yield "payload", dumps(task.payload, ensure_ascii=False)
    if task.result is not None:
        yield "result", dumps(task.result, ensure_ascii=False)
    if task.error is not None:
        yield "error", task.error


def _run(run: RunView) -> str:
    tasks = ", ".join(f"{count} {state}" for state, count in run.tasks.items() if count)
    stocks = f"; {run.stocks_done} of {run.stocks} stocks done" if run.stocks else ""
    return f"{run.run_id}: {tasks}{stocks}"


def _attempt(attempt: AttemptView) -> Text:
    ended = attempt.ended_at
    took = "" if ended is None else f", took {elapsed(ended - attempt.started_at)}"
    detail = "" if attempt.detail is None else f": {attempt.detail}"
    outcome = attempt.outcome or "runs"
    return Text(f"{moment(attempt.started_at)} {outcome}{took}{detail}", overflow="fold")
