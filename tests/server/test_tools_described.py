"""What a client is told of the tools before it calls one."""

import json
import re
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from mcp import Client
from mcp.types import Tool

from server.app import INSTRUCTIONS, build_server
from server.desk import Desk

TOOLS = [
    "enqueue_portfolio_review",
    "enqueue_portfolio_sync",
    "enqueue_data_fetch",
    "enqueue_ai_analysis",
    "find_stocks",
    "get_queue_status",
    "list_tasks",
    "get_task",
    "show_dashboard",
    "cancel_tasks",
    "retry_task",
    "hold_queue",
    "release_queue",
    "clear_queue",
    "remove_account",
    "get_portfolio",
    "get_verdicts",
    "get_track_record",
    "get_spend",
    "list_schedules",
    "set_schedule",
    "delete_schedule",
]
DESTROYING = {"cancel_tasks", "clear_queue", "remove_account", "delete_schedule"}
READING = {name for name in TOOLS if name.startswith(("get_", "list_", "find_", "show_"))}


@pytest.fixture
async def tools(desk: Desk) -> dict[str, Tool]:
    async with Client(build_server(desk)) as client:
        return {tool.name: tool for tool in (await client.list_tools()).tools}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_tools_are_listed_in_the_order_in_which_a_review_uses_them(desk: Desk, mode: Any) -> None:
    for _ in range(2):
        async with Client(build_server(desk), mode=mode) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_instructions_reach_the_client_in_both_eras_and_are_short(desk: Desk, mode: Any) -> None:
    async with Client(build_server(desk), mode=mode) as client:
        assert client.instructions == INSTRUCTIONS
    assert len(INSTRUCTIONS) <= 1500


def test_the_instructions_name_only_tools_that_there_are() -> None:
    named = set(
        re.findall(
            r"\b(?:get|list|enqueue|cancel|retry|hold|release|clear|remove|find|show|set|delete)_\w+",
            INSTRUCTIONS,
        )
    )
    assert named <= set(TOOLS)


async def test_every_tool_sets_all_four_hints_honestly(tools: dict[str, Tool]) -> None:
    for name, tool in tools.items():
        hints = tool.annotations
        assert hints is not None
        assert hints.read_only_hint is (name in READING), name
        assert hints.destructive_hint is (name in DESTROYING), name
        enqueues = name.startswith("enqueue_") or name == "retry_task"
        assert hints.idempotent_hint is not enqueues, name
        assert hints.open_world_hint is (enqueues or name == "find_stocks"), name


async def test_every_tool_has_a_title_and_says_in_three_or_four_sentences_what_it_does_and_when_to_call_it(
    tools: dict[str, Tool],
) -> None:
    for name, tool in tools.items():
        assert tool.title, name
        description = tool.description or ""
        sentences = [" ".join(each.split()) for each in re.split(r"(?<=[.!?])\s+", description.strip())]
        assert 3 <= len(sentences) <= 4, (name, sentences)
        assert all(each.endswith(".") for each in sentences), name
        assert len(description) <= 600, name


async def test_every_tool_and_the_server_have_an_icon_that_needs_no_network(
    desk: Desk, tools: dict[str, Tool]
) -> None:
    async with Client(build_server(desk), mode="legacy") as client:
        assert client.server_info is not None
        shown = {"the server": client.server_info.icons, **{name: tool.icons for name, tool in tools.items()}}
    for name, icons in shown.items():
        [icon] = icons or []
        kind, _, data = icon.src.partition(",")
        assert re.fullmatch(r"[!-~]+", icon.src), name
        assert kind == f"data:{icon.mime_type}", name
        assert ET.fromstring(unquote(data)).tag.endswith("svg"), name
        assert len(icon.src) < 400, name


async def test_every_description_names_only_tools_that_there_are(tools: dict[str, Tool]) -> None:
    for tool in tools.values():
        named = set(
            re.findall(
                r"\b(?:get|list|enqueue|cancel|retry|hold|release|clear|remove|find|show|set|delete)_\w+",
                str(tool.description),
            )
        )
        assert named <= set(TOOLS)


async def test_every_argument_is_described_and_bounded_and_none_other_is_taken(
    tools: dict[str, Tool],
) -> None:
    for name, tool in tools.items():
        assert tool.input_schema["additionalProperties"] is False, name
        for argument, schema in tool.input_schema["properties"].items():
            assert schema.get("description", "").endswith("."), f"{name}.{argument}"
            assert is_bounded(schema, tool.input_schema.get("$defs", {})), f"{name}.{argument}"


BOUNDS = {
    "string": {"maxLength"},
    "integer": {"minimum", "maximum"},
    "number": {"minimum", "maximum"},
    "array": {"maxItems"},
    "object": {"maxProperties", "propertyNames"},
}


def is_bounded(schema: dict[str, Any], defs: dict[str, Any]) -> bool:
    """Whether a value of this schema can be only so large, and so each that it holds."""
    if "$ref" in schema:
        return is_bounded(defs[schema["$ref"].removeprefix("#/$defs/")], defs)
    if "anyOf" in schema:
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return all(is_bounded({**rest, **each}, defs) for each in schema["anyOf"])
    if "enum" in schema or "pattern" in schema or schema["type"] in ("boolean", "null"):
        return True
    inside = schema.get("items") or schema.get("additionalProperties") or {"type": "null"}
    return BOUNDS[schema["type"]] <= schema.keys() and is_bounded(inside, defs)


async def test_the_list_of_tools_is_small_and_without_words_that_only_repeat_a_name(
    tools: dict[str, Tool],
) -> None:
    """What a client reads at first: of the inputs, all goes into a model's context."""
    inputs = [json.dumps(tool.input_schema) for tool in tools.values()]
    assert sum(map(len, inputs)) < 15_000
    assert not any('"title"' in each for each in inputs)
    assert sum(len(json.dumps(tool.output_schema)) for tool in tools.values()) < 52_000


async def test_every_tool_promises_the_shape_of_its_answer(tools: dict[str, Tool]) -> None:
    for name, tool in tools.items():
        assert tool.output_schema is not None, name
        assert tool.output_schema["type"] == "object", name
