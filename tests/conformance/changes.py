"""The suite's fixtures that change the lists of tools and prompts, which are the same in ours as long as it lives."""

from collections import Counter
from collections.abc import Mapping, Sequence

from mcp.server.mcpserver import MCPServer
from mcp.types import SubscriptionFilter

from server.desk import Desk
from server.mcp_tasks.listening import task_source
from server.resource_updates import resource_sources
from server.subscriptions import Context, News, add_subscriptions


class ListWatch:
    """Which of the lists in `asked` has changed."""

    def __init__(self, changes: Counter[str], asked: Sequence[str]) -> None:
        self._changes = changes
        self._asked = asked
        self._seen: Mapping[str, int] = {}
        self.honoured: Mapping[str, bool] = {}  # the stream itself promises these

    async def news(self) -> list[News]:
        before, self._seen = self._seen, dict(self._changes)
        changed = [name for name in self._asked if before.get(name, 0) != self._seen.get(name, 0)]
        return [News(f"notifications/{name}/list_changed", {}) for name in changed]


def add_changing_lists(mcp: MCPServer, desk: Desk) -> None:
    """Our streams, with one source more."""
    changes: Counter[str] = Counter()

    async def lists(_: Context, asked: SubscriptionFilter) -> ListWatch:
        wanted = {"tools": asked.tools_list_changed, "prompts": asked.prompts_list_changed}
        return ListWatch(changes, [name for name, is_asked in wanted.items() if is_asked])

    add_subscriptions(mcp, desk, [*resource_sources(mcp, desk), task_source(desk), lists])

    def change(name: str) -> str:
        changes[name] += 1
        desk.manager.bell.ring_here()
        return "changed"

    @mcp.tool()
    async def test_trigger_tool_change() -> str:
        """Changes the list of tools."""
        return change("tools")

    @mcp.tool()
    async def test_trigger_prompt_change() -> str:
        """Changes the list of prompts."""
        return change("prompts")
