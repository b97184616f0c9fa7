"""Kite Connect's daily candles of NSE and BSE, asked with the session of a live account.

`GET /instruments/EXCHANGE` answers CSV, made anew each morning; `GET /instruments/historical/TOKEN/day?from&to`
answers `{"status": "success", "data": {"candles": [[timestamp, open, high, low, close, volume], …]}}`. Source:
kite.trade/docs/connect/v3, chapters Market quotes and instruments, Historical candle data, Exceptions and errors.
"""

import csv
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

import anyio
import httpx
from pydantic import AwareDatetime, BaseModel, Field

from handlers.brokers.live.asking import BrokerError, Route, open_client
from handlers.brokers.live.credentials import Broker
from handlers.brokers.live.kite import KITE_URL, KiteAccount, login_link, what_kite_says
from handlers.brokers.live.syncing import Brokers, kite_account
from handlers.brokers.live.vault import VaultError
from handlers.computing import compute
from handlers.instruments import InstrumentsError
from handlers.portfolio import accounts
from handlers.sources.base import BadDataError, Bar, NotCoveredError, SourceError
from handlers.sources.cache import Cache
from handlers.sources.http import Answer, Host, parse
from handlers.sources.pace import Pace
from handlers.sources.soundness import require_sound
from handlers.stocks import Exchange, Stock
from queues.clock import Clock, system_clock
from queues.database import Transaction

_EXCHANGES = frozenset({Exchange.NSE, Exchange.BSE})
_PER_SECOND = 3.0  # "historical candle" in the chapter on rate limits
_KEEP_LIST = timedelta(days=1)
# So that a locked keyring, or a session that has ended, holds up a fetch of 500 stocks once and not 500 times.
_KEEP_SESSION_SECONDS = 60.0
_PATH = re.compile(r"/instruments/(NSE|BSE|historical/[0-9]{1,10}/day)")
_TOKEN = re.compile(r"[0-9]{1,10}")
_COLUMNS = ("instrument_token", "tradingsymbol", "segment")
# Trade for trade, and small companies: NSE lists a stock in one series at a time, which Kite adds to the symbol.
_SERIES = ("", "-BE", "-BZ", "-SM", "-ST")

_Moment = Annotated[
    AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(2100, 1, 1, tzinfo=UTC))
]
_Volume = Annotated[int, Field(lt=2**63)]


class _Data(BaseModel):
    candles: list[tuple[_Moment, float, float, float, float, _Volume]]


class _Candles(BaseModel):
    data: _Data


class _Reading:
    """The two requests of this module, which cannot be listed: a path holds the number of an instrument."""

    def __contains__(self, route: object) -> bool:
        return isinstance(route, Route) and route.method == "GET" and _PATH.fullmatch(route.path) is not None


READING = _Reading()


@dataclass(frozen=True, slots=True, kw_only=True)
class KiteAccess:
    """What the source needs of the desk; `accounts` names the accounts that are read live from Kite.

    The session is that of the only such account; where there are none or several, that of `main`.
    """

    brokers: Callable[[], Awaitable[Brokers]]
    accounts: Callable[[], Awaitable[Sequence[str]]]
    url: str = KITE_URL
    clock: Clock = system_clock


def live_accounts(tx: Transaction) -> list[str]:
    """The desk's accounts whose holdings came from Kite itself, by their source; see handlers/portfolio_sync.py."""
    return [account.name for account in accounts(tx) if account.source.startswith(f"{Broker.KITE} live")]


@dataclass(frozen=True, slots=True)
class _List:
    """Kite's number of each stock of an exchange, by Kite's own symbol."""

    tokens: Mapping[str, str]
    fetched_at: datetime


