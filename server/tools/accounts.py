"""The tool that removes an account."""

from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import InputRequiredResult
from pydantic import Field

from server import icons
from server.change_views import EnqueueView
from server.confirmation import agreed, loss_of_account
from server.desk import Desk
from server.errors import told_to_the_model
from server.syncs import request_removal
from server.tools.arguments import DESTROY, Confirm


def add_account_tool(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Remove an account", annotations=DESTROY, icons=icons.CANCEL)
    async def remove_account(
        ctx: Context,
        account: Annotated[
            str, Field(min_length=1, max_length=40, description="Its name, as get_portfolio shows it.")
        ],
        confirm: Confirm = False,
    ) -> EnqueueView | InputRequiredResult:
        """Take an account out of the portfolio, in the background: what it held counts as sold.

        Call it only when the user says that an account is closed, or was synced by mistake; for newer holdings use
        enqueue_portfolio_sync. Verdicts and earlier snapshots stay on record, and a later sync brings the account
        back. The user is asked first; where the client cannot ask, ask them yourself and set confirm.
        """
        with told_to_the_model():
            names = await agreed(desk, ctx, lambda tx: loss_of_account(tx, account), confirm=confirm)
            return names if isinstance(names, InputRequiredResult) else await request_removal(desk, names[0])
