"""Builds dist/stockdesk-VERSION.mcpb, an MCP bundle; the same sources make the same bytes.

The bundle holds the sources and no dependency: the host's uv installs those where it is installed.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import anyio
from mcp import Client

from server.app import build_server
from server.desk import open_desk
from server.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
CLAUDE_CONFIG = ROOT / "claude_config"
PACKAGES = ("server", "handlers", "queues", "claude_config")
# What pyproject.toml names.
BESIDE_THEM = ("pyproject.toml", "README.md", "LICENSE")
# For other hosts, or in the bundle already.
LEFT_OUT = (CLAUDE_CONFIG / "plugin", CLAUDE_CONFIG / "mcpb", CLAUDE_CONFIG / "server.json")
# The earliest that a zip can hold.
NO_DATE = (1980, 1, 1, 0, 0, 0)


def build(folder: Path) -> Path:
    manifest = anyio.run(complete_manifest)
    folder.mkdir(parents=True, exist_ok=True)
    bundle = folder / f"stockdesk-{manifest['version']}.mcpb"
    with ZipFile(bundle, "w") as archive:
        add(archive, "manifest.json", json.dumps(manifest, indent=2).encode())
        add(archive, manifest["icon"], (CLAUDE_CONFIG / "plugin/.claude-plugin/icon.png").read_bytes())
        for path in sources():
            add(archive, path.relative_to(ROOT).as_posix(), path.read_bytes())
    return bundle


async def complete_manifest() -> dict[str, Any]:
    """The manifest of `claude_config`, with the project's version and the tools that the server lists."""
    manifest = json.loads((CLAUDE_CONFIG / "mcpb/manifest.json").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    with TemporaryDirectory() as home:
        async with (
            open_desk(Settings.model_validate({"home": home}), "bundle") as desk,
            Client(build_server(desk)) as client,
        ):
            tools = (await client.list_tools()).tools
    shown = [{"name": tool.name, "description": first_sentence(tool.description or "")} for tool in tools]
    return manifest | {"version": project["version"], "tools": shown}


def first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].removesuffix(".") + "."


def sources() -> Iterator[Path]:
    for name in BESIDE_THEM:
        yield ROOT / name
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            is_wanted = "__pycache__" not in path.parts and not any(map(path.is_relative_to, LEFT_OUT))
            if path.is_file() and is_wanted:
                yield path


def add(archive: ZipFile, name: str, content: bytes) -> None:
    info = ZipInfo(name, NO_DATE)
    info.create_system = 3  # Unix, wherever it is built, so that the rights count
    info.external_attr = 0o100644 << 16
    archive.writestr(info, content, ZIP_DEFLATED, compresslevel=9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "dist")
    sys.stdout.write(f"{build(parser.parse_args().folder)}\n")


if __name__ == "__main__":
    main()
