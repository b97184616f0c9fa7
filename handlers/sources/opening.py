"""The sources that the settings name, opened together: one HTTP client, one pace per host, one cache."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread
import httpx

from handlers.computing import nothing_collected
from handlers.market_calendar import load_holidays
from handlers.sources.base import Extras, PriceSource, SourceError, TextSource
from handlers.sources.cache import Cache
from handlers.sources.figures import FundamentalsSource
from handlers.sources.folder import FolderSource
from handlers.sources.http import Host
from handlers.sources.news import GoogleNews, YahooNews
from handlers.sources.pace import Pace
from handlers.sources.sample import SampleSource
from handlers.sources.sec import Sec
from handlers.sources.yahoo import YahooSource
from handlers.sources.yahoo_fundamentals import YahooFundamentals

if TYPE_CHECKING:  # it imports the live brokers
    from handlers.sources.kite import KiteAccess

# A year of daily prices is 60 kB and comes within a second; whoever is silent for ten is in trouble.
TIMEOUT = httpx.Timeout(10, connect=5, pool=None)  # waiting for a free connection is our own doing
# Yahoo turns the names of HTTP libraries away.
USER_AGENT = "Mozilla/5.0 (compatible; Stockdesk)"
# What the SEC documents; the others say nothing, and get what the settings say.
_SEC_PER_SECOND = 10.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """Names of sources by kind, each kind in the order in which they are asked, and what they need.

    The source `kite` is there with `kite` alone, which says whose session it is asked with.
    Where the sample gives all prices nothing is asked of the network: today's news are not of the sample's day.
    """

    prices: Sequence[str]
    fundamentals: Sequence[str] = ()
    news: Sequence[str] = ()
    filings: Sequence[str] = ()
    requests_per_second: float
    prices_folder: Path | None = None
    cache_folder: Path | None = None
    sec_contact: str | None = None
    kite: "KiteAccess | None" = None
    yahoo_url: str = "https://query2.finance.yahoo.com"
    yahoo_feeds_url: str = "https://feeds.finance.yahoo.com"
    google_url: str = "https://news.google.com"
    sec_files_url: str = "https://www.sec.gov"
    sec_data_url: str = "https://data.sec.gov"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    prices: Sequence[PriceSource]
    extras: Extras


@asynccontextmanager
async def open_sources(settings: SourceSettings) -> AsyncGenerator[Sources]:
    """The sources that these settings name, for as long as the context is open.

    Raises:
        ValueError: a name that is none.
        SourceError: the certificates cannot be read.
    """
    with nothing_collected():  # neither now nor later, which would hold up the event loop
        await anyio.to_thread.run_sync(load_holidays)
    cache = None if settings.cache_folder is None else Cache(settings.cache_folder)
    async with await new_client() as client, AsyncExitStack() as stack:
        more: list[PriceSource] = []
        if settings.kite is not None:
            from handlers.sources.kite import open_kite  # noqa: PLC0415 (see above)

            kite = open_kite(settings.kite, settings.requests_per_second, cache)
            more.append(await stack.enter_async_context(kite))
        yield _sources(settings, client, cache, more)


def _sources(
    settings: SourceSettings, client: httpx.AsyncClient, cache: Cache | None, more: Sequence[PriceSource]
) -> Sources:
    pace = settings.requests_per_second
    yahoo = Host("Yahoo", settings.yahoo_url, client, Pace(pace), cache=cache)
    yahoo_feeds = Host("Yahoo", settings.yahoo_feeds_url, client, Pace(pace), cache=cache)
    google = Host("Google News", settings.google_url, client, Pace(pace), cache=cache)
    sec = Sec(_sec_hosts(settings, client, cache))
    prices: list[PriceSource] = [YahooSource(yahoo), SampleSource(), *more]
    if settings.prices_folder is not None:
        prices.append(FolderSource(settings.prices_folder))
    fundamentals: list[FundamentalsSource] = [sec, YahooFundamentals(yahoo)]
    news: list[TextSource] = [GoogleNews(google), YahooNews(yahoo_feeds)]
    extras = Extras(
        fundamentals=_named(settings.fundamentals, {source.name: source for source in fundamentals}),
        news=_named(settings.news, {source.name: source for source in news}),
        filings=_named(settings.filings, {sec.name: sec}),
    )
    only_sample = set(settings.prices) == {SampleSource.name}
    return Sources(
        prices=_named(settings.prices, {source.name: source for source in prices}),
        extras=Extras() if only_sample else extras,
    )


def _named(names: Sequence[str], known: Mapping[str, _T]) -> list[_T]:
    for name in names:
        if name not in known:
            raise ValueError(f"There is no source {name!r}; use one of {', '.join(known)}.")
    return [known[name] for name in names]


def _sec_hosts(
    settings: SourceSettings, client: httpx.AsyncClient, cache: Cache | None
) -> tuple[Host, Host] | None:
    if settings.sec_contact is None:
        return None
    pace = Pace(min(settings.requests_per_second, _SEC_PER_SECOND))
    headers = {"User-Agent": f"Stockdesk {settings.sec_contact}"}
    files, data = (
        Host("The SEC", url, client, pace, cache=cache, headers=headers)
        for url in (settings.sec_files_url, settings.sec_data_url)
    )
    return files, data


async def new_client() -> httpx.AsyncClient:
    """The client of all sources; to be used as a context.

    Raises:
        SourceError: the certificates cannot be read.
    """
    headers = {"User-Agent": USER_AGENT}
    try:
        # In a thread: reading the certificates takes a while.
        return await anyio.to_thread.run_sync(lambda: httpx.AsyncClient(timeout=TIMEOUT, headers=headers))
    except OSError as error:
        raise SourceError(
            f"The certificates for HTTPS cannot be read ({error}); correct or unset SSL_CERT_FILE, "
            "then start Stockdesk anew."
        ) from error
