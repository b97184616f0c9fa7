"""The entry of Claude Desktop, which does not run on Linux: started as it starts servers."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from tests.hosts.serve import STOCKDESK, desk_environment

# What Claude Desktop gives to a server, where nothing else is written in its entry.
BARE = {"PATH": "/usr/bin:/bin"}


def printed_entry(environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """The one server of the file that `stockdesk config claude-desktop` prints, run in `folder`."""
    printed = subprocess.run(
        [STOCKDESK, "config", "claude-desktop"],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    [(name, entry)] = json.loads(printed.stdout)["mcpServers"].items()
    assert name == "stockdesk"
    return entry


def databases_in(folder: Path) -> list[Path]:
    return list(folder.glob("**/stockdesk.db"))


async def status_by(entry: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Start the entry as Claude Desktop does, look at its tools, and ask for the status."""
    for variable in list(os.environ):  # the client passes some of these on
        monkeypatch.delenv(variable)
    bare = BARE | {"HOME": str(home)} | entry.get("env", {})
    server = StdioServerParameters(command=entry["command"], args=entry["args"], env=bare, cwd="/")
    async with Client(server) as client:
        tools = (await client.list_tools()).tools
        assert "get_queue_status" in [tool.name for tool in tools]
        answer = await client.call_tool("get_queue_status", {})
        assert not answer.is_error
        assert answer.structured_content is not None
        return answer.structured_content


async def test_the_entry_of_claude_desktop_starts_a_desk_in_the_users_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = printed_entry(BARE | {"HOME": str(tmp_path)}, tmp_path)
    assert set(entry) == {"command", "args"}
    assert Path(entry["command"]).is_absolute()

    status = await status_by(entry, tmp_path, monkeypatch)
    assert [queue["state"] for queue in status["queues"]] == ["idle", "idle", "idle"]
    assert [file.parent.name for file in databases_in(tmp_path)] == ["stockdesk"]


def test_the_entry_takes_the_settings_of_the_terminal_along(tmp_path: Path) -> None:
    environment = desk_environment(tmp_path, STOCKDESK_HOME="a desk")
    assert printed_entry(environment, tmp_path)["env"] == {
        "STOCKDESK_ANALYST": "baseline",
        "STOCKDESK_AS_OF": "2022-12-28",
        "STOCKDESK_HOME": str(tmp_path / "a desk"),  # Claude Desktop starts it in another folder
        "STOCKDESK_PRICE_SOURCES": "sample",
    }
