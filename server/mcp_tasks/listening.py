"""`notifications/tasks` for `subscriptions/listen`: each is what `tasks/get` would have told at that moment."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver.server import require_client_extension
from mcp.types import INVALID_PARAMS, SubscriptionFilter
from pydantic import TypeAdapter, ValidationError

from queues.errors import UnknownTaskError
from server.desk import Desk
from server.mcp_tasks import TASKS
from server.mcp_tasks.status import McpTaskStatus, status_of
from server.mcp_tasks.store import UnknownMcpTaskError
from server.subscriptions import News, Source

# Each costs a look at its work whenever something changes.
MOST_WATCHED = 100

_IDS = TypeAdapter(list[str])


class TaskWatch:
    """The MCP tasks of one stream: those of its ids that are known, 100 at most."""

    def __init__(self, desk: Desk, task_ids: Sequence[str]) -> None:
        self._desk = desk
        self._told: dict[str, McpTaskStatus | None] = dict.fromkeys(task_ids[:MOST_WATCHED])

    @property
    def honoured(self) -> Mapping[str, Any]:
        return {"taskIds": list(self._told)}

    async def news(self) -> Sequence[News]:
        """What has changed since the last call; an id that stands for nothing, or no longer, is dropped."""
        known: dict[str, McpTaskStatus | None] = {}
        changed: list[News] = []
        for task_id, told in self._told.items():
            with suppress(UnknownMcpTaskError, UnknownTaskError):
                is_over = told is not None and told.status != "working"
                known[task_id] = status = told if is_over else await status_of(self._desk, task_id)
                if status is not None and status != told:
                    changed.append(_notification(status))
        self._told = known
        return changed


def _notification(status: McpTaskStatus) -> News:
    params = status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"result_type"})
    return News("notifications/tasks", params)


def task_source(desk: Desk) -> Source:
    async def source(ctx: ServerRequestContext[Any, Any], asked: SubscriptionFilter) -> TaskWatch | None:
        task_ids = (asked.model_extra or {}).get("taskIds")
        if not task_ids:
            return None
        require_client_extension(ctx, TASKS)
        try:
            watch = TaskWatch(desk, _IDS.validate_python(task_ids, strict=True))
        except ValidationError as error:
            message = "notifications.taskIds must be a list of the ids of MCP tasks."
            raise MCPError(code=INVALID_PARAMS, message=message) from error
        await watch.news()
        return watch

    return source