class KiteSource:
    """Daily prices; `client` can send the requests of this module alone."""

    name = "kite"
    citation = "Kite Connect historical candles"

    def __init__(
        self,
        host: Host,
        client: httpx.AsyncClient,
        access: KiteAccess,
        monotonic: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._host = host
        self._client = client
        self._access = access
        self._monotonic = monotonic
        self._lists: dict[Exchange, _List] = {}
        self._listing = anyio.Lock()
        self._looking = anyio.Lock()
        self._look_again_at = 0.0
        self._session: KiteAccount | str = ""

    async def daily_prices(self, stock: Stock, start: date, end: date) -> Sequence[Bar]:
        """As `PriceSource`. Kite works splits and bonus shares into its prices, and no dividends: no `adj_close`."""
        if stock.exchange not in _EXCHANGES:
            raise NotCoveredError(f"Kite has prices of NSE and BSE only, and none of {stock}.")
        path = f"/instruments/historical/{await self._token(stock)}/day"
        query = {"from": f"{start} 00:00:00", "to": f"{end} 23:59:59"}
        answer = await self._ask(path, str(stock), query)
        return await compute(self._history, answer, stock, start, end)

    def _history(self, answer: Answer, stock: Stock, start: date, end: date) -> Sequence[Bar]:
        bars = [
            Bar(
                day=moment.astimezone(stock.exchange.zone).date(),
                close=close,
                open=open_,
                high=high,
                low=low,
                volume=volume,
            )
            for moment, open_, high, low, close, volume in parse(
                _Candles, answer, self._host, str(stock)
            ).data.candles
        ]
        bars = [bar for bar in bars if start <= bar.day <= end]
        if not bars:
            raise NotCoveredError(f"Kite has no prices of {stock} from {start} to {end}.")
        require_sound(bars, "Kite", stock)
        return bars

    async def _token(self, stock: Stock) -> str:
        async with self._listing:  # who comes meanwhile needs the same list
            tokens = await self._tokens(stock.exchange)
        for series in _SERIES if stock.exchange is Exchange.NSE else _SERIES[:1]:
            if stock.symbol + series in tokens:
                return tokens[stock.symbol + series]
        raise NotCoveredError(f"Kite does not list {stock}; is it renamed or delisted?")

    async def _tokens(self, exchange: Exchange) -> Mapping[str, str]:
        known = self._lists.get(exchange)
        if known is None or self._host.now() - known.fetched_at >= _KEEP_LIST:
            path, subject = f"/instruments/{exchange}", f"the instruments of {exchange}"
            answer = await self._ask(path, subject, keep=_KEEP_LIST)
            known = _List(await compute(_listed, answer.body, exchange), answer.fetched_at)
            self._lists[exchange] = known
        return known.tokens

    async def _ask(
        self, path: str, subject: str, query: Mapping[str, str] | None = None, keep: timedelta | None = None
    ) -> Answer:
        account = await self._logged_in()
        key, token = account.credentials.api_key, account.credentials.access_token
        self._client.headers["Authorization"] = f"token {key}:{token}"
        answer = await self._host.get(path, subject, query, keep)
        if not answer.is_success:
            raise SourceError(self._refusal(answer, subject, account))
        return answer

    async def _logged_in(self) -> KiteAccount:
        async with self._looking:
            if self._monotonic() >= self._look_again_at:
                self._session = await self._find_session()
                self._look_again_at = self._monotonic() + _KEEP_SESSION_SECONDS
        if isinstance(self._session, str):
            raise SourceError(self._session)
        return self._session

    async def _find_session(self) -> KiteAccount | str:
        names = await self._access.accounts()
        name = names[0] if len(names) == 1 else "main"
        try:
            return await kite_account(name, await self._access.brokers(), self._access.clock())
        except (BrokerError, VaultError, InstrumentsError) as error:
            return str(error)

    def _refusal(self, answer: Answer, subject: str, account: KiteAccount) -> str:
        said = what_kite_says(answer.body, account.credentials)
        is_forbidden = answer.status == HTTPStatus.FORBIDDEN
        if said.error_type == "TokenException" or (is_forbidden and not said.error_type):
            link = login_link(account.name, account.credentials)
            self._session = f"Kite's session of {account.name} has ended: {link}."
            return self._session
        if is_forbidden:
            self._session = (
                f"Kite gives the app of {account.name} no prices (403 {said.message}); subscribe it to historical "
                "data at the Kite Connect developer site, or take kite out of STOCKDESK_PRICE_SOURCES."
            )
            return self._session
        return f"Kite refused the request for {subject} ({answer.status} {said.message})."


@asynccontextmanager
async def open_kite(access: KiteAccess, per_second: float, cache: Cache | None) -> AsyncGenerator[KiteSource]:
    """The source with a client of its own: whatever is no reading of prices raises before it is sent."""
    async with open_client(access.url, READING) as client:
        pace = Pace(min(per_second, _PER_SECOND))
        host = Host("Kite", access.url, client, pace, cache=cache, headers={"X-Kite-Version": "3"})
        yield KiteSource(host, client, access)


def _listed(body: bytes, exchange: Exchange) -> Mapping[str, str]:
    """The stocks of Kite's list, which holds indices in another segment; with one bad row it is refused whole."""
    subject = f"Kite's list of {exchange}"
    try:
        rows = csv.reader(body.decode("utf-8-sig").splitlines(), strict=True)
        header = [name.strip() for name in next(rows, list[str]())]
        if not set(_COLUMNS) <= set(header):
            raise BadDataError(f"{subject} lacks one of the columns {', '.join(_COLUMNS)} in its first line.")
        token, symbol, segment = map(header.index, _COLUMNS)
        tokens: dict[str, str] = {}
        for row in rows:
            if len(row) != len(header) or not _TOKEN.fullmatch(row[token]):
                raise BadDataError(f"{subject} is broken in line {rows.line_num}.")
            if row[segment] == exchange:
                tokens[row[symbol]] = row[token]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadDataError(f"{subject} cannot be read: {error}.") from error
    if not tokens:
        raise BadDataError(f"{subject} holds no stock.")
    return tokens
