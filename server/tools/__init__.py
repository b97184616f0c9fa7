"""The tools. Each validates by its types, makes one call, and answers with one view."""

from collections.abc import Callable, Iterable
from functools import partial
from inspect import cleandoc
from typing import Any, cast

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.tools import Tool, ToolManager
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase

from server.desk import Desk
from server.tools.accounts import add_account_tool
from server.tools.control import add_control_tools
from server.tools.dashboard import add_dashboard_tool
from server.tools.enqueue import add_enqueue_tools
from server.tools.find import add_find_tool
from server.tools.inspect import add_inspection_tools
from server.tools.results import add_result_tools
from server.tools.schedules import add_schedule_tools
from server.tools.spend import add_spend_tool

# Before any tool is made, for its model inherits it: an argument that is misspelt and dropped in silence would turn
# "fetch INFY" into "fetch everything".
ArgModelBase.model_config["extra"] = "forbid"


def add_tools(mcp: MCPServer, desk: Desk) -> None:
    """Register every tool, in the order in which a review uses them; they are made when one is first asked for."""
    before = mcp._tool_manager.list_tools()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (no public way)
    mcp._tool_manager = _MadeAtFirstUse(before, partial(_make, mcp, desk))  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


class _MadeAtFirstUse(ToolManager):
    """A client's first request need not wait for schemas: to make them takes a tenth of the whole start."""

    def __init__(self, tools: list[Tool], make: Callable[[], None]) -> None:
        super().__init__(tools=tools)
        self._make: Callable[[], None] | None = make

    def get_tool(self, name: str) -> Tool | None:
        self._complete()
        return super().get_tool(name)

    def list_tools(self) -> list[Tool]:
        self._complete()
        return super().list_tools()

    def _complete(self) -> None:
        make, self._make = self._make, None
        if make is not None:
            make()
            _polish(self._tools.values())


def _make(mcp: MCPServer, desk: Desk) -> None:
    add_enqueue_tools(mcp, desk)
    add_find_tool(mcp, desk)
    add_inspection_tools(mcp, desk)
    add_dashboard_tool(mcp, desk)
    add_control_tools(mcp, desk)
    add_account_tool(mcp, desk)
    add_result_tools(mcp, desk)
    add_spend_tool(mcp, desk)
    add_schedule_tools(mcp, desk)


def _polish(tools: Iterable[Tool]) -> None:
    for tool in tools:
        tool.description = cleandoc(tool.description)  # the SDK shows docstrings with their indentation
        tool.parameters = _untitled(tool.parameters)
        tool.fn_metadata.output_schema = _untitled(tool.fn_metadata.output_schema)


def _untitled(schema: Any) -> Any:
    """The schema without the titles that pydantic makes of names: a seventh of all that a client reads at first."""
    match schema:
        case dict():
            kept = cast("dict[str, Any]", schema)
            return {key: _untitled(value) for key, value in kept.items() if not _is_title(key, value)}
        case list():
            return [_untitled(each) for each in cast("list[Any]", schema)]
        case _:
            return schema


def _is_title(key: str, value: object) -> bool:
    return key == "title" and isinstance(value, str)  # an argument of that name has a schema
