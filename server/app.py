"""The MCP server of one desk."""

from importlib.metadata import version

from mcp.server.mcpserver import MCPServer

from server.desk import Desk
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


def build_server(desk: Desk) -> MCPServer:
    mcp: MCPServer = MCPServer(
        "stockdesk",
        title="Stockdesk",
        instructions=INSTRUCTIONS,
        version=version("stockdesk"),
        log_level=desk.settings.log_level,
    )
    add_tools(mcp, desk)
    return mcp
