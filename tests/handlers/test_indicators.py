"""The numbers about a stock, against TA-Lib, published worked examples, and their own definitions."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.indicators import benchmark_facts, price_facts
from handlers.indicators.formulas import (
    atr,
    beta,
    bollinger,
    macd,
    max_drawdown,
    relative_strength,
    return_over,
    rsi,
    sma,
    volatility,
    volume_ratio,
)
from handlers.sources.base import Bar
from handlers.sources.sample import SampleSource, sample_last_day
from handlers.stocks import Exchange, Stock

# The closes and results of StockCharts' ChartSchool page on RSI.
CHART_SCHOOL = [
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328,
    45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
]  # fmt: skip
CHART_SCHOOL_RSI = [70.53, 66.32, 66.55, 69.41, 66.36, 57.97]

SPY = Stock("SPY", Exchange.ARCA)
histories = st.lists(st.floats(0.01, 100_000), min_size=1, max_size=300)


async def closes_of(symbol: str, exchange: Exchange) -> list[float]:
    bars = await SampleSource().daily_prices(Stock(symbol, exchange), date(2020, 1, 2), sample_last_day())
    return [bar.close for bar in bars]


def bars_of(closes: Sequence[float], *, adjusted_by: float | None = None) -> list[Bar]:
    return [
        Bar(
            day=date(2021, 1, 1) + timedelta(days=n),
            close=close,
            adj_close=None if adjusted_by is None else close * (1 + adjusted_by * n),
        )
        for n, close in enumerate(closes)
    ]


@pytest.mark.parametrize(("length", "expected"), list(enumerate(CHART_SCHOOL_RSI, start=15)))
def test_rsi_gives_the_published_worked_example(length: int, expected: float) -> None:
    assert rsi(CHART_SCHOOL[:length]) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("stock", "rsi_14", "line", "signal"),
    [
        (("AAPL", Exchange.NASDAQ), 29.727145338856992, -4.3911932329350805, -3.1298836042717646),
        (("XOM", Exchange.NYSE), 52.20704637892123, -0.038308058266466105, -0.37402387508631463),
    ],
)
async def test_rsi_and_macd_agree_with_ta_lib_0_8_2(
    stock: tuple[str, Exchange], rsi_14: float, line: float, signal: float
) -> None:
    closes = await closes_of(*stock)
    assert rsi(closes) == pytest.approx(rsi_14, rel=1e-12)
    assert macd(closes) == pytest.approx((line, signal), rel=1e-12)


def test_a_return_compares_with_the_close_so_many_sessions_before() -> None:
    assert return_over([100, 80, 110], 1) == pytest.approx(37.5)
    assert return_over([100, 80, 110], 2) == pytest.approx(10)
    assert return_over([100, 80, 110], 3) is None


def test_drawdown_is_the_deepest_fall_below_an_earlier_peak_of_the_last_year() -> None:
    assert max_drawdown([100, 120, 90, 130, 125], span=5) == pytest.approx(-25)
    assert max_drawdown([100, 120, 90, 130, 125], span=2) == pytest.approx(100 * (125 / 130 - 1))
    assert max_drawdown([1, 2, 3], span=3) == 0


def test_volatility_of_a_price_that_alternates_is_known_in_closed_form() -> None:
    closes = [100 * math.exp(0.01 * (n % 2)) for n in range(253)]
    # 252 returns of +1 % and -1 %, mean 0: the sample deviation is 0.01 * sqrt(252 / 251).
    assert volatility(closes) == pytest.approx(100 * 0.01 * math.sqrt(252 / 251) * math.sqrt(252))
    assert volatility(closes[1:]) is None


def test_a_price_that_never_moves_has_no_rsi_and_no_volatility() -> None:
    assert rsi([5.0] * 300) is None
    assert volatility([5.0] * 300) == 0
    assert macd([5.0] * 300) == (0, 0)


@given(histories, st.floats(0.1, 10))
def test_no_percentage_depends_on_the_unit_of_the_price(closes: list[float], factor: float) -> None:
    scaled = {
        fact.name: fact for fact in price_facts(bars_of([close * factor for close in closes]), "USD", "t")
    }
    for fact in price_facts(bars_of(closes), "USD", "t"):
        if fact.unit == "percent":
            assert scaled[fact.name].value == pytest.approx(fact.value, rel=1e-6, abs=1e-4)


@given(histories)
def test_every_fact_is_finite_and_within_its_bounds(closes: list[float]) -> None:
    facts = {fact.name: fact.value for fact in price_facts(bars_of(closes), "USD", "t")}
    assert facts["last_close"] == closes[-1]
    assert all(math.isfinite(value) for value in facts.values())
    assert 0 <= facts.get("rsi_14", 50) <= 100
    assert -100 <= facts.get("max_drawdown_1y", 0) <= 0
    assert -1e-9 <= facts.get("position_52w", 50) <= 100 + 1e-9


@pytest.mark.parametrize(
    ("length", "last_to_appear"),
    [
        (1, "last_close"),
        (2, "return_1d"),
        (6, "return_1w"),
        (15, "rsi_14"),
        (15, "atr_14"),
        (20, "sma_20"),
        (20, "bollinger_upper_20_2"),
        (21, "volume_ratio_20"),
        (22, "return_1m"),
        (34, "macd_12_26_9"),
        (50, "sma_50"),
        (64, "return_3m"),
        (64, "relative_strength_3m"),
        (127, "return_6m"),
        (200, "sma_200"),
        (252, "high_52w"),
        (253, "return_1y"),
        (253, "beta_1y"),
    ],
)
def test_a_fact_is_absent_until_the_history_is_long_enough(length: int, last_to_appear: str) -> None:
    closes = [100 + (n % 7) for n in range(length)]

    def names(history: Sequence[float]) -> set[str]:
        bars = [replace(bar, high=bar.close, low=bar.close, volume=7) for bar in bars_of(history)]
        return {
            fact.name for fact in [*price_facts(bars, "USD", "t"), *benchmark_facts(bars, SPY, bars, "t")]
        }

    assert last_to_appear in names(closes)
    assert length == 1 or last_to_appear not in names(closes[1:])


def test_returns_follow_the_adjusted_closes_and_prices_the_traded_ones() -> None:
    bars = bars_of([100.0] * 30, adjusted_by=0.001)
    facts = {fact.name: fact for fact in price_facts(bars, "INR", "a source")}
    assert facts["last_close"].value == 100
    assert facts["distance_to_sma_20"].value == 0
    assert facts["return_1d"].value == pytest.approx(100 * (1.029 / 1.028 - 1))
    assert facts["return_1d"].inputs == "2 adjusted closes 2021-01-29 to 2021-01-30"
    assert facts["sma_20"].inputs == "20 closes 2021-01-11 to 2021-01-30"
    assert (facts["sma_20"].unit, facts["return_1d"].unit, facts["rsi_14"].unit) == (
        "INR",
        "percent",
        "points",
    )
    assert {(fact.as_of, fact.source) for fact in facts.values()} == {(date(2021, 1, 30), "a source")}


def test_one_missing_adjusted_close_makes_all_returns_those_of_the_traded_ones() -> None:
    bars = [*bars_of([100.0, 110.0], adjusted_by=0.5), Bar(day=date(2021, 2, 1), close=121.0)]
    facts = {fact.name: fact for fact in price_facts(bars, "USD", "t")}
    assert facts["return_1d"].value == pytest.approx(10)
    assert facts["return_1d"].inputs.startswith("2 closes")


def test_sma_is_the_mean_of_the_last_closes() -> None:
    assert sma([1, 2, 3, 6], 2) == 4.5
    assert sma([1], 2) is None


def test_bollinger_s_bands_of_a_price_that_alternates_are_known_in_closed_form() -> None:
    assert bollinger([9.0, 11.0] * 10) == (8, 12)
    facts = {fact.name: fact.value for fact in price_facts(bars_of([9.0, 11.0] * 10), "USD", "t")}
    assert facts["position_bollinger_20_2"] == 75
    assert "position_bollinger_20_2" not in {
        fact.name for fact in price_facts(bars_of([5.0] * 20), "USD", "t")
    }


def test_a_true_range_reaches_to_the_close_before() -> None:
    assert atr([0, 12, 31], [0, 11, 30], [10, 11, 30], span=2) == (2 + 20) / 2
    assert atr([0, 12, 9], [0, 11, 8], [10, 11, 8], span=2) == (2 + 3) / 2
    assert atr([1, 1], [1, 1], [1, 1], span=2) is None


def test_the_true_range_starts_anew_behind_a_session_without_a_high() -> None:
    bars = [replace(bar, high=bar.close + 1, low=bar.close - 1) for bar in bars_of([50.0] * 40)]
    bars[10] = replace(bars[10], high=None)
    (fact,) = (fact for fact in price_facts(bars, "USD", "t") if fact.name == "atr_14")
    assert (fact.value, fact.inputs) == (2, "29 highs, lows and closes 2021-01-12 to 2021-02-09")
    assert "atr_14" not in {fact.name for fact in price_facts(bars[:20], "USD", "t")}


def test_a_volume_is_compared_with_the_twenty_before_it() -> None:
    assert volume_ratio([*[100] * 20, 250]) == 2.5
    assert volume_ratio([*[0] * 20, 250]) is None
    bars = [replace(bar, volume=100) for bar in bars_of([5.0] * 30)]
    assert "volume_ratio_20" in {fact.name for fact in price_facts(bars, "USD", "t")}
    bars[15] = replace(bars[15], volume=None)
    assert "volume_ratio_20" not in {fact.name for fact in price_facts(bars, "USD", "t")}


def test_beta_is_the_slope_and_a_benchmark_that_never_moves_has_none() -> None:
    market = [100 * math.exp(0.1 * math.sin(n)) for n in range(253)]
    returns = [later / earlier - 1 for earlier, later in pairwise(market)]
    closes = list(accumulate(returns, lambda close, change: close * (1 + 0.001 + 1.5 * change), initial=50.0))
    assert beta(closes, market) == pytest.approx(1.5)
    assert beta(closes, [7.0] * 253) is None


def test_relative_strength_is_what_the_stock_added_to_the_benchmark() -> None:
    assert relative_strength([100, 121], [100, 110], 1) == pytest.approx(10)
    assert relative_strength([100, 90], [100, 100], 1) == pytest.approx(-10)


def test_only_days_of_both_are_compared_with_the_benchmark() -> None:
    bars = bars_of([100 + (n % 7) for n in range(100)], adjusted_by=0.001)
    benchmark = [bar for bar in bars_of([50.0] * 95, adjusted_by=0.001) if bar.day.day != 13]
    facts = {fact.name: fact for fact in benchmark_facts(bars, SPY, benchmark, "t")}
    assert facts.keys() == {"relative_strength_3m"}
    assert facts["relative_strength_3m"].as_of == benchmark[-1].day
    assert facts["relative_strength_3m"].inputs == (
        "64 adjusted closes, and as many of ARCA:SPY, 2021-01-30 to 2021-04-05"
    )
    assert benchmark_facts(bars, SPY, [], "t") == []


def test_without_all_adjusted_closes_of_both_the_plain_ones_of_both_are_compared() -> None:
    bars = bars_of([100.0] * 64, adjusted_by=0.01)
    (fact,) = benchmark_facts(bars, SPY, bars_of([50.0] * 64), "t")
    assert (fact.value, fact.inputs[:14]) == (0, "64 closes, and")
