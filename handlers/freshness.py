"""Which prices are new enough.

`now` is always the desk's clock: with the sample, it stands on the sample's last day.
"""

from datetime import date, datetime, time, timedelta

from handlers.prices import FetchOutcome, last_fetch
from handlers.stocks import Exchange, Stock
from queues.database import Transaction

# Sources give a closing auction's price some minutes after it; an hour is early enough for a person.
GRACE = timedelta(hours=1)

_SATURDAY = 5


def closing_time(exchange: Exchange) -> time:
    """When a regular session ends, in the exchange's own zone."""
    return time(15, 30) if exchange in (Exchange.NSE, Exchange.BSE) else time(16)


def prices_due(day: date, exchange: Exchange) -> datetime:
    """The moment from which the prices of that day's session can be expected."""
    return datetime.combine(day, closing_time(exchange), exchange.zone) + GRACE


def expected_session(now: datetime, exchange: Exchange) -> date:
    """The last weekday whose prices can be expected at `now`; holidays count too, see `is_fresh`."""
    day = now.astimezone(exchange.zone).date()
    while day.weekday() >= _SATURDAY or prices_due(day, exchange) > now:
        day -= timedelta(days=1)
    return day


def is_fresh(tx: Transaction, stock: Stock, now: datetime) -> bool:
    """Whether a source was asked for the last expected session and gave prices.

    What it gave may be older than that session: then that was a holiday, and nothing newer exists.
    """
    fetched = last_fetch(tx, stock, FetchOutcome.FETCHED)
    return fetched is not None and fetched.through >= expected_session(now, stock.exchange)


def was_asked_for(tx: Transaction, stock: Stock, now: datetime) -> bool:
    """Whether the sources were asked for the last expected session, whatever came of it."""
    fetch = last_fetch(tx, stock)
    return fetch is not None and fetch.through >= expected_session(now, stock.exchange)
