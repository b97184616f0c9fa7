"""What a company reported, by period: the newest filing of each, and twelve months put together from several."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from handlers.sources.figures import Concept, FundamentalFigure

# Days of a period in months; a quarter may have 12 to 14 weeks, a year 52 or 53.
_LENGTHS: Mapping[int, range] = {
    3: range(80, 101),
    6: range(170, 191),
    9: range(260, 286),
    12: range(350, 381),
}
_QUARTERS = 4
# A company's year may end a week earlier or later than the last.
_WEEK = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class Amount:
    """A reported or added-up number; `inputs` says of which periods and filings."""

    value: float
    end: date
    inputs: str
    source: str


@dataclass(frozen=True, slots=True)
class Reports:
    """The figures whose money is in `unit`, each period once. No answer has an end before `since`."""

    unit: str
    since: date
    by_period: Mapping[tuple[Concept, int, date], Amount]

    @classmethod
    def of(cls, figures: Sequence[FundamentalFigure], currency: str, since: date) -> "Reports":
        """Money in `currency` if the company reports in it at all, else in the unit of its newest figure."""
        money = [figure for figure in figures if figure.concept is not Concept.SHARES]
        newest = max(money, key=lambda figure: (figure.period_end, figure.unit), default=None)
        units = {figure.unit for figure in money}
        unit = currency if newest is None or currency in units else newest.unit
        kept: dict[tuple[Concept, int, date], FundamentalFigure] = {}
        for figure in figures:
            key = (figure.concept, _months(figure), figure.period_end)
            if figure.unit != ("shares" if figure.concept is Concept.SHARES else unit) or key[1] < 0:
                continue
            if key not in kept or _filed(figure) > _filed(kept[key]):
                kept[key] = figure
        return cls(unit, since, {key: _amount(figure, key[1]) for key, figure in kept.items()})

    def instants(self, concept: Concept) -> Mapping[date, Amount]:
        return {end: amount for end, amount in self.flows(concept, 0).items() if end >= self.since}

    def flows(self, concept: Concept, months: int) -> Mapping[date, Amount]:
        """Of every reported period of so many months, by its end; also the old ones."""
        return {
            end: amount
            for (of, length, end), amount in self.by_period.items()
            if (of, length) == (concept, months)
        }

    def ttm(self, concept: Concept) -> Mapping[date, Amount]:
        """Twelve months, by their end: as reported; else four quarters; else a year, moved on by the part of the next.

        The last is the year, plus the months since its end, less the same months of the year before.
        """
        ends = {end for of, length, end in self.by_period if of is concept and length and end >= self.since}
        found = {end: self._twelve_months(concept, end) for end in ends}
        return {end: amount for end, amount in found.items() if amount is not None}

    def year_on_year(self, concept: Concept, months: int) -> tuple[Amount, Amount] | None:
        """The newest period of so many months, and the same of the year before."""
        flows = self.flows(concept, months)
        new = max((end for end in flows if end >= self.since), default=None)
        old = None if new is None else _before(flows, new, 12)
        return None if new is None or old is None else (flows[new], old)

    def _twelve_months(self, concept: Concept, end: date) -> Amount | None:
        if reported := self.by_period.get((concept, 12, end)):
            return reported
        quarters = list(self._quarters_to(concept, end))
        if len(quarters) == _QUARTERS:
            return _sum(quarters, end)
        return next(self._moved_on(concept, end), None)

    def _quarters_to(self, concept: Concept, end: date) -> Iterator[Amount]:
        quarters = self.flows(concept, 3)
        quarter = quarters.get(end)
        for _ in range(_QUARTERS):
            if quarter is None:
                return
            yield quarter
            quarter = _before(quarters, quarter.end, 3)

    def _moved_on(self, concept: Concept, end: date) -> Iterator[Amount]:
        for months in (9, 6, 3):
            since_year = self.flows(concept, months)
            new, old = since_year.get(end), _before(since_year, end, 12)
            year = _before(self.flows(concept, 12), end, months)
            if new is not None and old is not None and year is not None:
                less = Amount(-old.value, old.end, f"less {old.inputs}", old.source)
                yield _sum([year, new, less], end)


def _months(figure: FundamentalFigure) -> int:
    """0 for an instant, -1 for a period of any other length."""
    if figure.period_start is None:
        return 0
    days = (figure.period_end - figure.period_start).days + 1
    return next((months for months, lengths in _LENGTHS.items() if days in lengths), -1)


def _filed(figure: FundamentalFigure) -> date:
    return figure.filed or date.min


def _amount(figure: FundamentalFigure, months: int) -> Amount:
    span = f"{months} months to" if months else "at"
    filing = f" ({figure.form})" if figure.form else ""
    return Amount(
        figure.value, figure.period_end, f"{figure.concept} {span} {figure.period_end}{filing}", figure.source
    )


def _before(amounts: Mapping[date, Amount], end: date, months: int) -> Amount | None:
    """The amount whose end lies so many months before, give or take ten days."""
    wanted = end - timedelta(days=round(months * 365.25 / 12))
    nearest = min(amounts, key=lambda each: abs(each - wanted), default=None)
    return None if nearest is None or abs(nearest - wanted) > _WEEK else amounts[nearest]


def _sum(parts: Sequence[Amount], end: date) -> Amount:
    sources = "; ".join(dict.fromkeys(part.source for part in parts))
    return Amount(
        math.fsum(part.value for part in parts), end, "; ".join(part.inputs for part in parts), sources
    )
