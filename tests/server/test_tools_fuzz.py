"""Arguments made from each tool's own schema, right ones and wrong ones: every answer is true to its form."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.types import TextContent, Tool

from server.app import build_server
from server.desk import Desk, open_desk
from tests.server.desks import Agent, counts, csv_of, sample_settings
from tests.server.test_tools_bad_input import BAIT
from tests.server.test_tools_described import TOOLS
from tests.server.test_tools_enqueue import AAPL

# Any text, with halves of characters, which JSON can spell and UTF-8 cannot; the client takes none in names.
TEXT = st.text(st.characters(exclude_categories=()))
# What may mean something, for an argument whose name begins so.
SENSIBLE = {
    "symbols": ["NYSE:KO", "ko", "NSE:INFY", "NYSE:PFE"],
    "task_id": ["sync-1", "analysis-3", "fetch-4", "sync-99"],
    "run_id": ["sync-1", "fetch-4", "sync-99"],
    "exchange": ["NSE", "nyse", "LSE"],
    "cursor": ["0", "7", "NYSE:KO", "9" * 18],
    "path": ["/etc/../etc/passwd", "~/no-such.csv", "../../x.csv"],
    "csv_text": [csv_of(AAPL), "Symbol,Quantity\n"],
    "account": ["main", "Main"],
    "name": ["morning"],
    "cron": ["45 8 * * 1-5", "* * * * *", "61 8 * * *"],
    "timezone": ["Asia/Kolkata", "../UTC"],
    "trading_days_of": ["NSE"],
}
WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, -(10**30), 0.5, float("nan"), float("inf"), -0.0]),
    st.sampled_from([*BAIT, "x" * 2_000_000, "\ud800" * 50, "[" * 5000, "1e999", '["NYSE:KO"]', "null"]),
    TEXT,
    st.lists(TEXT, max_size=3),
    st.just(["\x00"] * 1001),
    st.dictionaries(st.text(), st.integers(), max_size=2),
)


def right(schema: dict[str, Any], defs: dict[str, Any], name: str) -> st.SearchStrategy[Any]:
    """Values that this schema allows."""
    if "anyOf" in schema:
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        return st.one_of(*(right({**rest, **each}, defs, name) for each in schema["anyOf"]))
    if "$ref" in schema:
        return right(defs[schema["$ref"].removeprefix("#/$defs/")], defs, name)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "array":
        return st.lists(right(schema["items"], defs, name), max_size=4)
    if schema["type"] == "object":
        keys, values = (right(schema[part], defs, name) for part in ("propertyNames", "additionalProperties"))
        return st.dictionaries(keys, values, max_size=4)
    return RIGHT[schema["type"]](schema, name)


def right_text(schema: dict[str, Any], name: str) -> st.SearchStrategy[str]:
    known = next((texts for start, texts in SENSIBLE.items() if name.startswith(start)), BAIT)
    any_text = st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 50), 50))
    return st.one_of(st.sampled_from(known), st.sampled_from([*known, *known, *known, *BAIT]), any_text)


RIGHT: dict[str, Callable[[dict[str, Any], str], st.SearchStrategy[Any]]] = {
    "null": lambda _schema, _name: st.none(),
    "boolean": lambda _schema, _name: st.booleans(),
    "integer": lambda schema, _name: st.integers(schema["minimum"], schema["maximum"]),
    "number": lambda schema, _name: st.floats(schema["minimum"], 0.01),  # only of a wait, which may be 50 s
    "string": right_text,
}


@st.composite
def arguments_for(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    """Mostly right arguments; some left out, some wrong, some that do not exist."""
    arguments: dict[str, Any] = {}
    for name, each in schema["properties"].items():
        if name in schema.get("required", ()) or draw(st.booleans()):
            is_right = draw(st.integers(0, 5)) > 0
            arguments[name] = draw(right(each, schema.get("$defs", {}), name) if is_right else WRONG)
    if draw(st.integers(0, 9)) == 0:
        arguments[draw(st.text())] = draw(WRONG)
    return arguments


class Fuzzed:
    """One desk for all calls, so that each meets what those before have left: results, queued and cancelled tasks."""

    def __init__(self, desk: Desk, agent: Agent, tools: list[Tool]) -> None:
        self.schemas = {tool.name: tool.input_schema for tool in tools}
        self._desk = desk
        self._agent = agent

    async def call(self, tool: str, arguments: dict[str, Any]) -> None:
        before = counts(self._desk)
        # The client holds an answer against the tool's output schema.
        result = await self._agent.client.call_tool(tool, arguments)
        if not result.is_error:
            assert result.structured_content is not None
            return
        [content] = result.content
        assert isinstance(content, TextContent)
        assert_tells_what_to_do(content.text.removeprefix(f"Error executing tool {tool}: "))
        assert counts(self._desk) == before
        assert (await self._agent.call("list_tasks"))["total"] == before["tasks"]


@asynccontextmanager
async def a_desk(home: Path) -> AsyncGenerator[Fuzzed]:
    async with open_desk(sample_settings(home), "test") as desk, Client(build_server(desk)) as client:
        agent = Agent(client)
        await agent.call("enqueue_portfolio_review", csv_text=csv_of(AAPL))
        await desk.manager.execute_queues()
        await agent.call("enqueue_ai_analysis", symbols=["NYSE:KO", "NYSE:PFE"])
        yield Fuzzed(desk, agent, (await client.list_tools()).tools)


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as opened:
        yield opened


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, portal: BlockingPortal) -> Iterator[Fuzzed]:
    with portal.wrap_async_context_manager(a_desk(tmp_path_factory.mktemp("fuzzed"))) as opened:
        yield opened


@pytest.mark.parametrize("tool", TOOLS)
@settings(max_examples=30)
@given(data=st.data())
def test_every_answer_is_as_promised_or_an_error_that_changed_nothing(
    fuzzed: Fuzzed, portal: BlockingPortal, tool: str, data: st.DataObject
) -> None:
    portal.call(fuzzed.call, tool, data.draw(arguments_for(fuzzed.schemas[tool])))


def assert_tells_what_to_do(text: str) -> None:
    assert text.endswith("."), text
    assert len(text.encode()) < 800
    assert text.isprintable(), text
    assert not any(word in text for word in ("Traceback", "Error executing", "pydantic", "Errno")), text
