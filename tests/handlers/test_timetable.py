"""When schedules fire, in zones that shift their clocks and on days of trade; and what they enqueue."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from handlers.brokers.reader import read_holdings
from handlers.market_calendar import is_session
from handlers.portfolio import store_snapshot
from handlers.stocks import Exchange
from handlers.timetable import DeskTimetable, Rule
from queues.database import Database, Transaction
from queues.inspection import tasks_of_run
from queues.lifecycle import take_over
from queues.model import JsonObject, QueueName
from queues.schedules import Firing, fire, firings_of, store_schedule
from tests.handlers.conftest import MovableClock

START = datetime(2024, 1, 1, tzinfo=UTC)
INDIA = {"cron": "45 8 * * *", "timezone": "Asia/Kolkata", "trading_days_of": "NSE"}


def times(count: int, after: str, **rule: Any) -> list[str]:
    """Its next times, in the rule's own zone."""
    made = Rule.model_validate(rule)
    found = islice(made.times_after(datetime.fromisoformat(after)), count)
    return [time.astimezone(made.zone).isoformat(timespec="minutes") for time in found]


def test_trading_days_only_means_no_weekend_and_no_holiday() -> None:
    # Friday; then a weekend; Tuesday 2026-11-24 is Guru Nanak Jayanti.
    assert times(4, "2026-11-20T00:00Z", **INDIA) == [
        "2026-11-20T08:45+05:30",
        "2026-11-23T08:45+05:30",
        "2026-11-25T08:45+05:30",
        "2026-11-26T08:45+05:30",
    ]


def test_a_trading_day_is_the_exchange_s_own_wherever_the_user_lives() -> None:
    # Monday 20:00 in New York is Tuesday in Mumbai, which is a holiday there.
    rule = {"cron": "0 20 * * *", "timezone": "America/New_York", "trading_days_of": "NSE"}
    assert times(2, "2026-11-22T12:00Z", **rule) == ["2026-11-22T20:00-05:00", "2026-11-24T20:00-05:00"]


def test_a_time_that_summer_time_leaves_out_comes_right_after_the_gap() -> None:
    # In New York, 2026-03-08 has no 02:30.
    assert times(3, "2026-03-07T12:00Z", cron="30 2 * * *", timezone="America/New_York") == [
        "2026-03-08T03:00-04:00",
        "2026-03-09T02:30-04:00",
        "2026-03-10T02:30-04:00",
    ]


def test_a_time_that_comes_twice_fires_once() -> None:
    # 2026-11-01 has two 01:30 in New York.
    assert times(3, "2026-10-31T12:00Z", cron="30 1 * * *", timezone="America/New_York") == [
        "2026-11-01T01:30-04:00",
        "2026-11-02T01:30-05:00",
        "2026-11-03T01:30-05:00",
    ]


