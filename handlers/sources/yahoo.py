"""Yahoo's chart endpoint, as its own web pages use it: unofficial, without a key, for personal use.

`GET /v8/finance/chart/SYMBOL?period1&period2&interval=1d&events=div,splits` answers
`{"chart": {"result": [{"meta", "timestamp", "indicators": {"quote": [{…}], "adjclose": [{…}]}}], "error"}}`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, Field

from handlers.computing import compute
from handlers.sources.base import BadDataError, Bar, NotCoveredError, SourceError
from handlers.sources.http import Answer, Host, parse
from handlers.sources.soundness import require_sound
from handlers.stocks import Exchange, Stock

_DAY = timedelta(days=1)
_SUFFIXES = {Exchange.NSE: ".NS", Exchange.BSE: ".BO"}
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


class _Split(BaseModel):
    date: _Timestamp
    numerator: Annotated[float, Field(gt=0)]
    denominator: Annotated[float, Field(gt=0)]


class _Events(BaseModel):
    splits: dict[str, _Split] = {}


class _Result(BaseModel):
    meta: _Meta
    events: _Events = _Events()
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


def chart_path(symbol: str) -> str:
    return f"/v8/finance/chart/{quote(symbol, safe='')}"


class YahooSource:
    """Daily prices; `host` is Yahoo's, shared with whatever else is asked there."""

    name = "yahoo"
    citation = "Yahoo Finance chart"

    def __init__(self, host: Host) -> None:
        self._host = host

    async def daily_prices(self, stock: Stock, start: date, end: date) -> Sequence[Bar]:
        """As `PriceSource`. Yahoo's `close` has splits worked in, its `adjclose` dividends too.

        Sessions without a close are left out, and so is whatever Yahoo appends after `end`: the price of a
        session that is still open is not a close.
        """
        answer = await self._ask(stock, start, end)
        return await compute(self._history, answer, stock, start, end)

    def _history(self, answer: Answer, stock: Stock, start: date, end: date) -> Sequence[Bar]:
        result = _result(_chart(self._host, answer, stock), stock, answer.status)
        bars = _without_live_row([bar for bar in _bars(result, stock) if start <= bar.day <= end])
        if not bars:
            raise NotCoveredError(f"Yahoo has no prices of {stock} from {start} to {end}.")
        _require_currency(result.meta.currency, stock)
        bars = _with_splits(bars, result.events.splits.values(), stock)
        require_sound(bars, "Yahoo", stock)
        return bars

    async def _ask(self, stock: Stock, start: date, end: date) -> Answer:
        # Sessions carry the moment of their opening, which in both zones falls on the same day in UTC.
        query = {
            "period1": _unix(start),
            "period2": _unix(end + _DAY),
            "interval": "1d",
            "events": "div,splits",
        }
        return await self._host.get(chart_path(yahoo_symbol(stock)), str(stock), query)


def _chart(host: Host, answer: Answer, stock: Stock) -> _Answer:
    if not answer.is_success and answer.status not in _NOT_COVERED:
        raise SourceError(f"Yahoo refused the request for {stock} with status {answer.status}.")
    try:
        return parse(_Answer, answer, host, str(stock))
    except BadDataError as error:
        if answer.status == HTTPStatus.NOT_FOUND:
            raise NotCoveredError(f"Yahoo does not know {stock} ({yahoo_symbol(stock)}).") from error
        raise


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


def _with_splits(bars: Sequence[Bar], splits: Iterable[_Split], stock: Stock) -> list[Bar]:
    """Each split on the first bar from its day on; one that no bar follows yet is none of these prices."""
    found = list(bars)
    for split in splits:
        day = datetime.fromtimestamp(split.date, stock.exchange.zone).date()
        at = bisect_left(found, day, key=lambda bar: bar.day)
        if at < len(found):
            factor = split.numerator / split.denominator * (found[at].split or 1)
            found[at] = replace(found[at], split=factor)
    return found


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
