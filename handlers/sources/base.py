"""What every source of prices gives, and how every source fails.

SourceError              the source answered, but not with what was asked for; asking again will not help soon
├── NotCoveredError      the source does not know the stock, or has nothing of it in the period
├── SourceBusyError      the source cannot answer now (too many requests, an outage, no connection)
└── BadDataError         the answer is not in the documented shape, or holds what cannot be
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Protocol

from handlers.stocks import Stock

if TYPE_CHECKING:  # prices alone, which every start of a server imports, need neither
    from handlers.sources.figures import FundamentalsSource
    from handlers.texts import NewText


class SourceError(Exception):
    """The source gave nothing; the message is one sentence that names source, stock and reason."""


class NotCoveredError(SourceError):
    """The source does not know the stock, or has nothing of it in the period."""


class SourceBusyError(SourceError):
    """The source cannot answer now. `retry_after` is how long it still wants to be left alone, if it said so.

    Until then the source's host refuses everyone in the same way, and sends nothing.
    """

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BadDataError(SourceError):
    """The answer is not in the documented shape, or holds what cannot be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One trading day of a stock, in the currency of its exchange.

    `close` is the price at the end of the session, with later splits worked in; `adj_close` has dividends
    worked in too, so that its changes are total returns. From a bar with a `split` on, so many shares stand for one
    of before: 4 for a split of 4 for 1. None is what the source does not give.
    """

    day: date
    close: float
    adj_close: float | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    volume: int | None = None
    split: float | None = None


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


class TextSource(Protocol):
    """News or filings. `name` is its short name in settings and results."""

    @property
    def name(self) -> str: ...

    def covers(self, stock: Stock, /) -> bool:
        """Whether the source has anything of the stock's market; else it is not asked, and nothing is said of it."""
        ...

    async def texts(self, stock: Stock, company: str | None) -> "Sequence[NewText]":
        """What was published lately on the stock, as somebody else wrote it; at least one. `company` is its name.

        Raises:
            SourceError: there is none to give.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """The sources of what comes beside prices, by kind, each kind in the order in which they are asked."""

    fundamentals: "Sequence[FundamentalsSource]" = ()
    news: Sequence[TextSource] = ()
    filings: Sequence[TextSource] = ()
