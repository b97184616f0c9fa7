"""Splits of shares, from Yahoo's answer to the numbers per share of reports that could not know of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from handlers.sources.base import Bar
from handlers.sources.figures import Concept, FundamentalFigure
from handlers.sources.yahoo import YahooSource
from handlers.stocks import Exchange, Stock
from tests.handlers.test_fundamentals import JUNE, LAST_JUNE, PRICED, facts_of, figure, left_out, year
from tests.standins.http_source import HttpSource, always, chart_of, with_splits

MONDAY, TUESDAY, WEDNESDAY = date(2022, 12, 26), date(2022, 12, 27), date(2022, 12, 28)


async def test_yahoo_s_split_is_told_by_the_first_bar_from_its_day_on(
    server: HttpSource, yahoo: YahooSource
) -> None:
    splits = {MONDAY: (1, 2), TUESDAY: (4, 1), WEDNESDAY + timedelta(days=1): (10, 1)}
    prices = chart_of("AAPL", [(MONDAY, 100.0), (WEDNESDAY, 100.0)])
    server.script = always(with_splits(prices, splits))
    bars = await yahoo.daily_prices(Stock("AAPL", Exchange.NASDAQ), MONDAY, WEDNESDAY)
    assert [bar.split for bar in bars] == [0.5, 4.0]


def split_in_june(factor: float) -> list[Bar]:
    """The price of `PRICED`, of shares that were split."""
    (priced,) = PRICED
    return [
        Bar(day=date(2024, 6, 10), close=priced.close / factor, split=factor),
        replace(priced, close=priced.close / factor),
    ]


def filed(figures: Sequence[FundamentalFigure], day: date) -> list[FundamentalFigure]:
    return [replace(each, filed=day, form="10-K a") for each in figures]


@pytest.mark.parametrize("factor", [10, 1.5, 1.05, 0.1, 1 / 250])
def test_a_split_after_the_filing_is_worked_into_what_counts_shares(factor: float) -> None:
    figures = filed(year(), date(2024, 2, 1))
    before, after = facts_of(figures), facts_of(figures, split_in_june(factor))
    assert {name: fact.value for name, fact in after.items()} == pytest.approx(
        {name: fact.value for name, fact in before.items()} | {"diluted_eps_ttm": 10 / factor}
    )
    assert after["pe_ttm"].inputs == (
        "close of 2024-08-01; by diluted_eps 12 months to 2023-12-31"
        f" (10-K a; later split of {factor:g} for 1 worked in)"
    )


def test_twelve_months_of_filings_from_both_sides_of_a_split_count_the_same_shares() -> None:
    """As of Nvidia, split 10 for 1 in June 2024: the next report counts new shares, also for the year before."""
    half_years = [
        figure(concept, value, end, 6)
        for end, income in ((JUNE, 60), (LAST_JUNE, 40))
        for concept, value in ((Concept.NET_INCOME, income), (Concept.DILUTED_EPS, income / 100))
    ]
    old = filed(year(income=90, eps=9, shares=10), date(2024, 2, 1))
    new = filed([*half_years, figure(Concept.SHARES, 100, JUNE)], date(2024, 7, 20))
    assert facts_of([*old, *new], split_in_june(10))["diluted_eps_ttm"].value == pytest.approx(1.1)


def test_a_split_that_a_source_without_days_of_filing_may_not_know_makes_no_number_per_share() -> None:
    assert not facts_of(year(), split_in_june(4)).keys() & {"pe_ttm", "pb", "diluted_eps_ttm"}
    (reason,) = left_out(year(), split_in_june(4))
    assert reason == (
        "No diluted_eps_ttm, pe_ttm and pb: the shares were split 4 for 1 on 2024-06-10, after their newest count"
        " of 2023-12-31, and a source does not say when that was filed."
    )
    assert "pe_ttm" in facts_of([*year(), figure(Concept.SHARES, 10, JUNE)], split_in_june(4))


@pytest.mark.parametrize("factor", [1.281, 1.046, 1 / 0.913])
def test_what_was_spun_off_since_the_report_is_no_split_and_makes_no_number_per_share(factor: float) -> None:
    figures = filed(year(), date(2024, 2, 1))
    assert not facts_of(figures, split_in_june(factor)).keys() & {"pe_ttm", "pb", "diluted_eps_ttm"}
    (reason,) = left_out(figures, split_in_june(factor))
    assert f"prices of before 2024-06-10 are divided by {factor:g}, as where a part is spun off" in reason
    after = facts_of(filed(year(), date(2024, 7, 20)), split_in_june(factor))
    assert after["diluted_eps_ttm"].value == 10
