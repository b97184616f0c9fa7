"""A home, its desk, and a client of its server in memory."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client

from server.app import build_server
from server.desk import Desk, open_desk
from server.settings import Settings
from tests.server.desks import Agent, sample_settings


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] (autouse)
    for name in [name for name in os.environ if name.upper().startswith("STOCKDESK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STOCKDESK_HOME", str(tmp_path / "home"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return sample_settings(tmp_path / "home")


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """An open desk; its queues run only where a test runs them."""
    async with open_desk(settings, "test") as opened:
        yield opened


@pytest.fixture
async def agent(desk: Desk) -> AsyncIterator[Agent]:
    async with Client(build_server(desk)) as client:
        yield Agent(client)
