"""The tool that shows the whole desk."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, TextContent

from server import icons
from server.dashboard.app import DASHBOARD
from server.dashboard.view import DashboardView, dashboard_view, in_words
from server.desk import Desk
from server.errors import told_to_the_model
from server.tools.arguments import READ


def add_dashboard_tool(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(
        title="Show the dashboard",
        annotations=READ,
        icons=icons.DESK,
        meta={"ui": {"resourceUri": DASHBOARD}},
    )
    async def show_dashboard() -> Annotated[CallToolResult, DashboardView]:
        """Show the user the whole desk: queues, next tasks, failures, spend, last attempts, verdicts counted.

        Where the client renders MCP Apps, a live page opens, with buttons; elsewhere say what the answer says. Call
        it when the user wants to see or watch the desk. To find out why something is stuck use get_queue_status, for
        verdicts get_verdicts.
        """
        with told_to_the_model():
            view = await dashboard_view(desk)
        return CallToolResult(
            content=[TextContent(type="text", text=in_words(view))],
            structured_content=view.model_dump(mode="json"),
        )
