"""Kite Connect's prices on loopback, in the documented shapes, and the source as it asks for them."""

import gzip
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx
import pytest

from handlers.brokers.live.syncing import Brokers
from handlers.sources.base import Bar, SourceError
from handlers.sources.cache import Cache
from handlers.sources.http import Host
from handlers.sources.kite import KiteAccess, KiteSource
from handlers.sources.pace import Pace
from handlers.stocks import Exchange, Stock
from tests.handlers.conftest import NOW, MovableClock
from tests.standins.brokers import KEY, TOKEN, kite_error
from tests.standins.http_source import HttpSource, Reply, Request, chart, json_reply

INFY = Stock("INFY", Exchange.NSE)
# Read once: HTTP has no use for them, and a client of its own reads them for a twentieth of a second.
CERTIFICATES = ssl.create_default_context()
MONDAY, WEDNESDAY = date(2022, 12, 26), date(2022, 12, 28)
LINK = f"log in at https://kite.zerodha.com/connect/login?v=3&api_key={KEY}, then run `stockdesk login kite`"
ENDED = f"Kite's session of main has ended: {LINK}."
NO_PRICES = (
    "Kite gives the app of main no prices (403 Insufficient permission for that call, [hidden].); subscribe it to "
    "historical data at the Kite Connect developer site, or take kite out of STOCKDESK_PRICE_SOURCES."
)
HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange"
)
LISTED = {"NSE": "INFY M&M BAJAJ-AUTO NEWCO-BE SMALLCO-SM SMALLCO-N1", "BSE": "INFY NEWCO-BE"}


def csv_of(*rows: str) -> Reply:
    """The dump as Kite sends it: compressed."""
    body = gzip.compress("\n".join([HEADER, *rows, ""]).encode(), mtime=0)
    return Reply(200, body, {"Content-Type": "text/csv", "Content-Encoding": "gzip"})


def row(token: str, symbol: str, segment: str = "NSE") -> str:
    return f'{token},1594,{symbol},"INFOSYS, LTD",0,,,0.05,1,EQ,{segment},NSE'


def dump(exchange: str) -> Reply:
    """NSE's numbers are 100 and so on, BSE's 200; an index has a segment of its own."""
    first = {"NSE": 100, "BSE": 200}[exchange]
    rows = [row(str(first + at), symbol, exchange) for at, symbol in enumerate(LISTED[exchange].split())]
    return csv_of(row("256265", "NIFTY 50", "INDICES"), *rows)


def candles(*rows: Sequence[Any]) -> Reply:
    return json_reply({"status": "success", "data": {"candles": rows}})


def day(of_month: int, close: float = 1504.5, volume: Any = 2499) -> list[Any]:
    return [f"2022-12-{of_month}T00:00:00+0530", 1500, 1512.4, 1498.05, close, volume]


@dataclass(slots=True)
class Market:
    """A script for `HttpSource`: knows one token, a list of each exchange, and one history; else it is Yahoo."""

    history: Reply = field(default_factory=lambda: candles(day(26), day(27), day(28)))
    listed: Reply | None = None
    token: str = TOKEN

    def __call__(self, request: Request) -> Reply:
        match request.path.split("/")[1:]:
            case ["instruments", *_] if request.headers["Authorization"] != f"token {KEY}:{self.token}":
                return kite_error("TokenException", f"Token {self.token} is invalid", 403)
            case ["instruments", "historical", _, "day"]:
                return self.history
            case ["instruments", exchange]:
                return self.listed or dump(exchange)
            case _:
                return chart(request)


def access_to(desk: Brokers, *names: str) -> KiteAccess:
    async def known() -> Brokers:
        return desk

    async def live() -> Sequence[str]:
        return names

    return KiteAccess(brokers=known, accounts=live, url=desk.kite_url, clock=lambda: NOW)


@asynccontextmanager
async def source_of(
    desk: Brokers, clock: MovableClock, *live: str, cache: Cache | None = None
) -> AsyncGenerator[KiteSource]:
    """The source as the desk uses it, without waiting between requests; all its time is `clock`."""
    async with httpx.AsyncClient(timeout=10, verify=CERTIFICATES) as client:
        headers = {"X-Kite-Version": "3"}
        pace = Pace(1e6)
        host = Host("Kite", desk.kite_url, client, pace, cache=cache, headers=headers, clock=clock)
        yield KiteSource(host, client, access_to(desk, *live), lambda: clock().timestamp())


async def ask(kite: KiteSource, stock: Stock = INFY) -> Sequence[Bar]:
    return await kite.daily_prices(stock, MONDAY, WEDNESDAY)


async def refusal(kite: KiteSource) -> str:
    with pytest.raises(SourceError) as caught:
        await ask(kite)
    assert type(caught.value) is SourceError
    return str(caught.value)


def paths(server: HttpSource) -> list[str]:
    return [request.path.removeprefix("/instruments") for request in server.requests]
