"""A stock by its company's name: the lists answer alone, and Yahoo, bounded and polite, only where they cannot."""

from pathlib import Path

import pytest

from handlers.finding import Finder, FindError
from handlers.instruments import Listing
from handlers.sources.pace import Pace
from handlers.stocks import Exchange, Stock
from tests.standins.http_source import HttpSource, Reply, always, json_reply

SPY = {"symbol": "SPY", "exchange": "PCX", "longname": "SPDR S&P 500 ETF Trust"}


@pytest.fixture
def finder(tmp_path: Path, server: HttpSource) -> Finder:
    return Finder(
        instruments=tmp_path / "instruments", cache=tmp_path / "cache", yahoo_url=server.url, pace=Pace(1e6)
    )


async def test_what_the_lists_have_asks_nobody(finder: Finder, server: HttpSource) -> None:
    found = await finder.find("infosys")
    assert (found.listings[0].stock, found.by) == (Stock("INFY", Exchange.NSE), "the desk's lists")
    assert server.requests == []


async def test_yahoo_is_asked_for_the_rest_once_a_day(finder: Finder, server: HttpSource) -> None:
    server.script = always(json_reply({"quotes": [SPY]}))
    for _ in range(2):
        found = await finder.find("nonesuch fund")
        assert found.listings == [Listing(Stock("SPY", Exchange.ARCA), "SPDR S&P 500 ETF Trust")]
        assert found.by == "Yahoo"
    assert len(server.requests) == 1


async def test_a_yahoo_that_wants_rest_is_left_alone(finder: Finder, server: HttpSource) -> None:
    server.script = always(Reply(429, headers={"Retry-After": "60"}))
    finder.monotonic = lambda: 1000.0
    with pytest.raises(
        FindError, match=r"No list of the desk has 'nonesuch'\. Yahoo answered 429 for stocks called"
    ):
        await finder.find("nonesuch")
    with pytest.raises(FindError, match="left alone for another 60 s; ask again then"):
        await finder.find("nonesuch trust")
    assert len(server.requests) == 1


async def test_a_yahoo_that_is_silent_is_not_waited_for(finder: Finder, server: HttpSource) -> None:
    server.script = always(json_reply({"quotes": [SPY]}))
    server.gate.clear()
    finder.patience_seconds = 0.05
    with pytest.raises(FindError, match=r"Yahoo gave no answer within 0\.05 s; ask again later"):
        await finder.find("nonesuch")
    server.gate.set()


async def test_where_yahoo_gives_no_prices_it_is_not_asked_for_names_either(
    finder: Finder, server: HttpSource
) -> None:
    finder.yahoo_url = None
    with pytest.raises(FindError, match="without yahoo among STOCKDESK_PRICE_SOURCES nobody else is asked"):
        await finder.find("nonesuch")
    assert server.requests == []
