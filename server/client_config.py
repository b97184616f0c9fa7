"""Entries for MCP clients.

They hold the absolute path of this install, and the settings that come from the environment: Claude Desktop starts
servers with a bare one.
"""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from handlers.analyst.limits import is_bare_name
from server.settings import PREFIX, Settings, SettingsError, absolute, require_known

INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"


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
    Client.INSPECTOR: f"Save this as inspector.json, then run: npx {INSPECTOR} "
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
    entry = server_entry(client, environment)
    settings: Mapping[str, str] = entry.get("env", {})
    options = "".join(f" -e {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
    advice = ADVICE[client].format(command=shlex.quote(entry["command"]), env=options)
    return json.dumps({"mcpServers": {"stockdesk": entry}}, indent=2), advice


def server_entry(client: Client, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What stands under the name `stockdesk` in the file of this client; see `client_entry`."""
    text = (files("claude_config") / TEMPLATES[client]).read_text("utf-8")
    # The template is JSON: the path goes in as the inside of a JSON string.
    command = json.dumps(str(console_script()))[1:-1]
    entry = json.loads(Template(text).substitute(command=command))["mcpServers"]["stockdesk"]
    if settings := settings_in(environment):
        entry["env"] = settings
    return entry


def settings_in(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings in `environment`, so that they mean the same in any folder and with any PATH.

    Raises:
        SettingsError: a variable is no setting, or its path cannot be used.
    """
    require_known(environment)
    values = {variable.upper(): value for variable, value in environment.items() if value}
    variables = {f"{PREFIX}{name.upper()}": name for name in Settings.model_fields}
    return {
        variable: _found_anywhere(name, variable, values[variable])
        for variable, name in variables.items()
        if variable in values
    }


def _found_anywhere(name: str, variable: str, value: str) -> str:
    if name not in ("home", "claude_cli", "analyst_instructions"):
        return value
    try:
        named = name == "claude_cli" and is_bare_name(Path(value))
        # A client may have another PATH; what is not on this one, `stockdesk doctor` tells there.
        return (shutil.which(value) or value) if named else str(absolute(Path(value)))
    except ValueError as error:
        raise SettingsError(f"{variable} = {value!r} cannot be used: {error}.") from error
