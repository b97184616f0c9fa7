"""Which prices are new enough.

`now` is always the desk's clock: with the sample, it stands on the sample's last day.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from math import inf

from handlers.market_calendar import session_of
from handlers.prices import FetchOutcome, last_fetch
from handlers.stocks import Exchange, Stock
from queues.database import Transaction

# Sources give a closing auction's price some minutes after it; an hour is early enough for a person.
GRACE = timedelta(hours=1)


def expected_session(now: datetime, exchange: Exchange) -> date:
    """The last session whose prices can be expected at `now`, by the market's calendar."""
    day = now.astimezone(exchange.zone).date()
    while (session := session_of(day, exchange)) is None or session.closes_at + GRACE > now:
        day -= timedelta(days=1)
    return day


def is_fresh(tx: Transaction, stock: Stock, now: datetime) -> bool:
    """Whether a source was asked for the last expected session and gave prices.

    What it gave may be older than that session: then the exchange was closed on a day that the calendar does not
    know of, and nothing newer exists.
    """
    fetched = last_fetch(tx, stock, FetchOutcome.FETCHED)
    return fetched is not None and fetched.through >= expected_session(now, stock.exchange)


def was_asked_for(tx: Transaction, stock: Stock, now: datetime) -> bool:
    """Whether the sources were asked for the last expected session, whatever came of it."""
    fetch = last_fetch(tx, stock)
    return fetch is not None and fetch.through >= expected_session(now, stock.exchange)


def oldest_first(tx: Transaction, stocks: Sequence[Stock]) -> list[Stock]:
    """The same stocks, those first whose prices were never fetched, then by the time of their last fetch."""

    def fetched_at(stock: Stock) -> float:
        fetch = last_fetch(tx, stock, FetchOutcome.FETCHED)
        return -inf if fetch is None else fetch.at.timestamp()

    return sorted(stocks, key=fetched_at)
