"""The MCP server of one desk."""

from importlib.metadata import version
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver import server as sdk
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from pydantic import ValidationError

from server.desk import Desk
from server.errors import explain
from server.tools import add_tools

INSTRUCTIONS = """\
Stockdesk reviews a stock portfolio in the background. You enqueue tasks and look at them; three queues run them \
in parallel (portfolio_sync, data_fetcher, ai_analysis), in each one task at a time. Analysis runs in sessions of \
2-3 stocks and takes minutes to hours: never wait for all of it in one call.

Workflow: enqueue_portfolio_review (a broker's export by path or csv_text, or what is held) -> \
get_task(task_id=run_id, wait_seconds=50, wait_for="run") now and then -> get_verdicts and get_portfolio. For a \
few stocks: enqueue_ai_analysis. If nothing moves: get_queue_status says why and what to do.

Analysis may spend the user's money: enqueue it only when asked. Numbers come from the desk's facts; do not add \
others. Verdicts with analyst "baseline" are rules over prices, not Claude's. Verdicts are AI-generated, not \
investment advice.
"""


def _keep_logs(level: str) -> None:
    """Instead of the SDK's own set-up of logs, which imports rich for them; server/logs.py has made ours."""


sdk.configure_logging = _keep_logs  # pyright: ignore[reportPrivateImportUsage] (no public way)


class _Server(MCPServer):
    """An `MCPServer` that says in one sentence what is wrong with the arguments of a call."""

    async def call_tool(self, name: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().call_tool(name, *args, **kwargs)
        except ToolError as error:
            is_ours = isinstance(error, UnexpectedToolError)
            if isinstance(error.__cause__, ValidationError) and not is_ours:
                sentences = " ".join(explain(error.__cause__))
                raise ToolError(f"Error executing tool {name}: {sentences}") from error.__cause__
            raise


def build_server(desk: Desk) -> MCPServer:
    mcp = _Server(
        "stockdesk",
        title="Stockdesk",
        instructions=INSTRUCTIONS,
        version=version("stockdesk"),
    )
    add_tools(mcp, desk)
    return mcp
