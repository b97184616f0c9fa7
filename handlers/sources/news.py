"""Headlines from feeds of news (RSS 2.0): Google News by locale, and Yahoo's feed of a stock. Neither needs a key.

What they hold is somebody else's words: it goes into the store of texts alone, and no number is taken from it.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from handlers.computing import compute
from handlers.sources.base import BadDataError, NotCoveredError, SourceError
from handlers.sources.http import Answer, Host
from handlers.sources.yahoo import yahoo_symbol
from handlers.stocks import Stock
from handlers.texts import NewText

# Google asks readers of its feeds to wait a minute at least; a desk that judges once a day can wait longer.
_KEEP = timedelta(hours=1)
# More than an analyst is shown of a stock.
_MOST = 20
_LEGAL_FORM = re.compile(
    r"[\s,]+(?:ltd|limited|inc|incorporated|corp|corporation|co|company|plc|llc)\.?$", re.IGNORECASE
)


class GoogleNews:
    name = "google"

    def __init__(self, host: Host) -> None:
        self._host = host

    def covers(self, _: Stock) -> bool:
        return True

    async def texts(self, stock: Stock, company: str | None) -> Sequence[NewText]:
        """As `TextSource`: headlines of the last week that name the company; without its name, the symbol."""
        country = "IN" if stock.exchange.currency == "INR" else "US"
        wanted = f'"{_spoken(company)}"' if company else f'"{stock.symbol}" stock'
        query = {
            "q": f"{wanted} when:7d",
            "hl": f"en-{country}",
            "gl": country,
            "ceid": f"{country}:en",
        }
        return await _news(self._host, "/rss/search", query, stock)


class YahooNews:
    name = "yahoo"

    def __init__(self, host: Host) -> None:
        self._host = host

    def covers(self, _: Stock) -> bool:
        return True

    async def texts(self, stock: Stock, company: str | None) -> Sequence[NewText]:  # noqa: ARG002 (the protocol's)
        """As `TextSource`, by symbol, with the summary that Yahoo gives."""
        query = {"s": yahoo_symbol(stock), "region": "US", "lang": "en-US"}
        return await _news(self._host, "/rss/2.0/headline", query, stock)


def _spoken(company: str) -> str:
    """The name without its legal form, as headlines have it; quotes would end the phrase."""
    return _LEGAL_FORM.sub("", company.replace('"', " ").strip())


async def _news(host: Host, path: str, query: dict[str, str], stock: Stock) -> Sequence[NewText]:
    answer = await host.get(path, f"news on {stock}", query, keep=_KEEP)
    if not answer.is_success:
        raise SourceError(f"{host.name} answered {answer.status} for news on {stock}.")
    return await compute(lambda: _texts(_feed(answer, host, stock), host, stock))


def _feed(answer: Answer, host: Host, stock: Stock) -> Element:
    try:
        feed = fromstring(answer.body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:  # the last two: its encoding
        raise BadDataError(f"{host.name}'s news on {stock} are no feed that can be read: {error}.") from error
    if feed.tag != "rss":
        raise BadDataError(f"{host.name}'s news on {stock} are no RSS feed, but {feed.tag[:40]!r}.")
    return feed


def _texts(feed: Element, host: Host, stock: Stock) -> list[NewText]:
    """The newest items, each once; one without a title or a date is nothing that could be cited."""
    by_guid = {
        item.findtext("guid") or item.findtext("link") or text.title: text
        for item in feed.iter("item")
        for text in _text(item, host)
    }
    newest = sorted(by_guid.values(), key=lambda text: text.published_at, reverse=True)[:_MOST]
    if not newest:
        raise NotCoveredError(f"{host.name} has no news on {stock}.")
    return newest


def _text(item: Element, host: Host) -> Iterator[NewText]:
    title, publisher = (item.findtext(name, "").strip() for name in ("title", "source"))
    published_at = _moment(item.findtext("pubDate", ""))
    if not title or published_at is None:
        return
    yield NewText(
        kind="news",
        title=title.removesuffix(f" - {publisher}"),
        # Google's description is the title once more, as a link.
        body="" if publisher else item.findtext("description", ""),
        source=publisher or host.name,
        url=item.findtext("link"),
        published_at=published_at,
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text.strip())
    except ValueError:
        return None
    # RFC 5322, 3.3: "-0000" is UTC of which the zone is not known.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
