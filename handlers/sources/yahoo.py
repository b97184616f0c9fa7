"""Yahoo's chart endpoint, as its own web pages use it: unofficial, without a key, for personal use.

`GET /v8/finance/chart/SYMBOL?period1&period2&interval=1d&events=div,splits` answers
`{"chart": {"result": [{"meta", "timestamp", "indicators": {"quote": [{…}], "adjclose": [{…}]}}], "error"}}`.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import anyio
import httpx
from pydantic import BaseModel, Field, ValidationError

from handlers.sources.base import (
    BadDataError,
    Bar,
    NotCoveredError,
    SourceBusyError,
    SourceError,
    require_sound,
)
from handlers.sources.pace import Pace
from handlers.stocks import Exchange, Stock

_DAY = timedelta(days=1)
# What a server asks for is honoured up to here; beyond, a wrong clock or header is more likely.
_LONGEST_PAUSE = timedelta(hours=6)
_SUFFIXES = {Exchange.NSE: ".NS", Exchange.BSE: ".BO"}
_BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
# "Data doesn't exist for startDate" comes with 400 or 422, an unknown symbol with 404.
_NOT_COVERED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY})

_Numbers = list[float | None]
# Until 2100: a timestamp in milliseconds would be a date that no calendar holds.
_Timestamp = Annotated[int, Field(ge=0, lt=4_102_444_800)]


class _Meta(BaseModel):
    currency: str | None = None


class _Quote(BaseModel):
    open: _Numbers | None = None
    high: _Numbers | None = None
    low: _Numbers | None = None
    close: _Numbers | None = None
    volume: list[int | None] | None = None


class _AdjClose(BaseModel):
    adjclose: _Numbers


class _Indicators(BaseModel):
    quote: list[_Quote]
    adjclose: list[_AdjClose] = []


class _Result(BaseModel):
    meta: _Meta
    timestamp: list[_Timestamp] = []
    indicators: _Indicators


class _Error(BaseModel):
    code: str
    description: str | None = None


class _Chart(BaseModel):
    result: list[_Result] | None = None
    error: _Error | None = None


class _Answer(BaseModel):
    chart: _Chart


def yahoo_symbol(stock: Stock) -> str:
    """`INFY.NS`, `INFY.BO`; in the US the class of a share follows a hyphen: `BRK.B` is `BRK-B`."""
    suffix = _SUFFIXES.get(stock.exchange)
    return stock.symbol.replace(".", "-") if suffix is None else stock.symbol + suffix


def chart_url(base_url: str, symbol: str) -> str:
    return f"{base_url.rstrip('/')}/v8/finance/chart/{quote(symbol, safe='')}"


class YahooSource:
    """One shared client and one pace for all stocks. The client brings the timeouts.

    Once Yahoo has asked to be left alone, nothing is sent until that time has passed, whoever asks for what.
    """

    name = "yahoo"
    citation = "Yahoo Finance chart"

    def __init__(
        self,
        client: httpx.AsyncClient,
        pace: Pace,
        base_url: str,
        monotonic: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._client = client
        self._pace = pace
        self._base_url = base_url
        self._monotonic = monotonic
        self._rests_until = 0.0

    async def daily_prices(self, stock: Stock, start: date, end: date) -> Sequence[Bar]:
        """As `PriceSource`. Yahoo's `close` has splits worked in, its `adjclose` dividends too.

        Sessions without a close are left out, and so is whatever Yahoo appends after `end`: the price of a
        session that is still open is not a close.
        """
        response = await self._get(stock, start, end)
        self._heed(response)
        result = _result(_answer(response, stock), stock, response.status_code)
        bars = _without_live_row([bar for bar in _bars(result, stock) if start <= bar.day <= end])
        if not bars:
            raise NotCoveredError(f"Yahoo has no prices of {stock} from {start} to {end}.")
        _require_currency(result.meta.currency, stock)
        require_sound(bars, "Yahoo", stock)
        return bars

    async def _get(self, stock: Stock, start: date, end: date) -> httpx.Response:
        # Sessions carry the moment of their opening, which in both zones falls on the same day in UTC.
        query = {
            "period1": _unix(start),
            "period2": _unix(end + _DAY),
            "interval": "1d",
            "events": "div,splits",
        }
        url = chart_url(self._base_url, yahoo_symbol(stock))
        self._require_awake(stock)
        await self._pace.turn()
        self._require_awake(stock)  # an answer may have come while this one waited for its turn
        try:
            return await self._client.get(url, params=query)
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise SourceBusyError(f"Yahoo did not answer for {stock}: {reason}.") from error
        except httpx.RequestError as error:
            raise BadDataError(f"Yahoo's answer for {stock} cannot be read: {error}.") from error

    def _heed(self, response: httpx.Response) -> None:
        pause = _retry_after(response) if _is_busy(response) else None
        if pause is not None:
            self._rests_until = max(self._rests_until, self._monotonic() + pause.total_seconds())

    def _require_awake(self, stock: Stock) -> None:
        left = self._rests_until - self._monotonic()
        if left > 0:
            raise SourceBusyError(
                f"Yahoo was not asked for {stock}: it wants to be left alone for another {left:.0f} s.",
                timedelta(seconds=left),
            )


def _is_busy(response: httpx.Response) -> bool:
    return response.status_code in _BUSY or response.is_server_error


def _answer(response: httpx.Response, stock: Stock) -> _Answer:
    status = response.status_code
    if _is_busy(response):
        raise SourceBusyError(f"Yahoo answered {status} for {stock}.", _retry_after(response))
    if response.is_success or status in _NOT_COVERED:
        try:
            return _Answer.model_validate_json(response.content, strict=True)
        except ValidationError as error:
            if status == HTTPStatus.NOT_FOUND:
                raise NotCoveredError(f"Yahoo does not know {stock} ({yahoo_symbol(stock)}).") from error
            problem = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in problem["loc"]) or "body"
            raise BadDataError(
                f"Yahoo's answer for {stock} has another shape: {place}: {problem['msg']}."
            ) from error
    raise SourceError(f"Yahoo refused the request for {stock} with status {status}.")


def _result(answer: _Answer, stock: Stock, status: int) -> _Result:
    error = answer.chart.error
    if error is not None:
        said = f"{error.code}: {error.description}" if error.description else error.code
        if status in _NOT_COVERED or error.code == "Not Found":
            raise NotCoveredError(f"Yahoo has nothing for {stock} ({yahoo_symbol(stock)}): {said}.")
        raise SourceError(f"Yahoo refused the request for {stock}: {said}.")
    if not answer.chart.result:
        raise BadDataError(f"Yahoo's answer for {stock} holds neither a result nor an error.")
    return answer.chart.result[0]


def _bars(result: _Result, stock: Stock) -> list[Bar]:
    """The rows that have a close; the others are sessions without a trade, which Yahoo gives as null."""
    count = len(result.timestamp)
    if not count:
        return []
    if len(result.indicators.quote) != 1:
        raise BadDataError(
            f"Yahoo's answer for {stock} holds {len(result.indicators.quote)} quotes instead of 1."
        )
    quote_ = result.indicators.quote[0]
    adjusted = result.indicators.adjclose[0].adjclose if result.indicators.adjclose else None
    columns = [quote_.close, adjusted, quote_.open, quote_.high, quote_.low, quote_.volume]
    if quote_.close is None or any(column is not None and len(column) != count for column in columns):
        raise BadDataError(f"Yahoo's answer for {stock} holds {count} days, but not as many prices.")
    none: list[None] = [None] * count
    rows = zip(result.timestamp, *(column or none for column in columns), strict=True)
    return [
        Bar(
            day=datetime.fromtimestamp(moment, stock.exchange.zone).date(),
            close=close,
            adj_close=adj_close,
            open=open_ or None,  # Yahoo gives 0 for a day of which it has only the close
            high=high or None,
            low=low or None,
            volume=None if volume is None else int(volume),
        )
        for moment, close, adj_close, open_, high, low, volume in rows
        if close is not None
    ]


def _without_live_row(bars: Sequence[Bar]) -> Sequence[Bar]:
    """After the close Yahoo may give the last session twice, the newer row last; that one is kept.

    Source: github.com/ranaroussi/yfinance issues 573 and 1070, github.com/pydata/pandas-datareader issue 610.
    """
    twice = len(bars) > 1 and bars[-1].day == bars[-2].day
    return [*bars[:-2], bars[-1]] if twice else bars


def _require_currency(currency: str | None, stock: Stock) -> None:
    """`GBp` and the like are hundredths; what the exchange does not quote in is not taken for it."""
    if currency != stock.exchange.currency:
        raise BadDataError(
            f"Yahoo gives {stock} in {currency}, but {stock.exchange} quotes in {stock.exchange.currency}."
        )


def _unix(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


def _retry_after(response: httpx.Response) -> timedelta | None:
    """Seconds, or a date (RFC 9110, 10.2.3), which counts from the server's own `Date`."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), _LONGEST_PAUSE)
    try:
        pause = parsedate_to_datetime(value) - parsedate_to_datetime(response.headers.get("Date", ""))
    except (ValueError, TypeError):  # TypeError: one of them without a zone
        return None
    return min(max(pause, timedelta()), _LONGEST_PAUSE)
