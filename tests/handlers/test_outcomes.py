"""What became of verdicts: filled by later prices, beside the benchmark, and added up."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.benchmarks import BENCHMARKS
from handlers.data_fetcher import data_fetcher
from handlers.outcomes import fill_outcomes
from handlers.prices import store_bars
from handlers.sources.base import Bar
from handlers.sources.yahoo import YahooSource
from handlers.stocks import Stock
from handlers.track_record import Judged, TrackRecord, bucket_of, track_record
from handlers.verdict import Analyst
from handlers.verdicts import store_no_verdict, store_verdict
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed
from tests.handlers.claude import INFY, TCS, know, payload
from tests.handlers.conftest import TaskRunner
from tests.handlers.fetching import desk_clock, lines, running_fetch
from tests.handlers.test_verdicts import submission
from tests.standins.http_source import made_up_close

START = date(2022, 12, 28)
NIFTY = BENCHMARKS["INR"]
Judge = Callable[..., None]


@pytest.fixture
def judge(database: Database, running_task: TaskRunner) -> Judge:
    """Store a verdict of the baseline that cites what is known of the stock."""

    def store(stock: Stock = INFY, **changes: Any) -> None:
        ctx = running_task(QueueName.AI_ANALYSIS, payload(stock))
        database.write_now(
            lambda tx: store_verdict(
                tx, ctx.task, stock, submission(stock, **changes), (), analyst=Analyst.BASELINE
            )
        )
        running_task.end(ctx, Completed({}))

    know(database, INFY, TCS)
    return store


def bring(database: Database, stock: Stock, closes: Mapping[int, float], adjusted: float = 1.0) -> None:
    """Closes by days since the start; all but the last adjusted by one factor, as by a dividend since."""
    last = max(closes)
    bars = [
        Bar(
            day=START + timedelta(days=day),
            close=close,
            adj_close=close * (1.0 if day == last else adjusted),
        )
        for day, close in sorted(closes.items())
    ]
    database.write_now(lambda tx: store_bars(tx, stock, bars, "test"))


def fill(database: Database, stock: Stock = INFY) -> None:
    database.write_now(lambda tx: fill_outcomes(tx, stock))


def outcomes(database: Database) -> list[tuple[int, str, float, float | None]]:
    rows = database.read_now(
        lambda tx: tx.rows(
            "SELECT weeks, day, return, benchmark_return FROM outcomes ORDER BY verdict, weeks"
        )
    )
    return [(weeks, day, change, benchmark) for weeks, day, change, benchmark in rows]


def test_a_verdict_keeps_the_close_on_which_it_stood_and_the_benchmark_s(
    database: Database, judge: Judge
) -> None:
    bring(database, INFY, {-1: 90.0, 0: 100.0})
    bring(database, NIFTY, {-1: 200.0})  # the fund did not trade on that day
    judge()
    assert database.read_now(lambda tx: tx.rows("SELECT day, close, benchmark_close FROM starts")) == [
        ("2022-12-28", 100.0, 200.0)
    ]


def test_later_prices_fill_return_and_alpha_at_one_four_and_twelve_weeks(
    database: Database, judge: Judge
) -> None:
    bring(database, INFY, {0: 100.0})
    judge()
    bring(database, INFY, {0: 100.0, 7: 110.0, 28: 121.0, 84: 90.0})
    bring(database, NIFTY, {0: 200.0, 7: 202.0, 28: 210.0, 84: 220.0})
    fill(database)
    assert outcomes(database) == [
        (1, "2023-01-04", pytest.approx(0.10), pytest.approx(0.01)),
        (4, "2023-01-25", pytest.approx(0.21), pytest.approx(0.05)),
        (12, "2023-03-22", pytest.approx(-0.10), pytest.approx(0.10)),
    ]


async def test_a_benchmark_that_comes_after_a_stock_s_own_prices_completes_its_outcomes(
    database: Database, judge: Judge, yahoo: YahooSource, running_task: TaskRunner
) -> None:
    bring(database, INFY, {-7: 100.0})
    judge()
    bring(database, INFY, {-7: 100.0, 0: 110.0})
    fill(database)
    assert outcomes(database) == [(1, "2022-12-28", pytest.approx(0.1), None)]
    fetch = data_fetcher([yahoo], desk_clock, 4, benchmarks=BENCHMARKS)
    assert lines(await fetch(running_fetch(running_task, "NSE:INFY")))["NSE:INFY"]["status"] == "fresh"
    before, after = (made_up_close("NIFTYBEES.NS", day) for day in (START - timedelta(days=7), START))
    assert outcomes(database) == [(1, "2022-12-28", pytest.approx(0.1), pytest.approx(after / before - 1))]


def test_the_first_session_after_the_weeks_counts_and_a_suspended_stock_has_no_outcome(
    database: Database, judge: Judge
) -> None:
    bring(database, INFY, {0: 100.0})
    judge()
    bring(database, INFY, {0: 100.0, 9: 105.0, 28 + 8: 130.0})
    fill(database)
    assert [(weeks, day) for weeks, day, _, _ in outcomes(database)] == [(1, "2023-01-06")]


def test_returns_are_total_returns(database: Database, judge: Judge) -> None:
    bring(database, INFY, {0: 100.0})
    judge()
    bring(database, INFY, {0: 100.0, 7: 100.0}, adjusted=0.98)  # a dividend of 2 %
    fill(database)
    assert outcomes(database)[0][2] == pytest.approx(1 / 0.98 - 1)


def test_what_is_filled_stays_and_a_benchmark_that_comes_later_completes_it(
    database: Database, judge: Judge
) -> None:
    bring(database, INFY, {0: 100.0})
    judge()
    bring(database, INFY, {0: 100.0, 7: 110.0})
    fill(database)
    assert outcomes(database) == [(1, "2023-01-04", pytest.approx(0.10), None)]
    bring(database, INFY, {0: 100.0, 7: 111.0})  # corrected afterwards
    bring(database, NIFTY, {0: 200.0, 7: 202.0})
    fill(database)
    fill(database)
    assert outcomes(database) == [(1, "2023-01-04", pytest.approx(0.10), pytest.approx(0.01))]


def test_without_a_price_or_without_an_opinion_there_is_nothing_to_hold_a_verdict_against(
    database: Database, judge: Judge, running_task: TaskRunner
) -> None:
    judge(TCS)  # facts, but no bars
    ctx = running_task(QueueName.AI_ANALYSIS, payload(INFY))
    bring(database, INFY, {0: 100.0})
    database.write_now(
        lambda tx: store_no_verdict(tx, ctx.task, INFY, thesis="No data.", reason="missing_data")
    )
    bring(database, INFY, {0: 100.0, 7: 110.0})
    fill(database)
    fill(database, TCS)
    record = database.read_now(lambda tx: track_record(tx, 1))
    assert record == TrackRecord([], [], 0)


def test_the_record_adds_up_hits_alpha_and_brier_by_action_and_conviction(
    database: Database, judge: Judge
) -> None:
    bring(database, INFY, {0: 100.0})
    bring(database, TCS, {0: 100.0})
    judge(INFY, action="ADD", conviction=0.7)
    judge(TCS, action="ADD", conviction=0.5)
    judge(INFY, action="EXIT", conviction=0.9)
    bring(database, INFY, {0: 100.0, 7: 110.0})
    bring(database, TCS, {0: 100.0, 7: 95.0})
    bring(database, NIFTY, {0: 100.0, 7: 101.0})
    fill(database)
    fill(database, TCS)
    record = database.read_now(lambda tx: track_record(tx, 1))
    add, leave = record.by_action
    assert (add.group, add.of_all, add.n) == ("ADD", 2, 2)
    assert add.mean_return == pytest.approx((0.10 - 0.05) / 2)
    assert add.mean_alpha == pytest.approx((0.09 - 0.06) / 2)
    assert add.hit_rate == 0.5
    assert add.brier == pytest.approx(((0.7 - 1) ** 2 + (0.5 - 0) ** 2) / 2)
    assert (leave.group, leave.hit_rate, leave.brier) == ("EXIT", 0.0, pytest.approx(0.81))
    assert [each.group for each in record.by_conviction] == ["0.4-0.6", "0.6-0.8", "0.8-1.0"]
    assert not add.is_enough
    assert database.read_now(lambda tx: track_record(tx, 12)).waiting == 3


def test_the_interval_of_a_hit_rate_is_wilson_s(database: Database, judge: Judge) -> None:
    bring(database, INFY, {0: 100.0})
    for _ in range(10):
        judge()
    bring(database, INFY, {0: 100.0, 7: 110.0})
    bring(database, NIFTY, {0: 100.0, 7: 101.0})
    fill(database)
    [record] = database.read_now(lambda tx: track_record(tx, 1)).by_action
    # 10 of 10: n / (n + z²) to 1, by the formula's closed form.
    assert (record.hit_rate_low, record.hit_rate_high) == (
        pytest.approx(10 / (10 + 1.96**2)),
        pytest.approx(1),
    )


@given(
    conviction=st.floats(0, 1),
    alpha=st.floats(-1, 1),
    action=st.sampled_from(["ADD", "HOLD", "TRIM", "EXIT"]),
)
def test_every_conviction_has_a_bucket_and_opposite_actions_never_both_hit(
    conviction: float, alpha: float, action: str
) -> None:
    judged = Judged("claude", action, conviction, alpha, alpha)
    low, high = map(float, bucket_of(judged).split("-"))
    assert low <= conviction <= high
    opposite = Judged("claude", "EXIT" if action in ("ADD", "HOLD") else "ADD", conviction, alpha, alpha)
    assert not (judged.is_hit and opposite.is_hit)
