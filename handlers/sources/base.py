"""What every source of prices gives, and how it fails.

SourceError              the source answered, but not with the prices; asking again will not help soon
├── NotCoveredError      the source does not know the stock, or has no prices of it in the period
├── SourceBusyError      the source cannot answer now (too many requests, an outage, no connection)
└── BadDataError         the answer is not in the documented shape, or holds impossible prices
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Protocol

from handlers.stocks import Stock


class SourceError(Exception):
    """The source gave no prices; the message is one sentence that names source, stock and reason."""


class NotCoveredError(SourceError):
    """The source does not know the stock, or has no prices of it in the period."""


class SourceBusyError(SourceError):
    """The source cannot answer now. `retry_after` is how long it still wants to be left alone, if it said so.

    Until then the source object refuses everyone in the same way, and sends nothing.
    """

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BadDataError(SourceError):
    """The answer is not in the documented shape, or holds impossible prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One trading day of a stock, in the currency of its exchange.

    `close` is the price at the end of the session, with later splits worked in; `adj_close` has dividends
    worked in too, so that its changes are total returns. None is what the source does not give.
    """

    day: date
    close: float
    adj_close: float | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    volume: int | None = None


class PriceSource(Protocol):
    """`name` is its short name in settings and results, `citation` the words by which facts name it."""

    @property
    def name(self) -> str: ...

    @property
    def citation(self) -> str: ...

    async def daily_prices(self, stock: Stock, start: date, end: date) -> Sequence[Bar]:
        """The sessions from `start` to `end`, both included, oldest first; at least one.

        Raises:
            SourceError: there are none to give; see the tree above.
        """
        ...


def require_sound(bars: Sequence[Bar], source: str, stock: Stock) -> None:
    """Refuse what cannot be a history of prices.

    Raises:
        BadDataError: a price that is not a positive finite number, or days out of order or twice.
    """
    for bar in bars:
        for price in (bar.close, bar.adj_close, bar.open, bar.high, bar.low):
            if price is not None and not (math.isfinite(price) and price > 0):
                raise BadDataError(
                    f"{source} gives {stock} the price {price} on {bar.day}; that cannot be one."
                )
        if bar.volume is not None and bar.volume < 0:
            raise BadDataError(
                f"{source} gives {stock} the volume {bar.volume} on {bar.day}; that cannot be one."
            )
    for earlier, later in pairwise(bars):
        if earlier.day == later.day:
            raise BadDataError(f"{source} gives {stock} two prices for {later.day}.")
        if earlier.day > later.day:
            raise BadDataError(
                f"{source} gives {stock} {later.day} after {earlier.day}; the days must ascend."
            )
