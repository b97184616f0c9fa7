"""What is made of reported figures, against cases computed by hand."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.facts import NewFact
from handlers.fundamentals import fundamental_facts
from handlers.sources.base import Bar
from handlers.sources.figures import INSTANTS, Concept, FundamentalFigure

PRICED = [Bar(day=date(2024, 8, 1), close=120.0)]
JUNE, MARCH, DECEMBER, SEPTEMBER = date(2024, 6, 30), date(2024, 3, 31), date(2023, 12, 31), date(2023, 9, 30)
LAST_JUNE, LAST_MARCH, LAST_DECEMBER = date(2023, 6, 30), date(2023, 3, 31), date(2022, 12, 31)


def figure(
    concept: Concept,
    value: float,
    end: date,
    months: int = 12,
    *,
    unit: str = "USD",
    filed: date | None = None,
    form: str | None = None,
) -> FundamentalFigure:
    is_instant = concept in INSTANTS
    return FundamentalFigure(
        concept=concept,
        period_start=None if is_instant else end - timedelta(days=round(months * 30.4)),
        period_end=end,
        filed=filed,
        value=value,
        unit="shares" if concept is Concept.SHARES else unit,
        form=form,
        source="a source",
    )


def year(
    end: date = DECEMBER, *, income: float = 100, eps: float = 10, shares: float = 10, unit: str = "USD"
) -> list[FundamentalFigure]:
    return [
        figure(Concept.REVENUE, 400, end, unit=unit),
        figure(Concept.GROSS_PROFIT, 180, end, unit=unit),
        figure(Concept.OPERATING_INCOME, 140, end, unit=unit),
        figure(Concept.NET_INCOME, income, end, unit=unit),
        figure(Concept.DILUTED_EPS, eps, end, unit=unit),
        figure(Concept.OPERATING_CASH_FLOW, 150, end, unit=unit),
        figure(Concept.CAPEX, 70, end, unit=unit),
        figure(Concept.EQUITY, 500, end, unit=unit),
        figure(Concept.DEBT, 200, end, unit=unit),
        figure(Concept.SHARES, shares, end),
    ]


def facts_of(
    figures: Sequence[FundamentalFigure], bars: Sequence[Bar] = PRICED, currency: str = "USD"
) -> dict[str, NewFact]:
    return {fact.name: fact for fact in fundamental_facts(figures, bars, currency).facts}


def left_out(
    figures: Sequence[FundamentalFigure], bars: Sequence[Bar] = PRICED, currency: str = "USD"
) -> Sequence[str]:
    return fundamental_facts(figures, bars, currency).left_out


def test_one_annual_report_gives_the_ratios_that_it_is_enough_for() -> None:
    facts = facts_of(year())
    assert {name: (fact.value, fact.unit) for name, fact in facts.items()} == {
        "revenue_ttm": (400, "USD"),
        "net_income_ttm": (100, "USD"),
        "free_cash_flow_ttm": (80, "USD"),
        "equity": (500, "USD"),
        "debt": (200, "USD"),
        "gross_margin_ttm": (45, "percent"),
        "operating_margin_ttm": (35, "percent"),
        "net_margin_ttm": (25, "percent"),
        "free_cash_flow_margin_ttm": (20, "percent"),
        "roe_ttm": (20, "percent"),
        "debt_to_equity": (0.4, "ratio"),
        "diluted_eps_ttm": (10, "USD"),
        "pe_ttm": (12, "ratio"),
        "pb": (2.4, "ratio"),
    }
    assert {fact.as_of for name, fact in facts.items() if name not in ("pe_ttm", "pb")} == {DECEMBER}
    assert facts["pe_ttm"].as_of == PRICED[-1].day
    assert facts["pe_ttm"].inputs == "close of 2024-08-01; by diluted_eps 12 months to 2023-12-31"
    assert facts["roe_ttm"].inputs == "net_income 12 months to 2023-12-31; by equity at 2023-12-31"
    assert left_out(year(), PRICED, "USD") == []


def test_without_figures_or_prices_there_is_nothing() -> None:
    assert facts_of([]) == {}
    assert facts_of(year(), []) == {}


def test_four_quarters_in_a_row_make_a_year_and_a_gap_makes_none() -> None:
    quarters = [
        figure(Concept.REVENUE, value, end, 3)
        for value, end in ((130, JUNE), (120, MARCH), (140, DECEMBER), (110, SEPTEMBER))
    ]
    found = facts_of(quarters)["revenue_ttm"]
    assert (found.value, found.as_of) == (500, JUNE)
    assert found.inputs.count("revenue 3 months to") == 4
    assert "revenue_ttm" not in facts_of(
        [*quarters[:2], *quarters[3:], figure(Concept.REVENUE, 90, LAST_JUNE, 3)]
    )


def test_a_year_is_moved_on_by_the_months_since_its_end() -> None:
    """As in a 10-Q, whose cash flows are those since the year began."""
    figures = [
        figure(Concept.REVENUE, 1000, DECEMBER, 12, form="10-K a"),
        figure(Concept.REVENUE, 620, JUNE, 6, form="10-Q b"),
        figure(Concept.REVENUE, 500, LAST_JUNE, 6, form="10-Q b"),
    ]
    found = facts_of(figures)["revenue_ttm"]
    assert (found.value, found.as_of) == (1120, JUNE)
    assert found.inputs == (
        "revenue 12 months to 2023-12-31 (10-K a); revenue 6 months to 2024-06-30 (10-Q b);"
        " less revenue 6 months to 2023-06-30 (10-Q b)"
    )


def test_of_a_period_reported_twice_the_last_filing_counts_in_any_order() -> None:
    first = figure(Concept.REVENUE, 400, DECEMBER, filed=date(2024, 2, 1))
    restated = figure(Concept.REVENUE, 390, DECEMBER, filed=date(2024, 5, 1))
    for figures in ([first, restated], [restated, first]):
        assert facts_of(figures)["revenue_ttm"].value == 390


def test_growth_compares_with_the_same_period_of_the_year_before() -> None:
    figures = [
        *year(),
        figure(Concept.REVENUE, 320, LAST_DECEMBER),
        figure(Concept.DILUTED_EPS, 8, LAST_DECEMBER),
        figure(Concept.NET_INCOME, 80, LAST_DECEMBER),
        figure(Concept.REVENUE, 99, MARCH, 3),
        figure(Concept.REVENUE, 110, LAST_MARCH, 3),
    ]
    facts = facts_of(figures)
    assert facts["revenue_growth_year"].value == pytest.approx(25)
    assert facts["eps_growth_year"].value == pytest.approx(25)
    assert facts["revenue_growth_quarter"].value == pytest.approx(-10)
    assert facts["revenue_growth_quarter"].as_of == MARCH
    assert facts["revenue_growth_quarter"].inputs == (
        "revenue 3 months to 2024-03-31; from revenue 3 months to 2023-03-31"
    )


def test_growth_from_a_loss_is_no_percentage() -> None:
    before = [figure(Concept.DILUTED_EPS, -1, LAST_DECEMBER), figure(Concept.NET_INCOME, -10, LAST_DECEMBER)]
    assert "eps_growth_year" not in facts_of([*year(), *before])


def test_a_loss_has_no_pe_but_a_book_value_and_says_so() -> None:
    figures = year(income=-100, eps=-10)
    facts = facts_of(figures)
    assert "pe_ttm" not in facts
    assert facts["pb"].value == 2.4
    assert facts["net_margin_ttm"].value == -25
    assert left_out(figures, PRICED, "USD") == [
        "No pe_ttm: earnings of -10 a share at 2023-12-31 is not above 0."
    ]


def test_negative_equity_has_no_ratio() -> None:
    figures = [each for each in year() if each.concept is not Concept.EQUITY]
    facts = facts_of([*figures, figure(Concept.EQUITY, -5, DECEMBER)])
    assert not facts.keys() & {"roe_ttm", "debt_to_equity", "pb"}
    assert facts["equity"].value == -5


def test_a_price_in_another_currency_makes_no_ratio_and_says_so() -> None:
    figures = year(unit="USD")
    facts = facts_of(figures, currency="INR")
    assert not facts.keys() & {"pe_ttm", "pb"}
    assert (facts["revenue_ttm"].unit, facts["roe_ttm"].value) == ("USD", 20)
    assert left_out(figures, PRICED, "INR") == [
        "No pe_ttm and pb: reported in USD, priced in INR; nothing is converted."
    ]


def test_of_two_currencies_only_that_of_the_price_is_read() -> None:
    facts = facts_of([*year(unit="USD"), *year(income=8000, eps=800, unit="INR")], currency="INR")
    assert {fact.unit for fact in facts.values()} == {"INR", "percent", "ratio"}
    assert facts["pe_ttm"].value == 0.15


def test_a_split_between_earnings_and_shares_makes_no_ratio_per_share_and_says_so() -> None:
    figures = year(shares=100)
    assert not facts_of(figures).keys() & {"pe_ttm", "pb", "diluted_eps_ttm"}
    (reason,) = left_out(figures, PRICED, "USD")
    assert "do not fit the 100 shares of 2023-12-31" in reason


def test_a_split_between_two_years_makes_no_growth_of_earnings_per_share_and_says_so() -> None:
    before = [figure(Concept.DILUTED_EPS, 80, LAST_DECEMBER), figure(Concept.NET_INCOME, 80, LAST_DECEMBER)]
    assert "eps_growth_year" not in facts_of([*year(), *before])
    (reason,) = left_out([*year(), *before], PRICED, "USD")
    assert reason.startswith("No eps_growth_year: earnings per share of 2022-12-31 and 2023-12-31")


def test_figures_of_different_ends_are_not_compared() -> None:
    facts = facts_of([figure(Concept.DEBT, 200, MARCH), figure(Concept.EQUITY, 500, DECEMBER)])
    assert "debt_to_equity" not in facts


def test_a_report_from_too_long_ago_gives_nothing() -> None:
    assert facts_of(year(date(2023, 3, 20)))
    assert facts_of(year(date(2023, 3, 19))) == {}  # 501 days before the price


numbers = st.floats(-1e12, 1e12).map(lambda value: round(value, 2))


@given(st.lists(numbers, min_size=8, max_size=8), st.permutations(range(8)))
def test_neither_order_nor_repetition_of_the_figures_changes_a_fact(
    values: list[float], order: list[int]
) -> None:
    quarters = [
        figure(concept, value, end, 3)
        for (concept, end), value in zip(
            [
                (c, e)
                for c in (Concept.REVENUE, Concept.NET_INCOME)
                for e in (JUNE, MARCH, DECEMBER, SEPTEMBER)
            ],
            values,
            strict=True,
        )
    ]
    facts = facts_of(quarters)
    assert facts["revenue_ttm"].value == pytest.approx(sum(values[:4]), rel=1e-9, abs=1e-2)
    assert facts_of([*(quarters[n] for n in order), *quarters]) == facts


@given(st.floats(0.01, 1e4), st.floats(0.5, 1e6), st.floats(0.1, 100))
def test_ratios_do_not_depend_on_the_size_of_the_money(close: float, factor: float, income: float) -> None:
    def ratios(scale: float) -> dict[str, float]:
        figures = year(income=income * scale, eps=income * scale / 10)
        scaled = [
            figure(each.concept, each.value * scale, each.period_end)
            if each.concept in (Concept.REVENUE, Concept.EQUITY, Concept.DEBT)
            else each
            for each in figures
        ]
        found = facts_of(scaled, [Bar(day=date(2024, 8, 1), close=close * scale)])
        wanted = ("net_margin_ttm", "roe_ttm", "debt_to_equity", "pe_ttm", "pb")
        return {name: found[name].value for name in wanted}

    assert ratios(factor) == pytest.approx(ratios(1), rel=1e-9)
