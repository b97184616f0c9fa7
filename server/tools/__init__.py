"""The tools. Each validates by its types, makes one call, and answers with one view."""

from inspect import cleandoc

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase

from server.desk import Desk
from server.tools.control import add_control_tools
from server.tools.enqueue import add_enqueue_tools
from server.tools.inspect import add_inspection_tools
from server.tools.results import add_result_tools
from server.tools.spend import add_spend_tool

# Before any tool is made, for its model inherits it: an argument that is misspelt and dropped in silence would turn
# "fetch INFY" into "fetch everything".
ArgModelBase.model_config["extra"] = "forbid"


def add_tools(mcp: MCPServer, desk: Desk) -> None:
    """Register every tool, in the order in which a review uses them."""
    add_enqueue_tools(mcp, desk)
    add_inspection_tools(mcp, desk)
    add_control_tools(mcp, desk)
    add_result_tools(mcp, desk)
    add_spend_tool(mcp, desk)
    for tool in mcp._tool_manager.list_tools():  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (no public way)
        tool.description = cleandoc(tool.description)  # the SDK shows docstrings with their indentation
