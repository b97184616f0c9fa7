"""Tools that look at the queues and their tasks."""

from datetime import timedelta
from typing import Annotated, Literal

from mcp.server.mcpserver import Context, MCPServer
from pydantic import Field

from queues.model import QueueName, TaskState
from server import icons, inspection
from server.desk import Desk
from server.errors import told_to_the_model
from server.progress import reporter
from server.tools.arguments import LONGEST_WAIT_SECONDS, READ, Cursor, RunId, TaskId
from server.views import StatusView, TaskDetail, TaskPage


def add_inspection_tools(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Status of the queues", annotations=READ, icons=icons.LOOK)
    async def get_queue_status() -> StatusView:
        """Show the three queues: state, holds with their reasons, running task, counts, estimated finish.

        Start here when something seems stuck: message names everything that needs somebody. analyst is who
        judges what this client asks for, today is what of its budget is spent. For one task use get_task, for many
        list_tasks.
        """
        with told_to_the_model():
            return await inspection.desk_status(desk)

    @mcp.tool(title="List tasks", annotations=READ, icons=icons.LOOK)
    async def list_tasks(
        queue: Annotated[QueueName | None, Field(description="Only this queue.")] = None,
        state: Annotated[
            list[TaskState] | None, Field(max_length=len(TaskState), description="Only these states.")
        ] = None,
        run_id: RunId = None,
        limit: Annotated[int, Field(ge=1, le=50, description="Tasks on one page.")] = 10,
        cursor: Cursor = None,
    ) -> TaskPage:
        """List tasks, newest first, with state, progress, what they wait for, and result or error.

        Filter by queue, state or run_id, and page with cursor: a page ends at limit or sooner, where its tasks are
        long. Use it to find an id, or what failed and why. To wait for one task use get_task, for totals
        get_queue_status.
        """
        with told_to_the_model():
            return await inspection.page_of_tasks(
                desk, queue=queue, states=state or (), run_id=run_id, limit=limit, cursor=cursor
            )

    @mcp.tool(title="Look at a task", annotations=READ, icons=icons.LOOK)
    async def get_task(
        ctx: Context,
        task_id: TaskId,
        wait_seconds: Annotated[
            float, Field(ge=0, le=LONGEST_WAIT_SECONDS, description="Wait so long for the end; 0 looks only.")
        ] = 0,
        wait_for: Annotated[
            Literal["task", "run"],
            Field(description="What must end: this task, or all that its request caused."),
        ] = "task",
    ) -> TaskDetail:
        """Show one task with all its attempts, and how far its run is; a run_id works as well.

        With wait_seconds it returns as soon as the task (or the run) ends, and tells how far it is meanwhile; call it
        again while it has not. Ending the call ends the wait, not the task (cancel_tasks does). To find an id use
        list_tasks.
        """
        with told_to_the_model():
            return await inspection.task_detail(
                desk,
                task_id,
                wait=timedelta(seconds=wait_seconds),
                wait_for=wait_for,
                report=reporter(ctx, wait_for),
            )
