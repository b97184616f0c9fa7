"""Tools that cancel, retry, hold, release and clear."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from queues.model import QueueName
from server import control
from server.change_views import CancelView, ClearView, HoldChange, RetryView
from server.desk import Desk
from server.errors import told_to_the_model
from server.tools.arguments import (
    CONTROL,
    DESTROY,
    ENQUEUE,
    MOST_SYMBOLS,
    ExchangeCode,
    RunId,
    Symbol,
    TaskId,
)


def add_control_tools(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Cancel tasks", annotations=DESTROY)
    async def cancel_tasks(
        task_ids: Annotated[list[TaskId] | None, Field(max_length=MOST_SYMBOLS, description="Ids.")] = None,
        run_id: RunId = None,
        symbols: Annotated[
            list[Symbol] | None,
            Field(
                max_length=MOST_SYMBOLS,
                description="Only these stocks leave the queued analyses; the others in them stay.",
            ),
        ] = None,
        exchange: ExchangeCode = None,
        reason: Annotated[str | None, Field(max_length=200, description="Kept with the tasks.")] = None,
    ) -> CancelView:
        """Cancel queued and running tasks, by id or all of one run; what waits for them is cancelled too.

        With symbols, only these stocks leave the queued analyses (of those tasks or that run, or of all). A running
        task is stopped within moments; what it stored so far stays. retry_task brings one back.
        """
        with told_to_the_model():
            if symbols:
                return await control.cancel_stocks(
                    desk, symbols, exchange=exchange, task_ids=task_ids or (), run_id=run_id, reason=reason
                )
            return await control.cancel(desk, task_ids=task_ids or (), run_id=run_id, reason=reason)

    @mcp.tool(title="Retry tasks", annotations=ENQUEUE)
    async def retry_task(task_id: TaskId | None = None, run_id: RunId = None) -> RetryView:
        """Queue a finished task anew, or all that failed or was cancelled in a run, and what waited for them.

        Give either task_id (the task that failed first, not one that waited for it) or run_id (after an outage).
        A completed task is retried by its id only. An analysis by Claude spends money again.
        """
        with told_to_the_model():
            return await control.retry(desk, task_id=task_id, run_id=run_id)

    @mcp.tool(title="Hold a queue", annotations=CONTROL)
    async def hold_queue(
        queue: QueueName,
        reason: Annotated[str, Field(min_length=1, max_length=200, description="Shown in every status.")],
        minutes: Annotated[
            int | None,
            Field(ge=1, le=60 * 24 * 30, description="End of the hold; until released if left out."),
        ] = None,
    ) -> HoldChange:
        """Let a queue start nothing more; its running task goes on and its queued tasks stay.

        Use it to pause spending or fetching. release_queue ends it.
        """
        with told_to_the_model():
            return await control.hold(desk, queue, reason=reason, minutes=minutes)

    @mcp.tool(title="Release a queue", annotations=CONTROL)
    async def release_queue(
        queue: QueueName,
        include_old: Annotated[
            bool,
            Field(description="Also start analyses that were asked for over a day ago; they spend money."),
        ] = False,
    ) -> HoldChange:
        """End every hold of a queue, whoever set it: a person, a usage limit, a missing sign-in.

        If the cause of a hold is not mended, the queue holds itself again. Set include_old only when the user
        agrees to old analyses.
        """
        with told_to_the_model():
            return await control.release(desk, queue, include_old=include_old)

    @mcp.tool(title="Clear a queue", annotations=DESTROY)
    async def clear_queue(queue: QueueName) -> ClearView:
        """Cancel every queued task of one queue, and what waits for them; the running task goes on.

        Call it only when the user wants all of that work dropped; cancel_tasks is finer.
        """
        with told_to_the_model():
            return await control.clear(desk, queue)
