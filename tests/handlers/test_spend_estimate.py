"""What waits is estimated from what ran before, and from nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from handlers.analysis_task import analysis_task
from handlers.batches import plan_batches
from handlers.estimate import Estimate, Terms, estimate
from handlers.stocks import Exchange, Stock
from handlers.verdict import AnalystChoice
from queues.database import Database
from queues.model import Task
from queues.store import enqueue
from tests.handlers.conftest import NOW
from tests.handlers.test_spend import KOLKATA, add_session

STOCKS = [Stock(f"S{number}", Exchange.NSE) for number in range(81)]
TERMS = Terms(analyst="claude", model="sonnet", session_usd=1.0, daily_usd=20.0, zone=KOLKATA)
YESTERDAY = NOW - timedelta(days=1)
NOON = datetime(2022, 12, 29, 6, 30, tzinfo=UTC)  # in Kolkata


def queue(
    database: Database, stocks: list[Stock], *, priority: int = 0, analyst: AnalystChoice | None = None
) -> list[Task]:
    new = [analysis_task(each, priority=priority, analyst=analyst) for each in plan_batches(stocks, 2)]
    return [each.task for each in database.write_now(lambda tx: enqueue(tx, new))]


def estimated(
    database: Database, tasks: list[Task], terms: Terms = TERMS, now: datetime = NOW
) -> Estimate | None:
    return database.read_now(lambda tx: estimate(tx, tasks, terms, now))


def test_without_history_nothing_is_known_but_the_limit(database: Database) -> None:
    found = estimated(database, queue(database, STOCKS))
    assert found == Estimate(
        sessions=40,
        stocks=81,
        ahead=0,
        low_usd=None,
        high_usd=None,
        at_most_usd=40.0,
        learned_from=0,
        unlearned=40,
        span=None,
        left_today_usd=20.0,
        wait=None,
    )


def test_the_range_is_that_of_like_sessions(database: Database) -> None:
    for cents in range(10, 21):
        add_session(database, YESTERDAY, cost_usd=cents / 100)
    add_session(database, YESTERDAY, cost_usd=9.0, model="opus")
    add_session(database, YESTERDAY, cost_usd=0.9, stocks='["NSE:A"]')
    add_session(database, YESTERDAY, cost_usd=0.01, at_least=1)
    found = estimated(database, queue(database, STOCKS[:4]))
    assert found is not None
    assert (found.low_usd, found.high_usd) == (pytest.approx(0.22), pytest.approx(0.38))
    assert (found.learned_from, found.unlearned) == (11, 0)


def test_a_size_that_has_not_run_counts_from_nothing_to_its_limit(database: Database) -> None:
    add_session(database, YESTERDAY, cost_usd=0.1)
    found = estimated(database, queue(database, STOCKS))
    assert found is not None
    assert found.unlearned == 1
    assert (found.low_usd, found.high_usd) == (pytest.approx(3.9), pytest.approx(4.9))


def test_what_runs_before_is_in_the_time(database: Database) -> None:
    add_session(database, YESTERDAY)
    queue(database, STOCKS[:2])
    queue(database, STOCKS[2:4], priority=-1)
    queue(database, STOCKS[4:6], analyst="baseline")
    found = estimated(database, queue(database, STOCKS[6:10]))
    assert found is not None
    assert (found.ahead, found.span) == (1, timedelta(minutes=3))


def test_rules_cost_nothing(database: Database) -> None:
    assert estimated(database, queue(database, STOCKS[:2]), replace(TERMS, analyst="baseline")) is None
    assert estimated(database, queue(database, STOCKS[2:4], analyst="baseline")) is None


def test_it_says_how_many_sessions_wait_for_tomorrow(database: Database) -> None:
    add_session(database, YESTERDAY, cost_usd=0.5)
    found = estimated(database, queue(database, STOCKS[:80]), replace(TERMS, daily_usd=10.0), NOON)
    # After 18 sessions $1.00 is left, and after 19 less than the $0.75 that must be.
    assert found is not None
    assert found.wait == 40 - 19


def test_what_runs_after_midnight_does_not_wait_for_it(database: Database) -> None:
    add_session(database, YESTERDAY, cost_usd=0.5)
    just_before = datetime(2022, 12, 29, 18, 25, tzinfo=UTC)
    found = estimated(database, queue(database, STOCKS[:80]), replace(TERMS, daily_usd=10.0), just_before)
    assert found is not None
    assert found.wait == 0
