"""The MCP bundle: packed by `make bundle`, unpacked by the bundles' own tool, started as its manifest says."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from server.settings import PREFIX, require_known

ROOT = Path(__file__).parents[2]
MCPB = "npm install --global @anthropic-ai/mcpb@2.1.2"
UV = "pip install uv"


def packed(folder: Path) -> Path:
    command = [sys.executable, ROOT / ".ci/bundle.py", folder]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return Path(built.stdout.strip())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def unpacked(
    bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
    require_program: Callable[[str, str], Path],
) -> Path:
    """What the host installs."""
    folder = tmp_path_factory.mktemp("extension") / "stockdesk"
    subprocess.run(
        [require_program("mcpb", MCPB), "unpack", bundle, folder], check=True, stdout=subprocess.DEVNULL
    )
    return folder


@pytest.fixture(scope="module")
def manifest(unpacked: Path) -> dict[str, Any]:
    return json.loads((unpacked / "manifest.json").read_text("utf-8"))


def filled_in(entry: dict[str, Any], folder: Path, home: Path) -> dict[str, Any]:
    """The entry as the host starts it, for a user who has chosen a home and left all else empty."""
    chosen = json.dumps(entry).replace("${__dirname}", str(folder)).replace("${user_config.home}", str(home))
    return json.loads(re.sub(r"\$\{user_config\.\w+\}", "", chosen))


def test_the_bundles_own_tool_finds_nothing_wrong(
    unpacked: Path, require_program: Callable[[str, str], Path]
) -> None:
    checked = subprocess.run(
        [require_program("mcpb", MCPB), "validate", unpacked], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_the_same_sources_make_the_same_bundle(bundle: Path, tmp_path: Path) -> None:
    assert bundle.name == f"stockdesk-{version('stockdesk')}.mcpb"
    assert packed(tmp_path).read_bytes() == bundle.read_bytes()


def test_what_the_user_leaves_empty_is_left_to_settings_toml_and_the_defaults(
    manifest: dict[str, Any],
) -> None:
    environment: dict[str, str] = manifest["server"]["mcp_config"]["env"]
    require_known(environment)
    assert set(environment.values()) == {f"${{user_config.{key}}}" for key in manifest["user_config"]}
    # Without a default the host would pass the placeholder on; any other than this would go before settings.toml.
    assert {option["default"] for option in manifest["user_config"].values()} == {""}


async def test_the_bundle_starts_and_has_the_tools_that_it_promises(
    unpacked: Path,
    manifest: dict[str, Any],
    tmp_path: Path,
    require_program: Callable[[str, str], Path],
) -> None:
    home = tmp_path / "the user's home"
    entry = filled_in(manifest["server"]["mcp_config"], unpacked, home)
    uv = require_program(entry["command"], UV)
    # Of whoever runs the tests: how uv reaches its index.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    server = StdioServerParameters(command=str(uv), args=entry["args"], env=inherited | entry["env"], cwd="/")
    async with Client(server) as client:
        assert client.server_info
        assert client.server_info.version == manifest["version"] == version("stockdesk")
        listed = [tool.name for tool in (await client.list_tools()).tools]
        assert listed == [tool["name"] for tool in manifest["tools"]]
        assert not (await client.call_tool("get_queue_status", {})).is_error
    assert (home / "stockdesk.db").is_file()
