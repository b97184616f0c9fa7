"""The documented answers of the sources beside prices: fundamentals, feeds of news, the SEC's files."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.standins.http_source import Reply, Request, json_reply


def timeseries(
    symbol: str, series: Mapping[str, Sequence[tuple[str, str, float] | None]], currency: str = "USD"
) -> Reply:
    """Yahoo's fundamentals: by type, points of day, period and value."""
    result: list[dict[str, Any]] = [
        {"meta": {"symbol": [symbol], "type": ["annualDilutedEPS"]}}
    ]  # of which it has none
    for name, points in series.items():
        rows = [
            point
            and {
                "dataId": 20100,
                "asOfDate": point[0],
                "periodType": point[1],
                "currencyCode": currency,
                "reportedValue": {"raw": point[2], "fmt": str(point[2])},
            }
            for point in points
        ]
        result.append(
            {"meta": {"symbol": [symbol], "type": [name]}, "timestamp": [0] * len(rows), name: rows}
        )
    return json_reply({"timeseries": {"result": result, "error": None}})


def feed(*items: str) -> Reply:
    """A feed of these items, each the inside of an `<item>`."""
    inside = "".join(f"<item>{item}</item>" for item in items)
    body = f'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>n</title>{inside}</channel></rss>'
    return Reply(200, body.encode(), {"Content-Type": "application/xml"})


def google_item(
    title: str, publisher: str, moment: str = "Tue, 27 Dec 2022 08:00:00 GMT", guid: str = ""
) -> str:
    link = f"https://news.google.com/rss/articles/{guid or title.replace(' ', '')}?oc=5"
    return (
        f"<title>{title} - {publisher}</title><link>{link}</link>"
        f'<guid isPermaLink="false">{guid or title}</guid><pubDate>{moment}</pubDate>'
        f"<description>&lt;a href=&quot;{link}&quot;&gt;{title}&lt;/a&gt;</description>"
        f'<source url="https://publisher.example">{publisher}</source>'
    )


TICKERS = json_reply(
    {
        "0": {"cik_str": 320193, "ticker": "AAPL", "title": "Apple Inc."},
        "1": {"cik_str": 1067983, "ticker": "BRK-B", "title": "BERKSHIRE HATHAWAY INC"},
        "2": {"cik_str": 1067983, "ticker": "BRK-A", "title": "BERKSHIRE HATHAWAY INC"},
    }
)


def sec_fact(
    end: str, value: float, start: str | None = None, form: str = "10-Q", filed: str = "2022-11-01"
) -> dict[str, Any]:
    fact = {
        "end": end,
        "val": value,
        "accn": "0000320193-22-000070",
        "fy": 2022,
        "fp": "Q1",
        "form": form,
        "filed": filed,
    }
    return fact if start is None else {**fact, "start": start}


def companyfacts(
    shares_at: str = "2022-10-14", filed: str = "2022-11-01", /, **facts: dict[str, list[dict[str, Any]]]
) -> Reply:
    """By tag of us-gaap, the facts of each unit; and the number of shares of one day."""
    tags = {tag: {"label": tag, "description": None, "units": units} for tag, units in facts.items()}
    counts = [sec_fact(shares_at, 15e9, filed=filed)]
    shares = {"EntityCommonStockSharesOutstanding": {"units": {"shares": counts}}}
    return json_reply({"cik": 320193, "entityName": "Apple Inc.", "facts": {"dei": shares, "us-gaap": tags}})


def submissions(*filings: tuple[str, str, str]) -> Reply:
    """Filings of day, form and items."""
    recent = {
        "accessionNumber": [f"0000320193-22-{n:06}" for n in range(len(filings))],
        "filingDate": [day for day, _, _ in filings],
        "form": [form for _, form, _ in filings],
        "items": [items for _, _, items in filings],
        "primaryDocument": ["report.htm"] * len(filings),
    }
    return json_reply({"cik": "320193", "name": "Apple Inc.", "filings": {"recent": recent, "files": []}})


def sec(facts: Reply, filings: Reply | None = None) -> Any:
    """The SEC's two hosts as one."""
    replies = {
        "company_tickers.json": TICKERS,
        "companyfacts": facts,
        "submissions": filings or submissions(),
    }

    def script(request: Request) -> Reply:
        return next(reply for part, reply in replies.items() if part in request.path)

    return script
