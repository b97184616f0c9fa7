"""Kite on loopback, an account that has logged in to it, and the source of its prices."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from handlers.brokers.live.syncing import Brokers
from handlers.sources.kite import KiteSource
from tests.handlers.conftest import MovableClock
from tests.handlers.kite.prices import Market, source_of
from tests.handlers.live import brokers, logged_in
from tests.standins.http_source import HttpSource


@pytest.fixture
def server() -> Iterator[HttpSource]:
    with HttpSource(Market()) as source:
        yield source


@pytest.fixture
def desk(tmp_path: Path, server: HttpSource) -> Brokers:
    made = brokers(tmp_path, server.url)
    logged_in(made)
    return made


@pytest.fixture
async def kite(desk: Brokers, clock: MovableClock) -> AsyncIterator[KiteSource]:
    async with source_of(desk, clock) as source:
        yield source
