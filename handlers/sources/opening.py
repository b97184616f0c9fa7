"""The sources that the settings name, opened together: one HTTP client, one pace per host."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import anyio.to_thread
import httpx

from handlers.sources.base import PriceSource, SourceError
from handlers.sources.pace import Pace
from handlers.sources.sample import SampleSource
from handlers.sources.yahoo import YahooSource

# A year of daily prices is 60 kB and comes within a second; whoever is silent for ten is in trouble.
TIMEOUT = httpx.Timeout(10, connect=5, pool=None)  # waiting for a free connection is our own doing
# Yahoo turns the names of HTTP libraries away.
USER_AGENT = "Mozilla/5.0 (compatible; Stockdesk)"


@asynccontextmanager
async def open_sources(
    names: Sequence[str], *, yahoo_base_url: str, requests_per_second: float
) -> AsyncGenerator[Sequence[PriceSource]]:
    """The sources called `yahoo` or `sample`, in this order, for as long as the context is open.

    Raises:
        ValueError: a name that is neither.
        SourceError: the certificates cannot be read.
    """
    async with await new_client() as client:
        yahoo = YahooSource(client, Pace(requests_per_second), yahoo_base_url)
        known: dict[str, PriceSource] = {source.name: source for source in (yahoo, SampleSource())}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f"There is no price source {unknown[0]!r}; use one of {', '.join(known)}.")
        yield [known[name] for name in names]


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
