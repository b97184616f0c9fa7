"""The Tasks extension: an enqueue tool answers a client that declares it with a handle of the work.

Settled in docs/decisions/0010-mcp-tasks.md.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver.server import require_client_extension
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp.types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    EmptyResult,
    RequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field

from queues.errors import EngineError, StorageError, UnknownTaskError
from server.change_views import EnqueueView
from server.desk import Desk
from server.mcp_tasks.cancelling import cancel_work
from server.mcp_tasks.status import McpTaskStatus, status_of, working
from server.mcp_tasks.store import UnknownMcpTaskError, create_mcp_task, find_mcp_task

TASKS = "io.modelcontextprotocol/tasks"
TOOLS = frozenset(
    {"enqueue_portfolio_review", "enqueue_portfolio_sync", "enqueue_data_fetch", "enqueue_ai_analysis"}
)
# Long enough for a review that waits for a person over a weekend; JavaScript's timers hold no more than 24 days.
LONGEST_TTL = timedelta(days=7)

Context = ServerRequestContext[Any, Any]


class OfOneTask(RequestParams):
    task_id: str


class Update(OfOneTask):
    input_responses: dict[str, Any] = Field(default_factory=dict)


class McpTasks(Extension):
    """MCP tasks of one desk. An id is known to the client that was given it, and opens the work to whoever has it."""

    identifier = TASKS

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        # Ended work is forgotten after the retention, and an MCP task tells of it until the last moment.
        self._ttl = min(LONGEST_TTL, timedelta(days=desk.settings.retention_days))

    def methods(self) -> Sequence[MethodBinding]:
        modern = frozenset(MODERN_PROTOCOL_VERSIONS)
        return [
            MethodBinding("tasks/get", OfOneTask, self._get, modern),
            MethodBinding("tasks/update", Update, self._update, modern),
            MethodBinding("tasks/cancel", OfOneTask, self._cancel, modern),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Context, call_next: CallNext
    ) -> HandlerResult:
        result = await call_next(ctx)
        if params.name not in TOOLS or not declares_tasks(ctx):
            return result
        if not isinstance(result, CallToolResult) or result.is_error:
            return result
        answer = EnqueueView.model_validate(result.structured_content)
        if answer.run_id is None:  # nothing to wait for
            return result
        try:
            # After the commit of the work: a handle that was never answered would be nobody's.
            task = await self._desk.database.write(lambda tx: create_mcp_task(tx, answer, self._ttl))
        except StorageError:
            return result  # the work is stored, and so told
        return working(task, answer.message, task.created_at).model_copy(update={"result_type": "task"})

    async def _get(self, ctx: Context, params: OfOneTask) -> McpTaskStatus:
        with _admitted(ctx, params):
            return await status_of(self._desk, params.task_id)

    async def _update(self, ctx: Context, params: Update) -> EmptyResult:
        """Nothing here asks for input, and answers to questions that were not asked are ignored."""
        with _admitted(ctx, params):
            await self._desk.database.read(lambda tx: find_mcp_task(tx, params.task_id))
        return EmptyResult()

    async def _cancel(self, ctx: Context, params: OfOneTask) -> EmptyResult:
        """One that has ended stays as it is."""
        with _admitted(ctx, params):
            if (await status_of(self._desk, params.task_id)).status == "working":
                await cancel_work(self._desk, params.task_id)
        return EmptyResult()


def declares_tasks(ctx: Context) -> bool:
    """Whether this request may be answered with an MCP task: its client says so with each request of 2026-07-28."""
    capabilities = ctx.session.client_capabilities
    declared = None if capabilities is None else capabilities.extensions
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and TASKS in (declared or {})


@contextmanager
def _admitted(ctx: Context, params: OfOneTask) -> Generator[None]:
    """Around what a request does with its MCP task.

    Raises:
        MCPError: as SEP-2663 wants it: the client does not declare the extension, its `Mcp-Name` header names another
            MCP task, the id stands for nothing; or the storage fails.
    """
    require_client_extension(ctx, TASKS)
    header = None if ctx.request is None else ctx.request.headers.get(MCP_NAME_HEADER)
    if header is not None and decode_header_value(header) != params.task_id:
        raise MCPError(
            code=HEADER_MISMATCH, message="The Mcp-Name header is not the taskId; send the same twice."
        )
    try:
        yield
    except (UnknownMcpTaskError, UnknownTaskError) as error:
        raise MCPError(code=INVALID_PARAMS, message=str(error)) from error
    except EngineError as error:
        raise MCPError(code=INTERNAL_ERROR, message=str(error)) from error
