"""The whole desk as a host starts it: `stockdesk serve` over stdio, and what it meets outside, on loopback."""

import sys
import threading
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

from queues.database import Database
from queues.inspection import Interval, intervals
from queues.model import QueueName
from server.desk import open_database
from tests.server.desks import Agent, sample_settings
from tests.standins.http_source import HttpSource
from tests.standins.messages_api import MessagesApi

# Long enough for a loaded machine; a test that needs it fails anyway.
PATIENCE = 60.0
STOCKDESK = Path(sys.executable).with_name("stockdesk")


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets a stand-in's answer wait; `arrived` tells that somebody waits for it."""

    arrived: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    def pass_through(self) -> None:
        self.arrived.set()
        self.open.wait(PATIENCE)


@dataclass(frozen=True, slots=True)
class World:
    """A home that nobody else has, a price source and a Messages API."""

    folder: Path
    prices: HttpSource
    api: MessagesApi

    @property
    def home(self) -> Path:
        return self.folder / "desk"

    def environment(self, **changes: str | None) -> dict[str, str]:
        """For real Claude sessions before the stand-in. A change to None leaves the variable out."""
        usual: dict[str, str | None] = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "CLAUDE_CONFIG_DIR": str(self.folder / ".claude"),
            "ANTHROPIC_BASE_URL": self.api.url,
            "ANTHROPIC_API_KEY": "dummy",
            "STOCKDESK_HOME": str(self.home),
            "STOCKDESK_ANALYST": "claude",
            "STOCKDESK_MODEL": "claude-sonnet-4-5",
            "STOCKDESK_YAHOO_BASE_URL": self.prices.url,
            "STOCKDESK_REQUESTS_PER_SECOND": "100",
            "STOCKDESK_FUNDAMENTALS_SOURCES": "none",
            "STOCKDESK_NEWS_SOURCES": "none",
            "STOCKDESK_FILING_SOURCES": "none",
            "STOCKDESK_LOG_LEVEL": "WARNING",
        }
        return {name: value for name, value in {**usual, **changes}.items() if value is not None}

    @asynccontextmanager
    async def serve(self, mode: Any = "auto", **changes: str | None) -> AsyncGenerator[Agent]:
        parameters = StdioServerParameters(
            command=str(STOCKDESK), args=["serve"], env=self.environment(**changes), cwd=str(self.folder)
        )
        async with Client(parameters, mode=mode) as client:
            yield Agent(client)

    def stored(self) -> Database:
        """What the home holds. Open it only when no server has it in mid-write: it is a real second process."""
        return open_database(sample_settings(self.home))

    def intervals(self) -> Sequence[Interval]:
        database = self.stored()
        try:
            return database.read_now(intervals)
        finally:
            database.close()


@contextmanager
def make_world(folder: Path) -> Generator[World]:
    folder.mkdir()
    with HttpSource() as prices, MessagesApi() as api:
        yield World(folder, prices, api)


def of(queue: QueueName, attempts: Sequence[Interval]) -> list[Interval]:
    return [each for each in attempts if each.queue is queue]


def ran_at_once(one: Interval, other: Interval) -> bool:
    assert one.ended_at is not None
    assert other.ended_at is not None
    return one.started_at < other.ended_at and other.started_at < one.ended_at
