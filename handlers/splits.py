"""Reports from before a split: they count other shares than today's prices do."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import TypeAlias

from handlers.sources.base import Bar
from handlers.sources.figures import Concept, FundamentalFigure

# Shares are split 4 for 1, 3 for 2, 21 for 20 or 1 for 50. Yahoo lists what is spun off as well, by what it took from
# the price: 1.281 for General Electric of January 2023, of which nobody got more shares.
_SMALL, _THOUSANDTHS = 20, 1000

Splits: TypeAlias = Mapping[date, float]
"""By their day, how many shares stand for one of before."""


def splits_of(bars: Sequence[Bar]) -> Splits:
    return {bar.day: bar.split for bar in bars if bar.split is not None}


def on_todays_shares(figures: Sequence[FundamentalFigure], splits: Splits) -> Iterator[FundamentalFigure]:
    """The same figures; those that count shares, with the splits worked in that came after they were filed.

    A split from before the filing is in its figures, of earlier periods too (SEC Staff Accounting Bulletin, topic 4.C).
    """
    for figure in figures:
        filed = figure.filed
        later = [by for day, by in splits.items() if filed is not None and day > filed and _is_of_shares(by)]
        if not later or figure.concept not in (Concept.DILUTED_EPS, Concept.SHARES):
            yield figure
        else:
            factor = math.prod(later)
            form = f"{figure.form or 'report'}; later split of {factor:g} for 1 worked in"
            value = figure.value * factor if figure.concept is Concept.SHARES else figure.value / factor
            yield replace(figure, value=value, form=form)


def why_none_per_share(figures: Sequence[FundamentalFigure], splits: Splits) -> str | None:
    """What happened since the newest count of shares, if it cannot be worked into the figures."""
    counts = [figure for figure in figures if figure.concept is Concept.SHARES]
    newest = max(counts, key=lambda figure: figure.period_end, default=None)
    if newest is None:
        return None
    for day, by in splits.items():
        if day > (newest.filed or newest.period_end) and not _is_of_shares(by):
            return f"prices of before {day} are divided by {by:g}, as where a part is spun off, since the last report"
        if day > newest.period_end and newest.filed is None:
            return (
                f"the shares were split {by:g} for 1 on {day}, after their newest count of {newest.period_end}, and"
                f" {newest.source} does not say when that was filed"
            )
    return None


def _is_of_shares(factor: float) -> bool:
    return min(Fraction(factor).limit_denominator(_THOUSANDTHS).as_integer_ratio()) <= _SMALL
