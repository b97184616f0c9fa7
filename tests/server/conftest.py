"""A home, its desk, and a client of its server in memory."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from mcp import Client

from server.app import build_server
from server.desk import Desk, open_desk
from server.settings import Settings
from tests.hosts.serve import Serve, desk_environment
from tests.server.desks import Agent, sample_settings
from tests.standins.claude_scripts import always
from tests.standins.messages_api import MessagesApi, Stalls


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


# Two real servers on one home, where a test wants them.


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi(always(Stalls())) as standin:
        yield standin


@pytest.fixture
def leader(tmp_path: Path, api: MessagesApi) -> Iterator[Serve]:
    with Serve(desk_environment(tmp_path, api.url)) as serve:
        yield serve.initialize()


@pytest.fixture
def task_id(leader: Serve, api: MessagesApi) -> str:
    """An analysis in the middle of its session."""
    answer = leader.call("enqueue_ai_analysis", symbols=["AAPL", "MSFT"], exchange="NASDAQ")
    api.wait_for_requests(1)
    [task_id] = (task_id for task_id in answer["task_ids"] if task_id.startswith("analysis-"))
    return task_id


@pytest.fixture
def follower(tmp_path: Path, api: MessagesApi, task_id: str) -> Iterator[Serve]:
    assert task_id  # it starts in the middle of that session
    with Serve(desk_environment(tmp_path, api.url)) as serve:
        yield serve.initialize()
