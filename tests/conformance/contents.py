"""The suite's fixtures that answer without a question: tools, resources and prompts of every kind of content."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import anyio
from mcp.server.mcpserver import Context, MCPServer, UserMessage
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    AudioContent,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

# One pixel, and one sample of sound.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA=="
IMAGE = ImageContent(type="image", data=PNG, mime_type="image/png")


def text(words: str) -> TextContent:
    return TextContent(type="text", text=words)


def embedded(uri: str, mime_type: str, words: str) -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type=mime_type, text=words)
    return EmbeddedResource(type="resource", resource=contents)


ANSWERS: Mapping[str, Sequence[ContentBlock]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [IMAGE],
    "test_audio_content": [AudioContent(type="audio", data=WAV, mime_type="audio/wav")],
    "test_embedded_resource": [
        embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        IMAGE,
        embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
}

# What a tool of ours never has, and the SDK must carry all the same.
RICH_SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def add_tools(mcp: MCPServer) -> None:
    def answering(content: Sequence[ContentBlock]) -> Any:
        async def answer() -> list[ContentBlock]:
            return list(content)

        return answer

    for name, content in ANSWERS.items():
        mcp.add_tool(answering(content), name=name, description="Answers.", structured_output=False)

    @mcp.tool()
    async def test_error_handling() -> str:
        """Fails."""
        raise ToolError("This tool intentionally returns an error for testing")

    @mcp.tool()
    async def test_header(word: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Word"})]) -> str:
        """Takes an argument that HTTP clients repeat in a header."""
        return word

    rich = mcp.tool(name="json_schema_2020_12_tool", description="Has a rich schema.")
    rich(test_error_handling)
    [tool] = [each for each in mcp._tool_manager.list_tools() if each.name == "json_schema_2020_12_tool"]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (no public way to a schema of one's own)
    tool.parameters = dict(RICH_SCHEMA)


def add_notifying_tools(mcp: MCPServer) -> None:
    @mcp.tool()
    async def test_tool_with_progress(ctx: Context) -> str:
        """Reports progress."""
        for progress in (0, 50, 100):
            await ctx.report_progress(progress, 100)
            await anyio.sleep(0.05)  # the suite's own wish
        return "done"

    async def log(ctx: Context) -> str:
        for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(words)  # pyright: ignore[reportDeprecated] (only 2025-11-25 has it)
            await anyio.sleep(0.05)
        return "done"

    for name in ("test_tool_with_logging", "test_logging_tool"):
        mcp.add_tool(log, name=name, description="Logs.")

    @mcp.tool()
    async def test_reconnection(ctx: Context) -> str:
        """Would close its stream, if that could be resumed."""
        await ctx.close_sse_stream()
        return "done"


def add_resources(mcp: MCPServer) -> None:
    @mcp.resource("test://static-text", mime_type="text/plain")
    async def static_text() -> str:
        """Text."""
        return "This is the content of the static text resource."

    @mcp.resource("test://static-binary", mime_type="image/png")
    async def static_binary() -> bytes:
        """An image."""
        return base64.b64decode(PNG)

    @mcp.resource("test://watched-resource", mime_type="text/plain")
    async def watched() -> str:
        """Something to subscribe to."""
        return "watched"

    @mcp.resource("test://template/{id}/data", mime_type="application/json")
    async def from_template(id: str) -> str:  # noqa: A002 (the template's own word)
        """Text with a parameter."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def add_prompts(mcp: MCPServer) -> None:
    @mcp.prompt()
    async def test_simple_prompt() -> list[UserMessage]:
        """Has no argument."""
        return [UserMessage(text("This is a simple prompt for testing."))]

    @mcp.prompt()
    async def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        """Has two arguments."""
        return [UserMessage(text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]

    @mcp.prompt()
    async def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 (the suite's name)
        """Embeds a resource."""
        return [
            UserMessage(embedded(resourceUri, "text/plain", "Embedded resource content for testing.")),
            UserMessage(text("Please process the embedded resource above.")),
        ]

    @mcp.prompt()
    async def test_prompt_with_image() -> list[UserMessage]:
        """Shows an image."""
        return [UserMessage(IMAGE), UserMessage(text("Please analyze the image above."))]