@given(
    moment=st.integers(0, 3 * 365 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes)),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=st.sampled_from(["Asia/Kolkata", "America/New_York", "Europe/London", "Australia/Lord_Howe", "UTC"]),
    exchange=st.sampled_from([None, *Exchange]),
)
def test_times_ascend_lie_in_the_future_fire_once_a_day_and_only_on_trading_days(
    moment: datetime, hour: int, minute: int, zone: str, exchange: Exchange | None
) -> None:
    rule = Rule(cron=f"{minute} {hour} * * *", timezone=zone, trading_days_of=exchange)
    found = list(islice(rule.times_after(moment), 10))
    assert found == sorted(set(found))
    assert found[0] > moment
    days = [time.astimezone(rule.zone).date() for time in found]
    assert len(set(days)) == len(days)
    if exchange is not None:
        assert all(is_session(rule.day_of(time), exchange) for time in found)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cron": "45 8 * *"}, "must have five fields, like '45 8 * * 1-5'"),
        ({"cron": "61 8 * * *"}, "cannot be read: Bad minute"),
        ({"cron": "* * * * *"}, "comes again after 1 minutes; at least 15 must lie between"),
        ({"cron": "0,10 8 * * *"}, "comes again after 10 minutes"),
        ({"cron": "0 8 31 2 *"}, "cannot be read: Bad day-of-month"),
        ({"cron": "0 8 * * 6"}, "falls on no trading day of NSE"),
        ({"timezone": "Mumbai"}, "'Mumbai' is no time zone; write one like Asia/Kolkata"),
        ({"timezone": "../etc/passwd"}, "is no time zone"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(change: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Rule.model_validate(INDIA | change)
    assert complaint in str(refused.value)


class Desk:
    """A desk with two holdings, and a schedule that fires at once."""

    def __init__(self, database: Database, clock: MovableClock) -> None:
        self.database, self.clock = database, clock
        self.timetable = DeskTimetable(
            clock=clock, stocks_per_session=2, session_deadline=timedelta(minutes=5)
        )
        self.epoch = database.write_now(lambda tx: take_over(tx, "test"))

    def hold(self, symbols: str) -> None:
        rows = "".join(f"\n{symbol},1,10" for symbol in symbols.split())
        file = read_holdings(f"symbol,quantity,average price{rows}", Exchange.NSE)
        self.database.write_now(lambda tx: store_snapshot(tx, "main", file.holdings, "test.csv", "sync-0"))

    def fire(self, queue: QueueName, payload: JsonObject) -> Firing:
        """Let the schedule's time come, midnight in UTC."""

        def put(tx: Transaction) -> None:
            rule = {"cron": "0 0 * * *", "timezone": "UTC"}
            store_schedule(tx, self.timetable, name="x", queue=queue, rule=rule, payload=payload, is_on=True)

        self.database.write_now(put)
        self.clock.now = self.clock.now.replace(hour=0, minute=0) + timedelta(days=1)
        self.database.write_now(lambda tx: fire(tx, self.timetable, "x", self.epoch))
        return self.database.read_now(lambda tx: firings_of(tx, "x"))[0]

    def tasks(self, firing: Firing) -> list[tuple[str, Any]]:
        assert firing.run_id is not None
        run_id = firing.run_id
        found = self.database.read_now(lambda tx: tasks_of_run(tx, run_id))
        return [(task.queue.value, task.payload.get("stocks")) for task in found]


@pytest.fixture
def desk(database: Database, clock: MovableClock) -> Desk:
    return Desk(database, clock)


def test_a_scheduled_sync_reads_its_file_and_asks_for_the_review(desk: Desk) -> None:
    firing = desk.fire(
        QueueName.PORTFOLIO_SYNC, {"path": "/data/holdings.csv", "then_review": True, "analyst": "baseline"}
    )
    assert firing.detail == "1 task"
    assert [queue for queue, _ in desk.tasks(firing)] == ["portfolio_sync"]


def test_a_scheduled_fetch_is_of_all_that_is_held_then(desk: Desk) -> None:
    desk.hold("INFY TCS")
    assert desk.tasks(desk.fire(QueueName.DATA_FETCHER, {})) == [("data_fetcher", ["NSE:INFY", "NSE:TCS"])]


def test_a_scheduled_analysis_fetches_what_is_stale_and_is_queued_once(desk: Desk) -> None:
    desk.hold("INFY TCS")
    first = desk.fire(QueueName.AI_ANALYSIS, {"analyst": "claude"})
    assert desk.tasks(first) == [
        ("data_fetcher", ["NSE:INFY", "NSE:TCS"]),
        ("ai_analysis", ["NSE:INFY", "NSE:TCS"]),
    ]
    again = desk.fire(QueueName.AI_ANALYSIS, {"analyst": "claude"})
    assert (again.run_id, again.detail) == (None, "All of it was queued already.")


def test_what_it_meets_in_the_queue_was_asked_for_anew(desk: Desk) -> None:
    desk.hold("INFY TCS")
    first = desk.fire(QueueName.AI_ANALYSIS, {"analyst": "claude"})
    again = desk.fire(QueueName.AI_ANALYSIS, {"analyst": "claude"})
    assert first.run_id is not None
    run_id = first.run_id
    tasks = desk.database.read_now(lambda tx: tasks_of_run(tx, run_id))
    assert [task.asked_at for task in tasks if task.queue is QueueName.AI_ANALYSIS] == [again.ended_at]


@pytest.mark.parametrize("queue", [QueueName.DATA_FETCHER, QueueName.AI_ANALYSIS])
def test_where_nothing_is_held_it_says_so(desk: Desk, queue: QueueName) -> None:
    firing = desk.fire(queue, {})
    assert (firing.outcome, firing.run_id, firing.detail) == ("fired", None, "Nothing is held.")
