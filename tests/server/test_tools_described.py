"""What a client is told of the tools before it calls one."""

import re
from typing import Any

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
    "get_queue_status",
    "list_tasks",
    "get_task",
    "cancel_tasks",
    "retry_task",
    "hold_queue",
    "release_queue",
    "clear_queue",
    "get_portfolio",
    "get_verdicts",
    "get_spend",
]
READING = {name for name in TOOLS if name.startswith(("get_", "list_"))}


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
    named = set(re.findall(r"\b(?:get|list|enqueue|cancel|retry|hold|release|clear)_\w+", INSTRUCTIONS))
    assert named <= set(TOOLS)


async def test_every_tool_sets_all_four_hints_honestly(tools: dict[str, Tool]) -> None:
    for name, tool in tools.items():
        hints = tool.annotations
        assert hints is not None
        assert hints.read_only_hint is (name in READING), name
        assert hints.destructive_hint is (name in {"cancel_tasks", "clear_queue"}), name
        enqueues = name.startswith("enqueue_") or name == "retry_task"
        assert hints.idempotent_hint is not enqueues, name
        assert hints.open_world_hint is enqueues, name


async def test_every_tool_has_a_title_and_says_in_sentences_what_it_does(tools: dict[str, Tool]) -> None:
    for name, tool in tools.items():
        assert tool.title, name
        sentences = [each for each in re.split(r"[.;:]\s", tool.description or "") if each.strip()]
        assert len(sentences) >= 2, name
        assert (tool.description or "").rstrip().endswith("."), name


async def test_every_description_names_only_tools_that_there_are(tools: dict[str, Tool]) -> None:
    for tool in tools.values():
        named = set(
            re.findall(r"\b(?:get|list|enqueue|cancel|retry|hold|release|clear)_\w+", str(tool.description))
        )
        assert named <= set(TOOLS)


async def test_every_argument_is_described_or_bounded_and_none_other_is_taken(tools: dict[str, Tool]) -> None:
    for name, tool in tools.items():
        assert tool.input_schema["additionalProperties"] is False, name
        for argument, schema in tool.input_schema["properties"].items():
            said = (
                schema.get("description") or schema.get("$ref") or schema.get("anyOf") or schema.get("allOf")
            )
            assert said, f"{name}.{argument}"


async def test_every_tool_promises_the_shape_of_its_answer(tools: dict[str, Tool]) -> None:
    for name, tool in tools.items():
        assert tool.output_schema is not None, name
        assert tool.output_schema["type"] == "object", name
