"""The baseline analyst: rules that anyone can check."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.analyst.baseline import baseline_verdict
from handlers.facts import Fact
from handlers.grounding.check import check_grounding
from handlers.stocks import Exchange, Stock

STOCK = Stock("M&M", Exchange.NSE)
UNITS = {
    "last_close": "INR",
    "distance_to_sma_200": "percent",
    "distance_to_sma_50": "percent",
    "return_3m": "percent",
    "return_6m": "percent",
    "rsi_14": "points",
    "max_drawdown_1y": "percent",
}
RISING = {
    "distance_to_sma_200": 15.0,
    "distance_to_sma_50": 6.0,
    "return_6m": 20.0,
    "return_3m": 12.0,
    "rsi_14": 60.0,
    "max_drawdown_1y": -12.0,
}
FALLING = {
    "distance_to_sma_200": -30.0,
    "distance_to_sma_50": -14.0,
    "return_6m": -40.0,
    "return_3m": -25.0,
    "rsi_14": 40.0,
    "max_drawdown_1y": -55.0,
}


def facts(numbers: dict[str, float]) -> list[Fact]:
    return [
        Fact(
            id=f"f{seq}",
            stock=STOCK,
            name=name,
            value=value,
            unit=UNITS[name],
            as_of=date(2022, 12, 28),
            source="sample",
            inputs="",
            fetched_at=datetime(2022, 12, 28, tzinfo=UTC),
        )
        for seq, (name, value) in enumerate(numbers.items(), start=1)
    ]


@pytest.mark.parametrize(
    ("numbers", "action"),
    [
        (RISING, "ADD"),
        (FALLING, "EXIT"),
        ({**RISING, "distance_to_sma_200": -9.0, "return_6m": -9.0}, "HOLD"),
        ({**FALLING, "distance_to_sma_200": -12.0, "return_6m": -12.0, "max_drawdown_1y": -20.0}, "TRIM"),
        ({"last_close": 10.0}, "INSUFFICIENT_DATA"),
        ({}, "INSUFFICIENT_DATA"),
    ],
)
def test_the_rules_give_the_action(numbers: dict[str, float], action: str) -> None:
    assert baseline_verdict(STOCK, facts(numbers)).action == action


def test_the_conviction_is_the_documented_formula() -> None:
    score = (3 * 15 / 20 + 6 / 10 + 2 * 20 / 30 + 12 / 20) / 9
    assert baseline_verdict(STOCK, facts(RISING)).conviction == round(0.3 + 0.5 * score, 2)
    long_only = {"distance_to_sma_200": 15.0}
    assert baseline_verdict(STOCK, facts(long_only)).conviction == round((0.3 + 0.5 * 0.75) * 3 / 9, 2)


def test_the_thesis_tells_the_numbers_that_weighed_most() -> None:
    assert baseline_verdict(STOCK, facts(RISING)).thesis == (
        "The last close is +15.0 % from its 200-day average, and the price changed +20.0 % in six months. "
        "The rules of the baseline analyst add up to a rising trend."
    )


@given(
    st.fixed_dictionaries(
        {},
        optional={name: st.floats(min_value=-1000, max_value=1000, allow_nan=False) for name in UNITS},
    )
)
def test_every_number_it_writes_is_one_of_its_facts(numbers: dict[str, float]) -> None:
    own = facts(numbers)
    verdict = baseline_verdict(STOCK, own)
    assert check_grounding(verdict, own) == []
    assert 0 <= verdict.conviction <= 0.8
