"""Derived numbers, units, scales, directions, dates, and what is no claim."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from handlers.facts import Fact
from handlers.grounding.check import check_grounding
from handlers.grounding.harmless import HARMLESS
from handlers.grounding.numbers import numbers_in, plain
from handlers.stocks import Exchange, Stock
from handlers.verdict import VerdictSubmission

M_AND_M = Stock("M&M", Exchange.NSE)


def fact(seq: int, name: str, value: float, unit: str, inputs: str = "") -> Fact:
    return Fact(
        id=f"f{seq}",
        stock=M_AND_M,
        name=name,
        value=value,
        unit=unit,
        as_of=date(2024, 2, 16),
        source="sample",
        inputs=inputs,
        fetched_at=datetime(2024, 2, 16, 23, tzinfo=UTC),
    )


FACTS = [
    fact(1, "last_close", 1834.1, "INR", "close of 2024-02-16"),
    fact(2, "return_1m", -6.0582469, "percent", "22 closes 2024-01-18 to 2024-02-16"),
    fact(3, "return_1y", 14.186636, "percent", "253 closes 2023-02-15 to 2024-02-16"),
    fact(4, "pe_ratio", 20.05, "ratio"),
    fact(5, "revenue_quarter", 256420000000.0, "INR", "quarter to 2023-12-31; reported 2024-02-14"),
    fact(6, "revenue_quarter_prior_year", 217770000000.0, "INR"),
    fact(7, "ebitda_margin", 13.6, "percent"),
    fact(8, "ebitda_margin_prior_year", 13.0, "percent"),
    fact(9, "cash", 0.0, "INR"),
    fact(10, "rsi_14", 40.639675, "points"),
]


def check(text: str = "Nothing is said about it.", **evidence: Any) -> list[str]:
    item = {"claim": "It stands there.", "fact_id": "f4", "value": 20.05, "unit": "ratio", **evidence}
    submission = VerdictSubmission.model_validate(
        {
            "symbol": "NSE:M&M",
            "action": "HOLD",
            "conviction": 0.6,
            "horizon_months": 9,
            "thesis": f"{text} This is the view of the desk, and it may change.",
            "evidence": [item],
            "bull_points": [],
            "bear_points": [],
            "risks": [],
            "would_change_view": [],
        }
    )
    return check_grounding(submission, FACTS)


def derived(operation: str, first: str, other: str, value: float, unit: str) -> dict[str, Any]:
    return {"operation": operation, "fact_id": first, "other_fact_id": other, "value": value, "unit": unit}


@pytest.mark.parametrize(
    ("evidence", "text"),
    [
        (derived("percent_change", "f5", "f6", 17.7, "percent"), "Revenue grew 17.7 % over the year."),
        (derived("difference", "f5", "f6", 3865, "INR crore"), "Revenue grew by ₹3,865 crore."),
        (
            derived("difference", "f7", "f8", 0.6, "percentage points"),
            "The margin rose 0.6 percentage points.",
        ),
        (derived("difference", "f7", "f8", 0.6, "percent"), "The margin rose by 60 bps."),
        (derived("ratio", "f5", "f6", 1.18, "ratio"), "Revenue is 1.18x that of the year before."),
    ],
)
def test_a_derived_number_is_recomputed_and_may_be_written(evidence: dict[str, Any], text: str) -> None:
    assert check(text, **evidence) == []
    assert check(text) != []


@pytest.mark.parametrize(
    ("evidence", "problem"),
    [
        (derived("percent_change", "f5", "f6", 15.1, "percent"), "of f5 and f6 (17.7481 percent)"),
        (derived("percent_change", "f6", "f5", 17.7, "percent"), "of f6 and f5 (-15.0729 percent)"),
        (derived("ratio", "f5", "f7", 2, "ratio"), "has two units, INR and percent"),
        (derived("ratio", "f5", "f9", 2, "ratio"), "divides by f9, which is 0"),
        (
            derived("difference", "f7", "f8", 0.6, "INR"),
            "The unit 'INR' of the difference of f7 and f8 is not percent",
        ),
        (derived("difference", "f7", "f77", 0.6, "percent"), "f77 is not one of the facts"),
        ({"value": 20.05, "unit": "percent"}, "The unit 'percent' of f4 is not ratio"),
        ({"fact_id": "f5", "value": 25642, "unit": "INR lakh"}, "is not that of f5"),
        ({"fact_id": "f7", "value": 0.136, "unit": "percent"}, "ebitda_margin is 13.6 percent"),
        ({"fact_id": "f2", "value": -6.06, "unit": "percentage points"}, "is not percent"),
        ({"fact_id": "f5", "value": 0, "unit": "INR trillion"}, "is not that of f5"),
    ],
)
def test_evidence_that_does_not_hold_is_refused_with_what_does(
    evidence: dict[str, Any], problem: str
) -> None:
    [said] = check(**evidence)
    assert problem in said


@pytest.mark.parametrize(
    "text",
    [
        "Revenue of ₹25,642 crore, or Rs 2,56,420 million, or INR 256.42 billion, or ₹0.25642 lakh crore.",
        "It trades at 20.05x, 20 times earnings, or a P/E of 20.1.",
        "It closed at Rs. 1,834.10 after 1834 rupees.",
        "It fell 6.1 % in a month and is 14.2% higher than a year ago.",
        "The return was -6.06 % after +14.19 %.",
        "A fall of 6 % in the month, against a gain of 14 %.",
        "The margin slipped from 13.6 % to 13.0 %.",
        "Margins lie between 13.0 and 13.6 %, so 13.0–13.6 % it is.",
        "Results came on 14 February 2024 for the quarter to December 2023.",
        "It gained 14.2 % since 15 February 2023.",
        "By May a third of the picture may change, in a month or by summer.",
    ],
)
def test_what_the_facts_say_may_be_said_in_plain_english(text: str) -> None:
    assert check(text) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Revenue of ₹25,642 million.", "₹25,642 million"),
        ("Revenue of $25,642 crore.", "$25,642 crore"),
        ("Revenue of ₹2,5642 crore.", "₹2,5642 crore"),
        ("It gained 6.1 % in the month.", "6.1 %"),
        ("A monthly change of 6.1 %.", "6.1 %"),
        ("It lost 14.2 % in the year.", "14.2 %"),
        ("A yearly return of -14.2 %.", "-14.2 %"),
        ("The margin is 13.6.", "13.6"),
        ("The margin is 0.136.", "0.136"),
        ("An RSI below 30 would change that.", "30"),
        ("A stop at 1,700 protects it.", "1,700"),
        ("It fell ½ as much.", "½"),
        ("It closed at AED 1,834.10.", "AED 1,834.10"),
        ("It closed at 1,834.10 yen.", "1,834.10 yen"),
        ("It fell 10² times.", "10"),
        ("The RSI is \uff14\uff10.", "\uff14"),
    ],
)
def test_what_they_do_not_say_is_refused_by_name(text: str, named: str) -> None:
    assert any(f"The number {named}" in problem for problem in check(text)), check(text)


@pytest.mark.parametrize(
    "text",
    [
        "Profit doubled.",
        "It lost a third of its value.",
        "It may rise sixteen percent.",
        "It may rise twenty per cent.",
        "A three-fold gain.",
    ],
)
def test_numbers_in_words_are_to_be_written_in_figures(text: str) -> None:
    [problem] = check(text)
    assert "is a number in words" in problem


@pytest.mark.parametrize(
    "text",
    [
        "Results came on 15 February 2024.",
        "Results came on 2024-02-13.",
        "As of March 2024.",
        "Results are due in March.",
        "Feb 17, 2024 was the day.",
        "On 16/03/2024.",
        "The outlook for Q3 FY25 is good.",
        "It reported on 15 February 2023.",
    ],
)
def test_a_date_that_no_fact_has_is_refused(text: str) -> None:
    assert any("is not that of a supplied fact" in problem for problem in check(text)), check(text)


EXAMPLES = {
    "an ordinal": "for the 3rd time",
    "the marker of a list": "(1) the trend, (2) the margin",
    "days of a span": "the 50-day average and 200 days",
    "weeks of a span": "the 52-week high",
    "months of a span": "the 3-month return, the return (1m), the 6m momentum",
    "years of a span": "the 1-year return and the 1y volatility",
    "a moving average": "SMA200 and the 50-DMA",
    "Wilder's span": "RSI(14) and the 14-day RSI",
    "the spans of MACD": "MACD (12, 26, 9)",
    "the spans of Bollinger's bands": "Bollinger bands (20, 2)",
    "an Indian index": "the Nifty 50 and BSE 500",
    "an American index": "the S&P 500 and Russell 2000",
    "the name of a filing": "its 10-K and 10-Q",
}


@pytest.mark.parametrize("what", HARMLESS)
def test_each_harmless_number_is_one(what: str) -> None:
    assert numbers_in(plain(EXAMPLES[what])) != []
    assert check(f"Look at {EXAMPLES[what]}.") == []


@pytest.mark.parametrize(
    "text",
    [
        "A 50-day target of 50.",
        "The Nifty may reach 500.",
        "Hold for 18 months.",
        "An average over 100 days.",
        "Buy at 52.",
    ],
)
def test_a_harmless_number_is_harmless_only_in_its_place(text: str) -> None:
    assert check(text) != []
