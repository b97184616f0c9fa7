"""The MCP server of one desk."""

from importlib.metadata import version
from typing import Any, cast

from mcp.server.caching import CacheHint
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver import server as sdk
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.stdio import stdio_server
from pydantic import ValidationError

from server import icons
from server.completion import add_completion
from server.dashboard.app import dashboard_app
from server.desk import Desk
from server.explaining import explain
from server.mcp_tasks import McpTasks
from server.mcp_tasks.listening import task_source
from server.pipes import standard_pipes
from server.prompts import add_prompts, require_prompt
from server.resource_updates import add_resource_subscriptions, background_tasks, resource_sources
from server.resources import add_resources
from server.subscriptions import add_subscriptions
from server.tools import add_tools
from server.unreadable import Answered

INSTRUCTIONS = """\
Stockdesk reviews a stock portfolio in the background. You enqueue tasks and look at them; three queues run them \
in parallel (portfolio_sync, data_fetcher, ai_analysis), in each one task at a time. Analysis runs in sessions of \
2-3 stocks and takes minutes to hours: never wait for all of it in one call.

Workflow: enqueue_portfolio_review (a broker's export by path or csv_text, or what is held) -> \
get_task(task_id=run_id, wait_seconds=50, wait_for="run") now and then -> get_verdicts and get_portfolio. For a \
few stocks: enqueue_ai_analysis. A company's symbol: find_stocks. If nothing moves: get_queue_status says why and what \
to do; list_tasks finds what failed, retry_task brings it back. To pause: hold_queue, release_queue. To drop work: \
cancel_tasks; all of a queue: clear_queue. To let the user watch: show_dashboard. Long lists come in pages: pass \
next_cursor as cursor.

Analysis may spend the user's money (get_spend): enqueue it only when asked. Numbers come from the desk's facts; do \
not add others. Verdicts with analyst "baseline" are rules over prices, not Claude's. Verdicts are AI-generated, not \
investment advice.
"""


# These change with the version of the server only. Whatever shows the desk is stale at once.
_LASTING = CacheHint(ttl_ms=3_600_000)


def _keep_logs(level: str) -> None:
    """Instead of the SDK's own set-up of logs, which imports rich for them; server/logs.py has made ours."""


sdk.configure_logging = _keep_logs  # pyright: ignore[reportPrivateImportUsage] (no public way)


class _Server(MCPServer):
    """An `MCPServer` that says in one sentence what is wrong with the arguments of a call, or with a whole line."""

    async def call_tool(self, name: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().call_tool(name, *args, **kwargs)
        except ToolError as error:
            is_ours = isinstance(error, UnexpectedToolError)
            if isinstance(error.__cause__, ValidationError) and not is_ours:
                sentences = " ".join(explain(error.__cause__))
                raise ToolError(f"Error executing tool {name}: {sentences}") from error.__cause__
            raise

    async def run_stdio_async(self) -> None:
        with standard_pipes() as pipes:
            # The SDK asks for whole files, and uses of them what the pipes have.
            async with stdio_server(*cast("Any", pipes or ())) as (lines, answers):
                options = self._lowlevel_server.create_initialization_options()
                await self._lowlevel_server.run(Answered(lines, answers), answers, options)

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Any = None
    ) -> Any:
        require_prompt(await self.list_prompts(), name, arguments or {})
        return await super().get_prompt(name, arguments, context)


def build_server(desk: Desk) -> MCPServer:
    mcp = _Server(
        "stockdesk",
        title="Stockdesk",
        instructions=INSTRUCTIONS,
        version=version("stockdesk"),
        icons=icons.DESK,
        extensions=[McpTasks(desk), dashboard_app()],
        lifespan=background_tasks,
        cache_hints={
            "server/discover": _LASTING,
            "tools/list": _LASTING,
            "prompts/list": _LASTING,
            "resources/templates/list": _LASTING,
        },
    )
    add_tools(mcp, desk)
    add_prompts(mcp, desk)
    add_completion(mcp, desk)
    add_resources(mcp, desk)
    add_subscriptions(mcp, desk, [*resource_sources(mcp, desk), task_source(desk)])
    add_resource_subscriptions(mcp, desk)
    return mcp
