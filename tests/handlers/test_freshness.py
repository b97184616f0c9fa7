"""When prices can be expected, and when what is stored is new enough."""

from datetime import UTC, date, datetime, timedelta

import pytest

from handlers.freshness import expected_session, is_fresh, oldest_first
from handlers.prices import (
    Fetch,
    FetchOutcome,
    last_fetch,
    log_fetched,
    log_missing,
    newest_day,
    store_bars,
)
from handlers.sources.base import Bar
from handlers.sources.sample import sample_last_day
from handlers.stocks import Exchange, Stock
from queues.database import Database
from tests.handlers.conftest import MovableClock
from tests.handlers.fetching import stored_bars

INFY = Stock("INFY", Exchange.NSE)
START = date(2022, 12, 28)


@pytest.mark.parametrize(
    ("now", "exchange", "session"),
    [
        # Wednesday 2022-12-28. NSE closes at 10:00 UTC, New York at 21:00; an hour later their prices are due.
        ("2022-12-28T10:59:59Z", Exchange.NSE, "2022-12-27"),
        ("2022-12-28T11:00:00Z", Exchange.NSE, "2022-12-28"),
        ("2022-12-28T21:59:59Z", Exchange.NYSE, "2022-12-27"),
        ("2022-12-28T22:00:00Z", Exchange.NYSE, "2022-12-28"),
        # In summer New York closes at 20:00 UTC; 2022-07-01 was a Friday.
        ("2022-07-01T21:00:00Z", Exchange.NASDAQ, "2022-07-01"),
        ("2022-07-01T20:59:59Z", Exchange.NASDAQ, "2022-06-30"),
        # A weekend, and Monday before the close.
        ("2022-07-03T23:00:00Z", Exchange.BSE, "2022-07-01"),
        ("2022-07-04T03:00:00Z", Exchange.BSE, "2022-07-01"),
        # New York kept Independence Day, a Monday.
        ("2022-07-05T03:00:00Z", Exchange.NYSE, "2022-07-01"),
        # Tuesday in UTC is Monday evening in New York.
        ("2022-07-12T01:00:00Z", Exchange.NYSE, "2022-07-11"),
    ],
)
def test_the_expected_session_is_the_last_one_whose_prices_are_due(
    now: str, exchange: Exchange, session: str
) -> None:
    assert expected_session(datetime.fromisoformat(now), exchange) == date.fromisoformat(session)


@pytest.mark.parametrize("exchange", Exchange)
def test_in_the_last_minute_of_the_sample_s_last_day_its_last_session_is_expected(exchange: Exchange) -> None:
    day = sample_last_day()
    assert expected_session(datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC), exchange) == day


def test_a_stock_is_fresh_from_its_fetch_until_the_next_prices_are_due(database: Database) -> None:
    def fresh_at(moment: datetime) -> bool:
        return database.read_now(lambda tx: is_fresh(tx, INFY, moment))

    assert not fresh_at(datetime(2022, 12, 28, 12, tzinfo=UTC))
    database.write_now(lambda tx: log_fetched(tx, INFY, "test", date(2022, 12, 28), "fetch-1"))
    assert fresh_at(datetime(2022, 12, 29, 10, 59, tzinfo=UTC))
    assert not fresh_at(datetime(2022, 12, 29, 11, tzinfo=UTC))


def test_prices_asked_for_before_a_close_are_not_fresh_after_it(database: Database) -> None:
    database.write_now(lambda tx: log_fetched(tx, INFY, "test", date(2022, 12, 27), "fetch-1"))
    assert not database.read_now(lambda tx: is_fresh(tx, INFY, datetime(2022, 12, 28, 12, tzinfo=UTC)))


def test_on_a_holiday_the_prices_of_the_day_before_are_fresh_once_asked_for(database: Database) -> None:
    # Monday 2022-12-26: New York is closed, and Friday's is the newest bar that exists.
    apple = Stock("AAPL", Exchange.NASDAQ)
    database.write_now(lambda tx: store_bars(tx, apple, [Bar(day=date(2022, 12, 23), close=131.0)], "test"))
    database.write_now(lambda tx: log_fetched(tx, apple, "test", date(2022, 12, 26), "fetch-1"))
    assert database.read_now(lambda tx: is_fresh(tx, apple, datetime(2022, 12, 26, 23, tzinfo=UTC)))


def test_a_fetch_that_found_nothing_makes_nothing_fresh(database: Database) -> None:
    database.write_now(lambda tx: log_missing(tx, INFY, "unknown", date(2022, 12, 28), "fetch-1"))
    assert not database.read_now(lambda tx: is_fresh(tx, INFY, datetime(2022, 12, 28, 12, tzinfo=UTC)))


def test_a_later_failure_leaves_fresh_what_was_fetched_before(database: Database) -> None:
    database.write_now(lambda tx: log_fetched(tx, INFY, "test", date(2022, 12, 28), "fetch-1"))
    database.write_now(lambda tx: log_missing(tx, INFY, "down", date(2022, 12, 28), "fetch-2"))
    assert database.read_now(lambda tx: is_fresh(tx, INFY, datetime(2022, 12, 28, 12, tzinfo=UTC)))
    assert database.read_now(lambda tx: last_fetch(tx, INFY)) == Fetch(
        outcome=FetchOutcome.MISSING,
        through=date(2022, 12, 28),
        task_id="fetch-2",
        at=database.clock(),
        source=None,
        reason="down",
    )


def test_the_newest_fetch_of_a_day_wins_and_other_days_stay(database: Database) -> None:
    first = Bar(day=date(2022, 12, 27), close=10.0, adj_close=9.5, open=9.0, high=11.0, low=8.5, volume=100)
    second = Bar(day=date(2022, 12, 28), close=11.0)
    corrected = Bar(day=date(2022, 12, 28), close=11.5, volume=7)
    database.write_now(lambda tx: store_bars(tx, INFY, [first, second], "a"))
    database.write_now(lambda tx: store_bars(tx, INFY, [corrected], "b"))
    assert stored_bars(database, INFY) == [first, corrected]
    assert database.read_now(lambda tx: newest_day(tx, INFY)) == date(2022, 12, 28)
    assert database.read_now(lambda tx: newest_day(tx, Stock("INFY", Exchange.BSE))) is None


def test_the_oldest_prices_come_first_and_those_that_were_never_fetched_before_them(
    database: Database, clock: MovableClock
) -> None:
    stocks = [Stock(symbol, Exchange.NSE) for symbol in ("A", "B", "C", "D", "E")]
    for stock in (stocks[3], stocks[0]):
        database.write_now(lambda tx, stock=stock: log_fetched(tx, stock, "test", START, "fetch-1"))
        clock.now += timedelta(minutes=1)
    database.write_now(lambda tx: log_missing(tx, stocks[2], "down", START, "fetch-2"))
    ordered = database.read_now(lambda tx: oldest_first(tx, stocks))
    assert [stock.symbol for stock in ordered] == ["B", "C", "E", "D", "A"]
