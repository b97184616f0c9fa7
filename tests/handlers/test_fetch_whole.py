"""A fetch of all kinds, through the sources as the settings open them, from real HTTP to stored facts and texts."""

from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from handlers.data_fetcher import data_fetcher
from handlers.facts import Fact, current_facts
from handlers.sources.opening import USER_AGENT, SourceSettings, open_sources
from handlers.stocks import parse_stock
from handlers.texts import recent_texts
from queues.clock import system_clock
from queues.database import Database
from tests.handlers.conftest import TaskRunner
from tests.handlers.fetching import lines, running_fetch
from tests.standins.http_source import HttpSource, Reply, Request, chart, with_splits
from tests.standins.reference_sources import (
    companyfacts,
    feed,
    google_item,
    sec,
    sec_fact,
    submissions,
    timeseries,
)

# The hosts read the clock, for the age of what they keep.
NOW = system_clock()
YEAR_END, FILED, SPLIT = (NOW.date() - timedelta(days=days) for days in (60, 30, 15))
CONTACT = "me@example.com"


def reported(value: float) -> dict[str, Any]:
    begin = YEAR_END - timedelta(days=364)
    return sec_fact(str(YEAR_END), value, str(begin), "10-K", str(FILED))


AT_THE_SEC = sec(
    companyfacts(
        str(YEAR_END),
        str(FILED),
        EarningsPerShareDiluted={"USD/shares": [reported(6.0)]},
        NetIncomeLoss={"USD": [reported(90e9)]},
        Revenues={"USD": [reported(400e9)]},
        GrossProfit={"USD": [reported(180e9)]},
    ),
    submissions((str(FILED), "10-K", "")),
)
INDIAN_YEAR = {
    "annualTotalRevenue": 500.0,
    "annualOperatingIncome": 125.0,
    "annualNetIncome": 100.0,
    "annualDilutedEPS": 10.0,
    "annualOrdinarySharesNumber": 10.0,
}


def everything(request: Request) -> Reply:
    match request.path.split("/")[1]:
        case "v8":
            return with_splits(chart(request), {SPLIT: (2, 1)})
        case "ws":
            series = {name: [(str(YEAR_END), "12M", value)] for name, value in INDIAN_YEAR.items()}
            return timeseries("INFY.NS", series, "INR")
        case "rss":
            return feed(google_item("A deal", "Mint", format_datetime(NOW - timedelta(days=1))))
        case _:
            return AT_THE_SEC(request)


def facts_of(database: Database, stock: str) -> Mapping[str, Fact]:
    return {fact.name: fact for fact in database.read_now(lambda tx: current_facts(tx, parse_stock(stock)))}


async def test_what_companies_reported_becomes_facts_and_texts_beside_the_prices(
    server: HttpSource, running_task: TaskRunner, database: Database, tmp_path: Path
) -> None:
    server.script = everything
    settings = SourceSettings(
        prices=["yahoo"],
        fundamentals=["sec", "yahoo"],
        news=["google"],
        filings=["sec"],
        requests_per_second=100,
        cache_folder=tmp_path / "cache",
        sec_contact=CONTACT,
        yahoo_url=server.url,
        google_url=server.url,
        sec_files_url=server.url,
        sec_data_url=server.url,
    )
    async with open_sources(settings) as sources:
        fetch = data_fetcher(sources.prices, lambda: NOW, 4, extras=sources.extras)
        listed = lines(await fetch(running_fetch(running_task, "NASDAQ:AAPL", "NSE:INFY")))

    apple = facts_of(database, "NASDAQ:AAPL")
    assert apple["gross_margin_ttm"].value == 45.0
    assert apple["pe_ttm"].value == pytest.approx(apple["last_close"].value / (6.0 / 2))
    assert apple["pe_ttm"].source == "SEC companyfacts; the price as last_close"
    assert listed["NASDAQ:AAPL"]["filings"] == {"source": "sec", "count": 1}
    texts = database.read_now(lambda tx: recent_texts(tx, parse_stock("NASDAQ:AAPL"), NOW))
    assert [text.title for text in texts] == ["A deal", f"10-K filed {FILED}"]

    infosys = facts_of(database, "NSE:INFY")
    assert (infosys["operating_margin_ttm"].value, infosys["operating_margin_ttm"].unit) == (25.0, "percent")
    assert "pe_ttm" not in infosys
    assert listed["NSE:INFY"]["fundamentals"]["source"] == "yahoo"
    assert f"the shares were split 2 for 1 on {SPLIT}" in listed["NSE:INFY"]["fundamentals"]["note"]

    agents = {request.path.split("/")[1]: request.headers["User-Agent"] for request in server.requests}
    assert agents == {
        **dict.fromkeys(("v8", "ws", "rss"), USER_AGENT),
        **dict.fromkeys(("files", "api", "submissions"), f"Stockdesk {CONTACT}"),
    }
