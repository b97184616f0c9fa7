"""Entries for MCP clients.

They hold the absolute path of this install: Claude Desktop starts servers with a bare PATH.
"""

import json
import shlex
import sys
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from string import Template


class Client(StrEnum):
    CLAUDE_DESKTOP = "claude-desktop"
    CLAUDE_CODE = "claude-code"
    INSPECTOR = "inspector"


TEMPLATES = {
    Client.CLAUDE_DESKTOP: "claude_desktop_config.json",
    Client.CLAUDE_CODE: "mcp.json",
    Client.INSPECTOR: "inspector.json",
}
ADVICE = {
    Client.CLAUDE_DESKTOP: "Put this into claude_desktop_config.json (Settings, Developer, Edit Config), then restart "
    "Claude Desktop.",
    Client.CLAUDE_CODE: "Save this as .mcp.json in a project, or run: claude mcp add stockdesk -- {command} serve",
    Client.INSPECTOR: "Save this as inspector.json, then run: npx @modelcontextprotocol/inspector@2.12.0 "
    "--config inspector.json --server stockdesk",
}


def console_script() -> Path:
    """The `stockdesk` script of the environment that runs now."""
    name = "stockdesk.exe" if sys.platform == "win32" else "stockdesk"
    return Path(sys.executable).parent / name


def client_entry(client: Client) -> tuple[str, str]:
    """The JSON for this client, and a sentence that says what to do with it."""
    text = (files("claude_config") / TEMPLATES[client]).read_text("utf-8")
    command = str(console_script())
    # The template is JSON: the path goes in as the inside of a JSON string.
    entry = Template(text).substitute(command=json.dumps(command)[1:-1])
    return json.dumps(json.loads(entry), indent=2), ADVICE[client].format(command=shlex.quote(command))
