"""What a client hears while it waits for a task."""

from collections.abc import Awaitable, Callable
from typing import Literal

from mcp.server.mcpserver import Context

from queues.model import TaskState
from server.views import TaskDetail

# The protocol wants each report to exceed the one before: what says nothing new exceeds it by this. A wait is too
# short for so many that they would add up to one that is done.
SIGN_OF_LIFE = 0.001


def reporter(ctx: Context, wait_for: Literal["task", "run"]) -> Callable[[TaskDetail], Awaitable[None]]:
    """Tells the client of `ctx`, if it asked for progress, how far the task or its run is. It never goes back."""
    last = -SIGN_OF_LIFE

    async def report(detail: TaskDetail) -> None:
        nonlocal last
        done, total, message = _of_run(detail) if wait_for == "run" else _of_task(detail)
        last = max(done, last + SIGN_OF_LIFE)
        await ctx.report_progress(last, None if total is None else max(total, last), message)

    return report


def _of_run(detail: TaskDetail) -> tuple[float, float | None, str]:
    run = detail.run
    ended = sum(number for state, number in run.tasks.items() if state.is_finished)
    total = sum(run.tasks.values())
    stocks = f"{run.stocks_done} of {run.stocks} stocks done, " if run.stocks else ""
    failed = f", {run.tasks[TaskState.FAILED]} failed" if run.tasks[TaskState.FAILED] else ""
    return ended, total, f"{stocks}{ended} of {total} tasks ended{failed}"


def _of_task(detail: TaskDetail) -> tuple[float, float | None, str]:
    task = detail.task
    if task.progress is not None and task.state is TaskState.RUNNING:
        return task.progress.done, task.progress.total, f"{task.id}: {task.progress.message}"
    waits = f", waits for {task.waiting_for.what}" if task.waiting_for else ""
    return 0, None, f"{task.id} is {task.state}{waits}"
