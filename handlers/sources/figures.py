"""What a company reported, as a source of fundamentals gives it; ratios of it are computed elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol

from handlers.stocks import Stock


class Concept(StrEnum):
    """What a figure counts; over a period, or (the last three) at its end."""

    REVENUE = "revenue"
    GROSS_PROFIT = "gross_profit"
    OPERATING_INCOME = "operating_income"
    NET_INCOME = "net_income"
    DILUTED_EPS = "diluted_eps"
    OPERATING_CASH_FLOW = "operating_cash_flow"
    CAPEX = "capex"
    EQUITY = "equity"
    DEBT = "debt"
    SHARES = "shares"


INSTANTS = frozenset({Concept.EQUITY, Concept.DEBT, Concept.SHARES})


@dataclass(frozen=True, slots=True, kw_only=True)
class FundamentalFigure:
    """One reported number.

    `unit` is an ISO 4217 code (also of earnings per share), or `shares`. `period_start` and `period_end` are both
    included; an instant has no start. Capex is what was spent, so mostly positive. `filed` and `form`
    ("10-Q 0000320193-24-000081") are None where the source does not say. What was reported twice comes twice.
    """

    concept: Concept
    period_start: date | None
    period_end: date
    filed: date | None
    value: float
    unit: str
    form: str | None
    source: str


class FundamentalsSource(Protocol):
    """`name` is its short name in settings and results."""

    @property
    def name(self) -> str: ...

    def covers(self, stock: Stock, /) -> bool:
        """Whether the source has anything of the stock's market; else it is not asked, and nothing is said of it."""
        ...

    async def figures(self, stock: Stock) -> Sequence[FundamentalFigure]:
        """What the company of the stock reported in the last years; at least one figure.

        Raises:
            SourceError: there are none to give.
        """
        ...
