"""When the exchanges trade: sessions, holidays and early closes of NSE, BSE and the New York exchanges.

Holidays come from the library `holidays`, whose tables follow the circulars of NSE and BSE and the rules of NYSE.
Regular hours are those that the exchanges publish: NSE and BSE 09:15-15:30, New York 09:30-16:00.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import cast

from handlers.stocks import Exchange

_SATURDAY = 5
# The last year whose holidays were announced when this was written. India's follow the moon, and the exchanges
# announce them each December for the next year; those of New York follow rules and are announced years ahead.
_KNOWN_THROUGH = {"INR": 2026, "USD": 2028}
# Announced after the year's list, so that the library has them not: elections, days of mourning, moved feasts.
# True is a session on a listed holiday. As the library exchange_calendars has them for Bombay.
_ANNOUNCED_LATER: Mapping[date, bool] = {
    date(2014, 4, 24): False,
    date(2014, 10, 15): False,
    date(2015, 10, 23): True,
    date(2019, 4, 29): False,
    date(2019, 10, 21): False,
    date(2023, 6, 28): True,
    date(2023, 6, 29): False,
    date(2024, 1, 22): False,
    date(2024, 5, 20): False,
    date(2024, 11, 20): False,
    date(2026, 1, 15): False,
}
_CODES = {
    Exchange.NSE: "XNSE",
    Exchange.BSE: "XBOM",
    Exchange.NASDAQ: "XNAS",
    Exchange.NYSE: "XNYS",
    Exchange.ARCA: "XNYS",
    Exchange.AMEX: "XNYS",
    Exchange.BATS: "XNYS",
}


@dataclass(frozen=True, slots=True)
class Session:
    """The regular hours of one day of trade; aware, in the exchange's own zone."""

    opens_at: datetime
    closes_at: datetime


def known_through(exchange: Exchange) -> int:
    """The last year whose holidays are known; after it, each weekday counts as a session."""
    return _KNOWN_THROUGH[exchange.currency]


def is_session(day: date, exchange: Exchange) -> bool:
    """Whether the exchange trades on this day; sessions at a weekend or on the evening of a feast do not count."""
    if day.weekday() >= _SATURDAY:
        return False
    if exchange.currency == "INR" and day in _ANNOUNCED_LATER:
        return _ANNOUNCED_LATER[day]
    return day.year > known_through(exchange) or day not in _holidays(exchange, day.year)


def session_of(day: date, exchange: Exchange) -> Session | None:
    """The hours of that day's session, if there is one."""
    if not is_session(day, exchange):
        return None
    opens, closes = (time(9, 15), time(15, 30)) if exchange.currency == "INR" else (time(9, 30), time(16))
    if day in _early_closes(exchange, day.year):
        closes = time(13)
    return Session(datetime.combine(day, opens, exchange.zone), datetime.combine(day, closes, exchange.zone))


def next_session(day: date, exchange: Exchange) -> date:
    """The first day of trade after this one."""
    day += timedelta(days=1)
    while not is_session(day, exchange):
        day += timedelta(days=1)
    return day


def load_holidays() -> None:
    """Load the library with the tables of all exchanges, which takes a fifth of a second."""
    for exchange in Exchange:
        _holidays(exchange, known_through(exchange))


@cache
def _holidays(exchange: Exchange, year: int) -> frozenset[date]:
    return _listed(exchange, year, "public")


@cache
def _early_closes(exchange: Exchange, year: int) -> frozenset[date]:
    """Days on which New York closes at 13:00."""
    known = exchange.currency == "USD" and year <= known_through(exchange)
    return _listed(exchange, year, "half_day") if known else frozenset()


def _listed(exchange: Exchange, year: int, category: str) -> frozenset[date]:
    # Imported with the first question: it takes a fifth of a second, which no start of a server should pay.
    from holidays import financial_holidays  # noqa: PLC0415

    days = financial_holidays(_CODES[exchange], years=year, categories=(category,))
    return frozenset(cast("Mapping[date, str]", days))
