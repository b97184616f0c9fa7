"""When the exchanges trade."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from handlers.market_calendar import is_session, known_through, next_session, session_of
from handlers.stocks import Exchange
from tests.oracles import require_oracle

# On the evening of Diwali, Bombay trades for an hour. The oracle counts these as sessions, the others not.
EVENINGS = {date(2010, 11, 5), date(2011, 10, 26), date(2012, 11, 13)}


@pytest.mark.parametrize(
    ("day", "exchange", "trades"),
    [
        (date(2026, 11, 10), Exchange.NSE, False),  # Diwali Balipratipada
        (date(2026, 11, 11), Exchange.NSE, True),
        (date(2024, 5, 20), Exchange.BSE, False),  # elections in Mumbai, announced in April
        (date(2023, 6, 28), Exchange.NSE, True),  # Bakri Id, moved to the day after
        (date(2023, 6, 29), Exchange.NSE, False),
        (date(2026, 7, 3), Exchange.NYSE, False),  # 4 July is a Saturday
        (date(2024, 5, 20), Exchange.NASDAQ, True),
        (date(2025, 1, 9), Exchange.ARCA, False),  # mourning for President Carter
        (date(2026, 11, 22), Exchange.NSE, False),  # a Sunday
    ],
)
def test_holidays_are_no_sessions(day: date, exchange: Exchange, *, trades: bool) -> None:
    assert is_session(day, exchange) is trades


def test_the_hours_are_those_of_the_exchange_in_summer_and_in_winter() -> None:
    summer, winter = session_of(date(2026, 7, 1), Exchange.NYSE), session_of(date(2026, 12, 1), Exchange.NYSE)
    assert summer is not None
    assert winter is not None
    assert (summer.opens_at, summer.closes_at) == (
        datetime(2026, 7, 1, 13, 30, tzinfo=UTC),
        datetime(2026, 7, 1, 20, tzinfo=UTC),
    )
    assert winter.closes_at == datetime(2026, 12, 1, 21, tzinfo=UTC)
    india = session_of(date(2026, 7, 1), Exchange.NSE)
    assert india is not None
    assert (india.opens_at, india.closes_at) == (
        datetime(2026, 7, 1, 3, 45, tzinfo=UTC),
        datetime(2026, 7, 1, 10, tzinfo=UTC),
    )


def test_new_york_closes_early_on_the_day_after_thanksgiving() -> None:
    session = session_of(date(2026, 11, 27), Exchange.NASDAQ)
    assert session is not None
    assert session.closes_at == datetime(2026, 11, 27, 18, tzinfo=UTC)


@pytest.mark.parametrize("exchange", Exchange)
def test_beyond_the_known_years_every_weekday_is_a_session(exchange: Exchange) -> None:
    first = date(known_through(exchange) + 1, 1, 1)
    year = [first + timedelta(days=each) for each in range(365)]
    assert [is_session(day, exchange) for day in year] == [day.weekday() < 5 for day in year]


def test_the_next_session_passes_over_weekends_and_holidays() -> None:
    assert next_session(date(2026, 12, 24), Exchange.NSE) == date(2026, 12, 28)
    assert next_session(date(2026, 12, 31), Exchange.NYSE) == date(2027, 1, 4)


@pytest.mark.filterwarnings("ignore")  # the oracle's own, of the newest pandas
@pytest.mark.parametrize(
    ("exchange", "oracle"), [(Exchange.NSE, "XBOM"), (Exchange.BSE, "XBOM"), (Exchange.NYSE, "XNYS")]
)
def test_seventeen_years_of_sessions_are_those_of_an_independent_calendar(
    exchange: Exchange, oracle: str
) -> None:
    calendars = require_oracle("exchange_calendars")
    calendar = calendars.get_calendar(oracle, start="2010-01-01", end="2026-12-31")
    theirs = {session.date() for session in calendar.sessions} - (EVENINGS if oracle == "XBOM" else set())
    weekdays = {day for day in theirs if day.weekday() < 5}
    assert len(weekdays) > 4000
    assert {day for day in _days() if is_session(day, exchange)} == weekdays
    if oracle == "XNYS":
        early = {session.date() for session in calendar.early_closes}
        assert {day for day in _days() if _closes_early(day, exchange)} == early


def _days() -> Iterator[date]:
    day = date(2010, 1, 1)
    while day < date(2027, 1, 1):
        yield day
        day += timedelta(days=1)


def _closes_early(day: date, exchange: Exchange) -> bool:
    session = session_of(day, exchange)
    return session is not None and session.closes_at.hour == 13
