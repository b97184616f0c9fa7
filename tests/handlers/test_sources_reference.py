"""Fundamentals, news, filings and search, against the documented answers, wrong ones and hostile ones."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from handlers.instruments import Listing
from handlers.sources.base import BadDataError, NotCoveredError, SourceBusyError, SourceError
from handlers.sources.figures import Concept, FundamentalFigure
from handlers.sources.http import Host
from handlers.sources.news import GoogleNews, YahooNews
from handlers.sources.pace import Pace
from handlers.sources.search import search_yahoo
from handlers.sources.sec import Sec
from handlers.sources.yahoo_fundamentals import YahooFundamentals
from handlers.stocks import Exchange, Stock
from handlers.texts import NewText
from tests.handlers.conftest import NOW
from tests.standins.http_source import HttpSource, Reply, always, json_reply
from tests.standins.reference_sources import (
    companyfacts,
    feed,
    google_item,
    sec,
    sec_fact,
    submissions,
    timeseries,
)

INFY = Stock("INFY", Exchange.NSE)
AAPL = Stock("AAPL", Exchange.NASDAQ)
BRK = Stock("BRK.B", Exchange.NYSE)
CONTACT = {"User-Agent": "Stockdesk me@example.com"}


@pytest.fixture
async def host(server: HttpSource) -> AsyncIterator[Host]:
    async with httpx.AsyncClient(timeout=10) as client:
        yield Host("It", server.url, client, Pace(1e6), headers=CONTACT, clock=lambda: NOW)


def of(figures: Sequence[FundamentalFigure], concept: Concept) -> list[tuple[date | None, date, float, str]]:
    return [(f.period_start, f.period_end, f.value, f.unit) for f in figures if f.concept is concept]


async def test_yahoo_s_quarters_and_years_become_figures(server: HttpSource, host: Host) -> None:
    server.script = always(
        timeseries(
            "INFY.NS",
            {
                "quarterlyTotalRevenue": [None, ("2022-09-30", "3M", 365.38e9)],
                "annualTotalRevenue": [("2022-03-31", "12M", 1216.41e9)],
                "annualCapitalExpenditure": [("2022-03-31", "12M", -21.6e9)],
                "annualStockholdersEquity": [("2022-03-31", "12M", 753.5e9)],
                "quarterlyOrdinarySharesNumber": [("2022-09-30", "3M", 4.2e9)],
                "trailingTotalRevenue": [("2022-09-30", "TTM", 1.0)],
            },
            "INR",
        )
    )
    figures = await YahooFundamentals(host).figures(INFY)
    assert of(figures, Concept.REVENUE) == [
        (date(2022, 7, 1), date(2022, 9, 30), 365.38e9, "INR"),
        (date(2021, 4, 1), date(2022, 3, 31), 1216.41e9, "INR"),
    ]
    assert of(figures, Concept.CAPEX) == [(date(2021, 4, 1), date(2022, 3, 31), 21.6e9, "INR")]
    assert of(figures, Concept.EQUITY) == [(None, date(2022, 3, 31), 753.5e9, "INR")]
    assert of(figures, Concept.SHARES) == [(None, date(2022, 9, 30), 4.2e9, "shares")]
    assert len(figures) == 5
    query = parse_qs(urlsplit(server.requests[0].target).query)
    assert datetime.fromtimestamp(int(query["period2"][0]), UTC).date() == date(2023, 1, 1)
    assert len(query["type"][0].split(",")) == 20


@pytest.mark.parametrize(
    ("reply", "error", "reason"),
    [
        (timeseries("AAPL", {}), NotCoveredError, "no fundamentals of NASDAQ:AAPL"),
        (Reply(200, b"<html>"), BadDataError, "another shape"),
        (Reply(200, b'{"timeseries":{"result":[{"meta'), BadDataError, "another shape"),
        (
            timeseries("AAPL", {"annualTotalRevenue": [("soon", "12M", 1)]}),
            BadDataError,
            "annualTotalRevenue",
        ),
        (
            timeseries("AAPL", {"annualTotalRevenue": [("2022-09-30", "12M", 1)]}, ""),
            BadDataError,
            "currency",
        ),
        (Reply(404), SourceError, "404"),
        (
            json_reply({"timeseries": {"result": None, "error": {"code": "Bad", "description": "Invalid"}}}),
            SourceError,
            "Invalid",
        ),
        (Reply(429, b"", {"Retry-After": "5"}), SourceBusyError, "429"),
    ],
)
async def test_fundamentals_that_yahoo_cannot_give_are_refused_with_the_reason(
    server: HttpSource, host: Host, reply: Reply, error: type[SourceError], reason: str
) -> None:
    server.script = always(reply)
    with pytest.raises(error, match=reason) as caught:
        await YahooFundamentals(host).figures(AAPL)
    assert type(caught.value) is error


async def test_a_headline_is_kept_once_with_its_publisher_and_its_address(
    server: HttpSource, host: Host
) -> None:
    server.script = always(
        feed(
            google_item("Infosys wins deal", "Mint", "Mon, 26 Dec 2022 08:00:00 GMT"),
            google_item("Infosys - a view", "The Hindu", "Tue, 27 Dec 2022 10:00:00 +0530"),
            google_item("Infosys wins deal", "Mint", "Mon, 26 Dec 2022 08:00:00 GMT"),
            google_item("No date", "Mint", "soon"),
            "<pubDate>Tue, 27 Dec 2022 10:00:00 GMT</pubDate>",
        )
    )
    texts = await GoogleNews(host).texts(INFY, "INFOSYS LTD.")
    assert texts[0] == NewText(
        kind="news",
        title="Infosys - a view",
        body="",
        source="The Hindu",
        url="https://news.google.com/rss/articles/Infosys-aview?oc=5",
        published_at=datetime(2022, 12, 27, 4, 30, tzinfo=UTC),
    )
    assert [text.title for text in texts] == ["Infosys - a view", "Infosys wins deal"]
    query = parse_qs(urlsplit(server.requests[0].target).query)
    assert query == {"q": ['"INFOSYS" when:7d'], "hl": ["en-IN"], "gl": ["IN"], "ceid": ["IN:en"]}


async def test_yahoo_s_feed_brings_its_summary(server: HttpSource, host: Host) -> None:
    day = "<pubDate>Tue, 27 Dec 2022 10:00:00 +0000</pubDate>"
    item = f"<title>T</title><description>S</description><guid>1</guid>{day}"
    server.script = always(feed(item))
    (text,) = await YahooNews(host).texts(BRK, None)
    assert (text.title, text.body, text.source, text.url) == ("T", "S", "It", None)
    assert parse_qs(urlsplit(server.requests[0].target).query)["s"] == ["BRK-B"]


LAUGHS = (
    b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><rss><channel><title>&b;</title></channel></rss>'
)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (LAUGHS, BadDataError),
        (b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss>&x;</rss>', BadDataError),
        (b"<html><body>consent</body></html>", BadDataError),
        (b"<!doctype html><html>", BadDataError),
        (b"<rss><channel><item>", BadDataError),
        (b'<?xml version="1.0" encoding="no-such"?><rss/>', BadDataError),
        (b"", BadDataError),
        (feed().body, NotCoveredError),
    ],
)
async def test_what_is_no_feed_of_news_is_refused(
    server: HttpSource, host: Host, body: bytes, error: type[SourceError]
) -> None:
    server.script = always(Reply(200, body))
    with pytest.raises(error, match="news on NSE:INFY"):
        await GoogleNews(host).texts(INFY, None)


async def test_the_sec_s_figures_come_with_period_form_and_accession(server: HttpSource, host: Host) -> None:
    new, old = "RevenueFromContractWithCustomerExcludingAssessedTax", "SalesRevenueNet"
    server.script = sec(
        companyfacts(
            **{
                new: {
                    "USD": [
                        sec_fact("2022-06-25", 83e9, "2022-03-27"),
                        sec_fact("2015-06-27", 49e9, "2015-03-29"),
                    ]
                },
                old: {
                    "USD": [
                        sec_fact("2022-06-25", 1.0, "2022-03-27"),
                        sec_fact("2018-06-30", 53e9, "2018-04-01"),
                    ]
                },
                "EarningsPerShareDiluted": {
                    "USD/shares": [
                        sec_fact("2022-06-25", 1.2, "2022-03-27", "8-K"),
                        sec_fact("2022-06-25", 1.2, "2022-03-27"),
                    ]
                },
            }
        )
    )
    figures = await Sec((host, host)).figures(AAPL)
    assert of(figures, Concept.REVENUE) == [
        (date(2022, 3, 27), date(2022, 6, 25), 83e9, "USD"),
        (date(2018, 4, 1), date(2018, 6, 30), 53e9, "USD"),
    ]
    assert of(figures, Concept.DILUTED_EPS) == [(date(2022, 3, 27), date(2022, 6, 25), 1.2, "USD")]
    assert of(figures, Concept.SHARES) == [(None, date(2022, 10, 14), 15e9, "shares")]
    assert (figures[0].form, figures[0].filed) == ("10-Q 0000320193-22-000070", date(2022, 11, 1))
    assert {request.headers["User-Agent"] for request in server.requests} == {"Stockdesk me@example.com"}


async def test_the_sec_s_filings_say_form_day_and_what_an_8_k_is_on(server: HttpSource, host: Host) -> None:
    filings = submissions(
        ("2022-12-01", "8-K", "2.02,9.01"), ("2022-11-02", "4", ""), ("2022-10-28", "10-K", "")
    )
    server.script = sec(companyfacts(), filings)
    source = Sec((host, host))
    texts = await source.texts(BRK, None)
    assert [text.title for text in texts] == [
        "8-K filed 2022-12-01: results of operations (earnings release)",
        "10-K filed 2022-10-28",
    ]
    assert texts[0].url == "https://www.sec.gov/Archives/edgar/data/1067983/000032019322000000/report.htm"
    assert [company.symbols for company in await source.companies()] == [("AAPL",), ("BRK-B", "BRK-A")]
    assert [request.path for request in server.requests] == [
        "/files/company_tickers.json",
        "/submissions/CIK0001067983.json",
    ]


async def test_the_sec_is_not_asked_without_a_contact_nor_about_india() -> None:
    source = Sec(None)
    assert not source.covers(INFY)
    with pytest.raises(SourceError, match="not asked; set STOCKDESK_SEC_CONTACT"):
        await source.figures(AAPL)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(200, b"<html>Undeclared automated tool"), "another shape"),
        (Reply(403, b"<html>"), "answered 403"),
        (Reply(404), "has not got the filings of NASDAQ:AAPL"),
        (
            json_reply(
                {
                    "filings": {
                        "recent": {
                            "accessionNumber": ["1"],
                            "filingDate": [],
                            "form": [],
                            "items": [],
                            "primaryDocument": [],
                        }
                    }
                }
            ),
            "different lengths",
        ),
    ],
)
async def test_what_the_sec_refuses_or_mangles_is_one_sentence(
    server: HttpSource, host: Host, reply: Reply, reason: str
) -> None:
    server.script = sec(companyfacts(), reply)
    with pytest.raises(SourceError, match=reason):
        await Sec((host, host)).texts(AAPL, None)


async def test_a_company_s_name_finds_its_stocks_on_the_exchanges_of_the_desk(
    server: HttpSource, host: Host
) -> None:
    quotes = [
        {"symbol": "INFY.NS", "exchange": "NSI", "longname": "Infosys Limited", "quoteType": "EQUITY"},
        {"symbol": "BRK-B", "exchange": "NYQ", "shortname": "Berkshire"},
        {"symbol": "AAPL", "exchange": "NMS", "longname": "<b>App\u200ble</b>\n" + 99 * "x"},
        {"symbol": "KO", "exchange": "NYQ"},
        {"symbol": "ARKB", "exchange": "BTS"},
        {"symbol": "INFY.SG", "exchange": "STU"},
        {"symbol": "<b>", "exchange": "NYQ"},
    ]
    server.script = always(json_reply({"quotes": quotes, "news": []}))
    assert await search_yahoo(host, "infosys & co") == [
        Listing(INFY, "Infosys Limited"),
        Listing(BRK, "Berkshire"),
        Listing(AAPL, f"Apple {'x' * 90} […]"),
        Listing(Stock("KO", Exchange.NYSE), None),
        Listing(Stock("ARKB", Exchange.BATS), None),
    ]
    assert parse_qs(urlsplit(server.requests[0].target).query)["q"] == ["infosys & co"]
