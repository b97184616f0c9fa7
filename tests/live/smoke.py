"""Does each source that needs no key answer for real? `make live-smoke`, or `.venv/bin/python tests/live/smoke.py`

It goes over the network, to the hosts that the desk asks; to the SEC only with STOCKDESK_SEC_CONTACT, your e-mail
address. Printed is a line for each source: how much came, how new it is, and one value of it; or the sentence in which
the source failed. The exit code is 1 where one of them did.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TypeAlias

import anyio
import httpx

from handlers.freshness import expected_session
from handlers.sources.base import PriceSource, SourceError, TextSource
from handlers.sources.ecb import open_ecb
from handlers.sources.figures import Concept, FundamentalsSource
from handlers.sources.http import Host
from handlers.sources.opening import Sources, SourceSettings, new_client, open_sources
from handlers.sources.pace import Pace
from handlers.sources.search import search_yahoo
from handlers.stocks import Exchange, Stock
from handlers.texts import clean_texts
from queues.clock import system_clock

STOCKS = (Stock("INFY", Exchange.NSE), Stock("AAPL", Exchange.NASDAQ))
SETTINGS = SourceSettings(
    prices=["yahoo"],
    fundamentals=["sec", "yahoo"],
    news=["google", "yahoo"],
    filings=["sec"],
    requests_per_second=2,
    sec_contact=os.environ.get("STOCKDESK_SEC_CONTACT") or None,
)

Question: TypeAlias = tuple[str, Callable[[], Awaitable[str]]]


async def prices(source: PriceSource, stock: Stock) -> str:
    last = expected_session(system_clock(), stock.exchange)
    bars = await source.daily_prices(stock, last - timedelta(days=30), last)
    close = f"close {bars[-1].close:g} {stock.exchange.currency}"
    return f"{len(bars)} sessions, newest {bars[-1].day} (expected {last}), {close}"


async def figures(source: FundamentalsSource, stock: Stock) -> str:
    found = await source.figures(stock)
    newest = max(found, key=lambda each: (each.concept is Concept.REVENUE, each.period_end))
    return f"{len(found)} figures, newest {newest.concept} to {newest.period_end}, {newest.value:,.0f} {newest.unit}"


async def texts(source: TextSource, stock: Stock) -> str:
    found, refused = clean_texts(stock, await source.texts(stock, None))
    if not found:
        raise SourceError(refused[0])
    newest = max(found, key=lambda each: each.published_at)
    return f"{len(found)} texts, newest {newest.published_at:%Y-%m-%d %H:%M} UTC, {newest.title} ({newest.source})"


async def search(client: httpx.AsyncClient) -> str:
    found = await search_yahoo(Host("Yahoo", SETTINGS.yahoo_url, client, Pace(1)), "infosys")
    return f"{len(found)} stocks: {', '.join(str(match.stock) for match in found)}"


async def rates() -> str:
    async with open_ecb(1) as newest:
        found = await newest()
    return f"{len(found.per_euro)} rates, newest {found.day}, 1 EUR = {found.per_euro['USD']} USD"


def questions(sources: Sources, client: httpx.AsyncClient) -> Iterator[Question]:
    for stock in STOCKS:
        for price in sources.prices:
            yield f"prices of {stock}, {price.name}", partial(prices, price, stock)
        for source in sources.extras.fundamentals:
            if source.covers(stock):
                yield f"figures of {stock}, {source.name}", partial(figures, source, stock)
        for source in (*sources.extras.news, *sources.extras.filings):
            if source.covers(stock):
                yield f"texts on {stock}, {source.name}", partial(texts, source, stock)
    yield "search for infosys, yahoo", partial(search, client)
    yield "exchange rates, ecb", rates


async def ask_all() -> int:
    """Ask all at once, print in the order of the questions; how many failed."""
    answers: dict[str, str] = {}
    failures: dict[str, str] = {}

    async def ask(name: str, question: Callable[[], Awaitable[str]]) -> None:
        try:
            answers[name] = await question()
        except SourceError as error:
            failures[name] = str(error)

    async with open_sources(SETTINGS) as sources, await new_client() as client:
        asked = list(questions(sources, client))
        async with anyio.create_task_group() as group:
            for name, question in asked:
                group.start_soon(ask, name, question)
    for name, _ in asked:
        said = f"ok      {answers[name]}" if name in answers else f"FAILED  {failures[name]}"
        sys.stdout.write(f"{name:<30}  {said}\n")
    return len(failures)


if __name__ == "__main__":
    sys.exit(min(anyio.run(ask_all), 1))
