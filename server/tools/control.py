"""Tools that cancel, retry, hold, release and clear."""

from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import InputRequiredResult
from pydantic import Field

from server import control, icons
from server.change_views import CancelView, ClearView, HoldChange, RetryView
from server.confirmation import agreed, loss_of_queue, loss_of_run
from server.desk import Desk
from server.errors import told_to_the_model
from server.tools.arguments import (
    CONTROL,
    DESTROY,
    ENQUEUE,
    MOST_SYMBOLS,
    Confirm,
    ExchangeCode,
    Queue,
    RunId,
    Symbol,
    TaskId,
)


def add_control_tools(mcp: MCPServer, desk: Desk) -> None:
    _add_cancel_tool(mcp, desk)
    _add_retry_tool(mcp, desk)
    _add_hold_tools(mcp, desk)
    _add_clear_tool(mcp, desk)


def _add_cancel_tool(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Cancel tasks", annotations=DESTROY, icons=icons.CANCEL)
    async def cancel_tasks(
        ctx: Context,
        task_ids: Annotated[
            list[TaskId] | None, Field(max_length=MOST_SYMBOLS, description="Ids, like analysis-12.")
        ] = None,
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
        confirm: Confirm = False,
    ) -> CancelView | InputRequiredResult:
        """Cancel queued and running tasks, by id or all of one run; what waits for them is cancelled too.

        With symbols, only these stocks leave the queued analyses (of those tasks or that run, or of all). A running
        task is stopped within moments, what it stored so far stays, and retry_task brings it back; to pause use
        hold_queue. Before a whole run is cancelled the user is asked; where the client cannot, ask and set confirm.
        """
        with told_to_the_model():
            if symbols:
                return await control.cancel_stocks(
                    desk, symbols, exchange=exchange, task_ids=task_ids or (), run_id=run_id, reason=reason
                )
            if run_id is not None and not task_ids:
                ids = await agreed(desk, ctx, lambda tx: loss_of_run(tx, run_id), confirm=confirm)
                if isinstance(ids, InputRequiredResult):
                    return ids
                if ids:
                    return await control.cancel(desk, task_ids=ids, run_id=None, reason=reason)
            return await control.cancel(desk, task_ids=task_ids or (), run_id=run_id, reason=reason)


def _add_retry_tool(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Retry tasks", annotations=ENQUEUE, icons=icons.ENQUEUE)
    async def retry_task(
        task_id: Annotated[TaskId | None, Field(description="Like analysis-12.")] = None, run_id: RunId = None
    ) -> RetryView:
        """Queue a finished task anew, or all that failed or was cancelled in a run, and what waited for them.

        Give either task_id (the task that failed first, not one that waited for it) or run_id (after an outage).
        A completed task is retried by its id only. Do not call it for a task that is queued or running, nor to look
        at one (get_task does); an analysis by Claude spends money again.
        """
        with told_to_the_model():
            return await control.retry(desk, task_id=task_id, run_id=run_id)


def _add_hold_tools(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Hold a queue", annotations=CONTROL, icons=icons.CONTROL)
    async def hold_queue(
        queue: Queue,
        reason: Annotated[str, Field(min_length=1, max_length=200, description="Shown in every status.")],
        minutes: Annotated[
            int | None,
            Field(ge=1, le=60 * 24 * 30, description="End of the hold; until released if left out."),
        ] = None,
    ) -> HoldChange:
        """Let a queue start nothing more; its running task goes on and its queued tasks stay.

        Use it to pause spending or fetching, when the user wants to go on later. To drop the work use cancel_tasks or
        clear_queue instead. release_queue ends the hold.
        """
        with told_to_the_model():
            return await control.hold(desk, queue, reason=reason, minutes=minutes)

    @mcp.tool(title="Release a queue", annotations=CONTROL, icons=icons.CONTROL)
    async def release_queue(
        queue: Queue,
        include_old: Annotated[
            bool,
            Field(description="Also start analyses that were asked for over a day ago; they spend money."),
        ] = False,
    ) -> HoldChange:
        """End every hold of a queue, whoever set it: a person, a usage limit, a missing sign-in.

        Call it when get_queue_status names a hold and its cause is mended; if it is not, the queue holds itself
        again. Set include_old only when the user agrees to old analyses. A queue that is not held needs no release,
        except for these.
        """
        with told_to_the_model():
            return await control.release(desk, queue, include_old=include_old)


def _add_clear_tool(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Clear a queue", annotations=DESTROY, icons=icons.CANCEL)
    async def clear_queue(
        ctx: Context, queue: Queue, confirm: Confirm = False
    ) -> ClearView | InputRequiredResult:
        """Cancel every queued task of one queue, and what waits for them; the running task goes on.

        Call it only when the user wants all of that work dropped; cancel_tasks is finer, and hold_queue stops a queue
        without losing anything. The user is asked first, with the number of tasks. Where the client cannot ask,
        ask them yourself and set confirm.
        """
        with told_to_the_model():
            ids = await agreed(desk, ctx, lambda tx: loss_of_queue(tx, queue), confirm=confirm)
            return ids if isinstance(ids, InputRequiredResult) else await control.clear(desk, queue, ids)
