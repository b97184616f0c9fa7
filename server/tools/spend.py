"""The tool that shows what sessions have cost."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from handlers.grouping import Grouping
from server import icons
from server.desk import Desk
from server.errors import told_to_the_model
from server.inspection import number_of
from server.spending import SpendView, spend_view
from server.tools.arguments import READ, Cursor


def add_spend_tool(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Show what was spent", annotations=READ, icons=icons.SPEND)
    async def get_spend(
        group: Annotated[Grouping, Field(description="How to add up the sessions.")] = "day",
        days: Annotated[int, Field(ge=1, le=3660, description="Days back, today included.")] = 30,
        limit: Annotated[int, Field(ge=1, le=50, description="Groups on one page.")] = 30,
        cursor: Cursor = None,
    ) -> SpendView:
        """Show what Claude sessions cost by day, run, stock or model, and what is left of today's budget.

        Call it when the user asks about costs, or before a large review; for what runs now use get_queue_status.
        Costs are those of the API; on a subscription they are only its equivalent. queued says what the
        analyses that wait are likely to cost; by stock, a session is split evenly among its stocks.
        """
        with told_to_the_model():
            offset = 0 if cursor is None else number_of(cursor)
            return await desk.database.read(
                lambda tx: spend_view(tx, desk.settings, group, days=days, offset=offset, limit=limit)
            )
