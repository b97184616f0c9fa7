"""What a client is told of an MCP task: the shapes of SEP-2663 (`io.modelcontextprotocol/tasks`, 2026-07-28)."""

from datetime import datetime, timedelta
from typing import Any, Literal

from mcp.types import CallToolResult, Result, TextContent

from queues.database import Transaction
from server.desk import Desk
from server.mcp_tasks.following import ending_of, followed, how_far, last_change
from server.mcp_tasks.store import Ending, McpTask, find_mcp_task, keep_ending

# A fetch takes seconds, a session minutes, and a look costs a millisecond.
POLL_EVERY = timedelta(seconds=2)
_MILLISECOND = timedelta(milliseconds=1)


class McpTaskStatus(Result):
    """A `DetailedTask`; with the result type "task" a `CreateTaskResult`."""

    task_id: str
    status: Literal["working", "completed", "cancelled"]
    status_message: str
    created_at: datetime
    last_updated_at: datetime
    ttl_ms: int
    poll_interval_ms: int = POLL_EVERY // _MILLISECOND
    result: dict[str, Any] | None = None
    result_type: Literal["complete", "task"] = "complete"


async def status_of(desk: Desk, task_id: str) -> McpTaskStatus:
    """How far its work is; once told that it has ended, it stays so.

    Raises:
        UnknownMcpTaskError: there is none of this id, or its time is over.
        UnknownTaskError: its work was forgotten.
    """

    def look(tx: Transaction) -> tuple[McpTaskStatus, Ending | None]:
        task = find_mcp_task(tx, task_id)
        if task.ending is not None:
            return ended(task, task.ending), None
        tasks = followed(tx, task.answer)
        ending = ending_of(tx, task.answer, tasks)
        if ending is None:
            return working(
                task, how_far(tx, task.answer, tasks, desk.settings.zone), last_change(tasks)
            ), None
        return ended(task, ending), ending

    def settle(tx: Transaction) -> McpTaskStatus:
        status, ending = look(tx)
        if ending is not None:
            keep_ending(tx, task_id, ending)
        return status

    status, unkept = await desk.database.read(look)
    return status if unkept is None else await desk.database.write(settle)


def working(task: McpTask, message: str, changed_at: datetime) -> McpTaskStatus:
    return McpTaskStatus(
        task_id=task.id,
        status="working",
        status_message=message,
        created_at=task.created_at,
        last_updated_at=max(task.created_at, changed_at),
        ttl_ms=(task.expires_at - task.created_at) // _MILLISECOND,
    )


def ended(task: McpTask, ending: Ending) -> McpTaskStatus:
    """With the result that the tool would have given, had it waited: its message tells the end."""
    status = working(task, ending.message, ending.ended_at)
    result = None if ending.status == "cancelled" else _result(task, ending)
    return status.model_copy(update={"status": ending.status, "result": result})


def _result(task: McpTask, ending: Ending) -> dict[str, Any]:
    answer = task.answer.model_copy(update={"message": ending.message})
    # Of an error a model sees the text alone.
    text = ending.message if ending.is_error else answer.model_dump_json()
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=answer.model_dump(mode="json"),
        is_error=ending.is_error,
    ).model_dump(mode="json", by_alias=True, exclude_none=True)
