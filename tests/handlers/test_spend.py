"""The desk's day, what its sessions may cost together, and how their cost adds up."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.day import day_of, spoken
from handlers.grouping import Grouping
from handlers.ledger import ledger
from handlers.migrations import domain_migrations
from handlers.spend import budget_for_next_session, spent_between, was_cut_short_by_the_day
from queues.database import Database
from queues.holds import current_holds
from queues.model import QueueName, TaskState
from queues.moments import to_micros
from queues.outcome import Snooze
from queues.scheduler import engine_migrations
from tests.handlers.conftest import NOW, TaskRunner

KOLKATA, BERLIN = ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Berlin")
ZONES = [
    "Asia/Kolkata",
    "Europe/Berlin",
    "America/New_York",
    "Africa/Cairo",
    "America/Havana",
    "Pacific/Apia",
]
LIMITS: dict[str, Any] = {"daily_usd": 20.0, "session_usd": 1.0, "zone": KOLKATA}
ids = count()


def add_session(database: Database, at: datetime = NOW, **chosen: object) -> None:
    values: Mapping[str, object] = {
        "session_id": f"s{next(ids)}",
        "task_id": "analysis-1",
        "run_id": "analysis-1",
        "claim": 1,
        "model": "sonnet",
        "stocks": '["NSE:INFY","NSE:TCS"]',
        "prompt_version": "1",
        "started_at": to_micros(at),
        "ended_as": "Finished",
        "duration": 60_000_000,
        "cost_usd": 0.5,
        "budget_usd": 1.0,
        **chosen,
    }
    columns = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    database.write_now(lambda tx: tx.run(f"INSERT INTO sessions ({columns}) VALUES ({marks})", **values))


def next_budget(database: Database, now: datetime = NOW, **chosen: Any) -> float | Snooze:
    return database.read_now(lambda tx: budget_for_next_session(tx, now=now, **{**LIMITS, **chosen}))


@pytest.mark.parametrize(
    ("noon", "hours"),
    [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)],
    ids=["clocks go forward", "clocks go back", "an ordinary day"],
)
def test_a_day_is_as_long_as_its_clocks_make_it(noon: tuple[int, int, int], hours: int) -> None:
    start, end = day_of(datetime(*noon, 12, tzinfo=BERLIN), BERLIN)
    assert end - start == timedelta(hours=hours)
    assert start.astimezone(BERLIN).hour == end.astimezone(BERLIN).hour == 0


@given(
    moment=st.datetimes(datetime(2011, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (hypothesis wants naive bounds)
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_every_moment_lies_in_one_day_and_the_next_begins_where_it_ends(
    moment: datetime, zone: ZoneInfo
) -> None:
    start, end = day_of(moment, zone)
    assert start <= moment < end
    assert day_of(start, zone) == day_of(end - timedelta(microseconds=1), zone) == (start, end)
    assert day_of(end, zone)[0] == end


def test_without_a_zone_the_day_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Europe/Berlin")
        time.tzset()
        here = [day_of(datetime(2026, month, 25, 12, tzinfo=UTC), None) for month in (3, 10)]
    time.tzset()
    assert here == [day_of(datetime(2026, month, 25, 12, tzinfo=UTC), BERLIN) for month in (3, 10)]


def test_a_moment_is_spoken_in_the_zone_and_dated_where_it_is_not_today() -> None:
    assert spoken(NOW, KOLKATA, now=NOW) == "05:00 IST"
    assert spoken(NOW + timedelta(days=1), KOLKATA, now=NOW) == "2022-12-30 05:00 IST"


def test_a_review_over_midnight_spends_the_budget_of_two_days(database: Database) -> None:
    _, midnight = day_of(NOW, KOLKATA)
    for minutes in range(-20, 20, 5):
        add_session(database, midnight + timedelta(minutes=minutes), cost_usd=4.9)
    before, after = midnight - timedelta(minutes=1), midnight + timedelta(minutes=30)
    for moment in (before, after):
        day = day_of(moment, KOLKATA)
        spending = database.read_now(lambda tx, day=day: spent_between(tx, *day, session_usd=1))
        assert (spending.sessions, spending.reported_usd) == (4, pytest.approx(19.6))
    held = next_budget(database, before)
    assert isinstance(held, Snooze)
    assert held.hold is not None
    assert held.hold.until == midnight


@pytest.mark.parametrize(
    "unknown",
    [
        {"ended_as": None, "duration": None, "cost_usd": None},
        {"cost_usd": None},
        {"cost_usd": 0.1, "at_least": 1},
    ],
    ids=["runs", "died", "was lost sight of"],
)
def test_an_unknown_cost_counts_as_the_limit_of_its_session(
    database: Database, unknown: dict[str, Any]
) -> None:
    add_session(database, budget_usd=0.75, **unknown)
    spending = database.read_now(lambda tx: spent_between(tx, *day_of(NOW, KOLKATA), session_usd=1))
    assert (spending.at_most_usd, spending.unknown) == (0.75, 1)


def test_a_session_that_did_not_start_cost_nothing(database: Database) -> None:
    add_session(database, ended_as="LaunchFailed", cost_usd=None)
    assert next_budget(database, daily_usd=1.0) == 1.0


def test_the_first_session_of_a_day_gets_what_its_limit_and_the_budget_allow(database: Database) -> None:
    assert next_budget(database) == 1.0
    assert next_budget(database, daily_usd=0.3) == 0.3


def test_a_session_gets_what_is_left_where_that_is_less_than_its_limit(database: Database) -> None:
    add_session(database, cost_usd=0.2)
    assert next_budget(database, daily_usd=0.6) == pytest.approx(0.4)


@pytest.mark.parametrize(("dearest", "starts"), [(0.33, True), (0.34, False)])
def test_a_session_starts_only_if_one_and_a_half_of_the_dearest_is_left(
    database: Database, dearest: float, starts: bool
) -> None:
    add_session(database, NOW - timedelta(days=2), cost_usd=dearest)
    add_session(database, cost_usd=0.3)
    budget = next_budget(database, daily_usd=0.8)
    assert isinstance(budget, float) is starts


def test_the_hold_says_what_was_spent_and_when_and_how_it_goes_on(database: Database) -> None:
    add_session(database, cost_usd=19.8)
    add_session(database, cost_usd=None)
    held = next_budget(database)
    assert isinstance(held, Snooze)
    assert held.hold is not None
    assert held.hold.source == "daily_budget=20"
    assert (held.until, held.hold.until) == (None, day_of(NOW, KOLKATA)[1])
    assert held.reason == held.hold.reason
    for said in (
        "$20.80",
        "1 of unknown cost",
        "$20.00 of STOCKDESK_DAILY_BUDGET_USD",
        "2022-12-30 00:00 IST",
    ):
        assert said in held.reason


def test_a_day_that_is_spent_costs_a_task_no_attempt(database: Database, running_task: TaskRunner) -> None:
    add_session(database, cost_usd=20.0)
    held = next_budget(database)
    assert isinstance(held, Snooze)
    task = running_task.end(running_task(QueueName.AI_ANALYSIS, {}), held)
    _, tomorrow = day_of(NOW, KOLKATA)
    assert (task.state, task.attempt, task.asked_at) == (TaskState.QUEUED, 0, tomorrow)
    (hold,) = database.read_now(lambda tx: current_holds(tx, QueueName.AI_ANALYSIS))
    assert (hold.source, hold.until) == ("daily_budget=20", tomorrow)
    assert next_budget(database, tomorrow) == 1.0


def test_only_a_remainder_of_the_day_is_cut_short_by_it() -> None:
    assert was_cut_short_by_the_day(0.4, daily_usd=20, session_usd=1)
    assert not was_cut_short_by_the_day(1.0, daily_usd=20, session_usd=1)
    assert not was_cut_short_by_the_day(0.5, daily_usd=0.5, session_usd=1)


SESSIONS = st.lists(
    st.fixed_dictionaries(
        {
            "run_id": st.sampled_from(["analysis-1", "sync-2"]),
            "model": st.sampled_from(["sonnet", "haiku"]),
            "stocks": st.lists(
                st.sampled_from(["NSE:A", "NSE:B", "NYSE:C"]), min_size=1, max_size=3, unique=True
            ).map(json.dumps),
            "cost_usd": st.none() | st.floats(0, 3),
            "turns": st.none() | st.integers(0, 12),
            "input_tokens": st.none() | st.integers(0, 100_000),
            "output_tokens": st.none() | st.integers(0, 9_999),
            "at_least": st.booleans(),
            "started_at": st.integers(0, 5 * 86_400).map(lambda s: to_micros(NOW - timedelta(seconds=s))),
        }
    ),
    max_size=12,
)


@given(sessions=SESSIONS, zone=st.sampled_from(ZONES).map(ZoneInfo))
def test_the_groups_add_up_to_the_total(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[dict[str, Any]], zone: ZoneInfo
) -> None:
    database = _fresh(tmp_path_factory.mktemp("desk"))
    try:
        for session in sessions:
            add_session(database, **session)
        period: dict[str, Any] = {
            "start": NOW - timedelta(days=30),
            "end": NOW + timedelta(days=1),
            "zone": zone,
        }
        groupings: list[Grouping] = ["day", "run", "stock", "model"]
        found = {
            each: database.read_now(lambda tx, each=each: ledger(tx, each, **period)) for each in groupings
        }
    finally:
        database.close()
    for grouping, result in found.items():
        counted = {"sessions", "at_least", "unknown_cost"} if grouping == "stock" else set[str]()
        for name, whole in asdict(result.total).items():
            parts = sum(getattr(sums, name) for _, sums in result.groups)
            assert parts == whole if name not in counted else parts >= whole
    assert found["day"].total.sessions == len(sessions)
    cost = sum(session["cost_usd"] or 0 for session in sessions)
    assert found["day"].total.cost == pytest.approx(cost * 1e6, abs=len(sessions))


def _fresh(folder: Path) -> Database:
    migrations = {"queues": engine_migrations(), "handlers": domain_migrations()}
    return Database(folder / "desk.db", migrations)
