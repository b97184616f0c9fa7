"""No number that is not a fact: what the check accepts, and what it refuses by name."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from handlers.facts import Fact
from handlers.grounding.check import check_grounding
from handlers.grounding.numbers import numbers_in
from handlers.stocks import Exchange, Stock
from handlers.verdict import VerdictSubmission

INFY = Stock("INFY", Exchange.NSE)


def fact(seq: int, name: str, value: float, unit: str) -> Fact:
    return Fact(
        id=f"f{seq}",
        stock=INFY,
        name=name,
        value=value,
        unit=unit,
        as_of=date(2022, 12, 28),
        source="sample",
        inputs="253 closes 2021-12-29 to 2022-12-28",
        fetched_at=datetime(2022, 12, 28, 23, tzinfo=UTC),
    )


FACTS = [
    fact(1, "last_close", 123456.784, "INR"),
    fact(2, "return_3m", -5.25, "percent"),
    fact(3, "rsi_14", 44.1234, "points"),
    fact(4, "distance_to_sma_200", 12.0, "percent"),
]


def submission(**changes: Any) -> VerdictSubmission:
    whole: dict[str, Any] = {
        "symbol": "NSE:INFY",
        "action": "HOLD",
        "conviction": 0.6,
        "horizon_months": 9,
        "thesis": "Trend and momentum point in different directions. Waiting costs little.",
        "evidence": [{"claim": "The price fell.", "fact_id": "f2", "value": -5.25, "unit": "percent"}],
        "bull_points": [],
        "bear_points": [],
        "risks": [],
        "would_change_view": [],
    }
    return VerdictSubmission.model_validate({**whole, **changes})


def about(thesis: str) -> list[str]:
    padded = f"{thesis} This is the view of the desk, and it may change."
    return check_grounding(submission(thesis=padded), FACTS)


@pytest.mark.parametrize(
    "thesis",
    [
        "It closed at ₹1,23,456.78.",
        "It closed at INR 123456.784, or Rs. 1,23,457.",
        "It closed at 123,456.8.",
        "It fell 5.25 %.",
        "It fell 5.3% in three months.",
        "The change was \u22125.25 %, an unpleasant -5.25 percent.",
        "The change was –5.3% (minus).",
        "RSI(14) stands at 44.1, RSI 14 at 44, and the 14-day RSI at 44.12.",
        "It stands 12 % above its 200-day average, its 200 DMA and SMA 200.",
        "It stands 12.0% above the SMA(200) and 12.00 per cent above sma_200.",
        "distance_to_sma_200 is +12 %, see f4.",
        "The 52-week range, the 3-month return, the 1-year fall and the 6M return differ.",
        "As of 2022-12-28, 28 December 2022, Dec 28, 2022 and since 2021-12-29 in 2022.",
        "The view holds for 9 months with a conviction of 0.6.",
        "It is the 1st and not the 22nd time, as on the 13th.",
        "1) The trend is intact.",
        "Neither number nor date.",
    ],
)
def test_a_number_that_is_a_fact_at_its_printed_precision_is_accepted(thesis: str) -> None:
    assert about(thesis) == []


@pytest.mark.parametrize(
    ("thesis", "number"),
    [
        ("The target is ₹1,799.50.", "₹1,799.50"),
        ("It closed at $123456.78.", "$123456.78"),
        ("It closed at 123456.79.", "123456.79"),
        ("It fell 5.2 % or so.", None),
        ("It fell 5.1 %.", "5.1 %"),
        ("It rose +5.25 %.", "+5.25 %"),
        ("It lost -12 %.", "-12 %"),
        ("The RSI is 44 %.", "44 %"),
        ("The RSI is below 70.", "70"),
        ("Revenue grew 1.2 lakh crore.", "1.2 lakh crore"),
        ("A P/E of 23x is fair.", "23x"),
        ("Costs of Rs.500 rose.", "Rs.500"),
        ("It needs INR45.", "INR45"),
        ("It is above its 100-day average.", "100"),
        ("By 2025 it will double.", "2025"),
        ("Buy at .5 of it.", ".5"),
        ("Facts f99 and f1 agree.", "99"),
        ("About 1e9 shares.", "1e9"),
        ("It stands at 12.04 %.", "12.04 %"),
        ("Conviction of 0.9 is high.", "0.9"),
        ("The view holds for 18 months.", "18"),
    ],
)
def test_any_other_number_is_refused_by_name(thesis: str, number: str | None) -> None:
    problems = about(thesis)
    if number is None:  # -5.25 lies just between 5.2 and 5.3
        assert problems == []
    else:
        assert any(f"The number {number} in" in problem for problem in problems), problems


@pytest.mark.parametrize("field", ["bull_points", "bear_points", "risks", "would_change_view"])
def test_every_list_of_texts_is_read(field: str) -> None:
    [problem] = check_grounding(submission(**{field: ["Margins of 31 percent."]}), FACTS)
    assert "31 percent" in problem


def test_claims_and_catalysts_are_read_too() -> None:
    evidence = [{"claim": "The price fell 7 %.", "fact_id": "f2", "value": -5.25, "unit": "percent"}]
    catalysts = [{"what": "Results of quarter 7.", "date": None}]
    assert len(check_grounding(submission(evidence=evidence, catalysts=catalysts), FACTS)) == 2


@pytest.mark.parametrize("value", [-5.25, -5.3, -5.2, -5])
def test_evidence_may_round_the_fact(value: float) -> None:
    assert (
        check_grounding(
            submission(evidence=[{"claim": "It fell.", "fact_id": "f2", "value": value, "unit": "percent"}]),
            FACTS,
        )
        == []
    )


@pytest.mark.parametrize("value", [5.25, -5.26, -6, -525, -5.251])
def test_evidence_with_another_value_is_refused_and_told_the_fact(value: float) -> None:
    [problem] = check_grounding(
        submission(evidence=[{"claim": "It fell.", "fact_id": "f2", "value": value, "unit": "percent"}]),
        FACTS,
    )
    assert "return_3m is -5.25 percent" in problem


def test_evidence_of_another_stocks_fact_is_refused() -> None:
    [problem] = check_grounding(
        submission(evidence=[{"claim": "It fell.", "fact_id": "f77", "value": 1, "unit": "percent"}]), FACTS
    )
    assert problem.startswith("f77 is not one of the facts supplied for this stock")


def test_a_catalyst_may_not_bring_a_date_of_its_own() -> None:
    [problem] = check_grounding(submission(catalysts=[{"what": "Results.", "date": "2023-01-12"}]), FACTS)
    assert "2023-01-12" in problem


def test_the_numbers_of_the_holding_may_be_repeated() -> None:
    thesis = "The 40 shares cost INR 1,200.50 each, which is far from here by now."
    assert len(check_grounding(submission(thesis=thesis), FACTS)) == 2
    assert check_grounding(submission(thesis=thesis), FACTS, [(40, "shares"), (1200.5, "INR")]) == []


def test_a_symbol_with_digits_is_a_name() -> None:
    thesis = "3MINDIA and NSE:3MINDIA have a trend that is neither up nor down."
    assert check_grounding(submission(symbol="NSE:3MINDIA", thesis=thesis), FACTS) == []


@given(st.floats(min_value=-1e9, max_value=1e9, allow_nan=False), st.integers(min_value=0, max_value=6))
def test_a_fact_is_recognised_at_every_precision_that_formatting_gives(value: float, decimals: int) -> None:
    assume(round(value, decimals) or abs(value) <= 0.05)  # a 0 says nothing of 0.3
    own = [fact(1, "x", value, "INR")]
    text = f"It stands at {value:,.{decimals}f} and that is the whole story of it."
    evidence = [
        {"claim": "It stands there.", "fact_id": "f1", "value": round(value, decimals), "unit": "INR"}
    ]
    assert check_grounding(submission(thesis=text, evidence=evidence), own) == []


@given(
    st.integers(min_value=1, max_value=10**9),
    st.integers(min_value=1, max_value=10**9),
)
def test_a_whole_number_that_is_not_the_fact_is_never_accepted(value: int, other: int) -> None:
    own = [fact(1, "x", value, "INR")]
    evidence = [{"claim": "It stands there.", "fact_id": "f1", "value": value, "unit": "INR"}]
    text = f"It stands at {other} and that is the whole story of it."
    assert (check_grounding(submission(thesis=text, evidence=evidence), own) == []) == (
        other in {value, 2022}
    )


def test_no_digit_escapes_the_reader() -> None:
    text = "a1 b-2 (3) 4,5 6.7% ₹8 $-9 10-11 12/13 x14y 15. 16, \u0661\u0667"
    seen = "".join(char for printed in numbers_in(text) for char in printed.text if char.isdigit())
    assert seen == "".join(char for char in text if char.isdigit())
