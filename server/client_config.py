"""Entries for MCP clients.

They hold the absolute path of this install, and the settings that come from the environment: Claude Desktop starts
servers with a bare one.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from string import Template

from server.settings import PREFIX, Settings, SettingsError, absolute, require_known


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
    Client.CLAUDE_CODE: "Save this as .mcp.json in a project, or, for every project, run: "
    "claude mcp add --scope user stockdesk{env} -- {command} serve",
    Client.INSPECTOR: "Save this as inspector.json, then run: npx @modelcontextprotocol/inspector@2.12.0 "
    "--config inspector.json --server stockdesk",
}


def console_script() -> Path:
    """The `stockdesk` script of the environment that runs now, or the one that was started (`pip install --user`)."""
    name = "stockdesk.exe" if sys.platform == "win32" else "stockdesk"
    beside_python = Path(sys.executable).parent / name
    started = Path(sys.argv[0]).absolute().with_name(name)
    return started if started.is_file() and not beside_python.is_file() else beside_python


def client_entry(client: Client, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The JSON for this client, and a sentence that says what to do with it.

    The entry carries the settings that `environment` holds, with absolute paths: the client gets the desk of now.

    Raises:
        SettingsError: a variable is no setting, or its path cannot be used.
    """
    require_known(environment)
    text = (files("claude_config") / TEMPLATES[client]).read_text("utf-8")
    command = str(console_script())
    # The template is JSON: the path goes in as the inside of a JSON string.
    entry = json.loads(Template(text).substitute(command=json.dumps(command)[1:-1]))
    settings = dict(_settings_from(environment))
    if settings:
        entry["mcpServers"]["stockdesk"]["env"] = settings
    options = "".join(f" -e {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
    return json.dumps(entry, indent=2), ADVICE[client].format(command=shlex.quote(command), env=options)


def _settings_from(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in Settings.model_fields:
        variable = f"{PREFIX}{name.upper()}"
        if value := environment.get(variable):
            # The client starts the server in a folder of its own.
            is_path = name in ("home", "claude_cli")
            yield variable, _absolute(variable, value) if is_path else value


def _absolute(variable: str, value: str) -> str:
    try:
        return str(absolute(Path(value)))
    except ValueError as error:
        raise SettingsError(f"{variable} = {value!r} cannot be used: {error}.") from error
