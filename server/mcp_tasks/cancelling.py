"""`tasks/cancel`: stops the work of one request, and leaves that of others alone."""

from contextlib import suppress

from queues.database import Transaction
from queues.model import QueueName, Task, TaskState
from server import control
from server.desk import Desk
from server.mcp_tasks.following import began_run, followed, stocks_of
from server.mcp_tasks.store import Ending, find_mcp_task, keep_ending
from server.requests import RequestError

WHY = "its MCP task was cancelled"


async def cancel_work(desk: Desk, task_id: str) -> None:
    """Cancel the run that the request began, and take its stocks out of the analyses of others that wait.

    The MCP task is then cancelled for good, though what others asked for goes on, and what had begun may still
    complete.

    Raises:
        UnknownMcpTaskError: there is none of this id, or its time is over.
        UnknownTaskError: its work was forgotten.
    """
    own, shared, stocks = await desk.database.read(lambda tx: _to_cancel(tx, task_id))
    if own:
        await control.cancel(desk, task_ids=own, run_id=None, reason=WHY)
    if stocks:
        with suppress(RequestError):  # it has begun meanwhile
            await control.cancel_stocks(desk, stocks, exchange=None, task_ids=shared, run_id=None, reason=WHY)
    await desk.database.write(lambda tx: keep_ending(tx, task_id, _cancelled(tx)))


def _to_cancel(tx: Transaction, task_id: str) -> tuple[list[str], list[str], list[str]]:
    """The tasks to cancel, the analyses to withdraw stocks from, and those stocks."""
    answer = find_mcp_task(tx, task_id).answer

    def is_own(task: Task) -> bool:
        # A sync that was met is that of the same file.
        return (began_run(answer) and task.run_id == answer.run_id) or task.queue is QueueName.PORTFOLIO_SYNC

    tasks = [task for task in followed(tx, answer) if not task.state.is_finished]
    own = [task.id for task in tasks if is_own(task)]
    shared = [
        task
        for task in tasks
        if not is_own(task) and task.queue is QueueName.AI_ANALYSIS and task.state is TaskState.QUEUED
    ]
    stocks = {stock for task in shared for stock in stocks_of(task) & answer.already_queued.keys()}
    return own, [task.id for task in shared], sorted(stocks)


def _cancelled(tx: Transaction) -> Ending:
    message = "Cancelled on request; what others asked for goes on."
    return Ending(status="cancelled", message=message, is_error=False, ended_at=tx.now)
