"""Sums, ratios and growth, from what a company reported and the last close.

A flow (revenue, earnings, cash) counts over the newest twelve months that can be put together from reported periods,
an instant (equity, debt, shares) on its newest day. What was reported twice counts as last filed. Only figures of
one and the same end are compared with each other, and none is older than a late annual report would be.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from handlers.facts import NewFact
from handlers.reported import Amount, Reports
from handlers.sources.base import Bar
from handlers.sources.figures import Concept, FundamentalFigure
from handlers.splits import on_todays_shares, splits_of, why_none_per_share

# Twelve months of an annual report, and time to file the next.
OLDEST = timedelta(days=500)
# Earnings per share, net income and shares agree but for dilution, new shares and bought ones. Beyond that a split lies
# between them, or the shares are those of one class.
_AGREE = 1.3


@dataclass(frozen=True, slots=True)
class Fundamentals:
    """`left_out` has a sentence for each ratio that the figures are enough for, but that would mean something else."""

    facts: Sequence[NewFact]
    left_out: Sequence[str]


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """A ratio that must not be computed, and why."""

    reason: str


def fundamental_facts(
    figures: Sequence[FundamentalFigure], bars: Sequence[Bar], currency: str
) -> Fundamentals:
    """What the figures are enough for; `bars` are the stock's prices in `currency`, oldest first.

    Without figures or bars, nothing. Facts of figures alone are as of the period's end, those with a price in them as
    of its day. The splits of the bars are worked into what was reported before them.
    """
    found = list(_findings(figures, bars, currency))
    return Fundamentals(
        [each for each in found if isinstance(each, NewFact)],
        [each.reason for each in found if isinstance(each, _LeftOut)],
    )


def _findings(
    figures: Sequence[FundamentalFigure], bars: Sequence[Bar], currency: str
) -> Iterator[NewFact | _LeftOut]:
    if not figures or not bars:
        return
    splits = splits_of(bars)
    reports = Reports.of(list(on_todays_shares(figures, splits)), currency, since=bars[-1].day - OLDEST)
    yield from _sums(reports)
    yield from _margins(reports)
    yield from _balance(reports)
    yield from _growth(reports)
    if why := why_none_per_share(figures, splits):
        yield _LeftOut(f"No diluted_eps_ttm, pe_ttm and pb: {why}.")
    else:
        yield from _per_share(reports, bars[-1], currency)


def _sums(reports: Reports) -> Iterator[NewFact]:
    for concept in (Concept.REVENUE, Concept.NET_INCOME):
        if total := _newest(reports.ttm(concept)):
            yield _fact(f"{concept}_ttm", total.value, reports.unit, total)
    if free := _newest(_free_cash_flow(reports)):
        yield _fact("free_cash_flow_ttm", free.value, reports.unit, free)
    for concept in (Concept.EQUITY, Concept.DEBT):
        if instant := _newest(reports.instants(concept)):
            yield _fact(concept, instant.value, reports.unit, instant)


def _free_cash_flow(reports: Reports) -> Mapping[date, Amount]:
    """Cash from operations less what was spent on equipment."""
    spent = reports.ttm(Concept.CAPEX)
    return {
        end: Amount(
            earned.value - spent[end].value,
            end,
            f"{earned.inputs}; less capex, {spent[end].inputs}",
            earned.source,
        )
        for end, earned in reports.ttm(Concept.OPERATING_CASH_FLOW).items()
        if end in spent
    }


def _margins(reports: Reports) -> Iterator[NewFact]:
    revenue = reports.ttm(Concept.REVENUE)
    for name, part in (
        ("gross_margin_ttm", reports.ttm(Concept.GROSS_PROFIT)),
        ("operating_margin_ttm", reports.ttm(Concept.OPERATING_INCOME)),
        ("net_margin_ttm", reports.ttm(Concept.NET_INCOME)),
        ("free_cash_flow_margin_ttm", _free_cash_flow(reports)),
    ):
        yield from _share(name, part, revenue, 100, "percent")


def _balance(reports: Reports) -> Iterator[NewFact]:
    """Return on equity takes the equity at the end of the twelve months."""
    equity = reports.instants(Concept.EQUITY)
    yield from _share("roe_ttm", reports.ttm(Concept.NET_INCOME), equity, 100, "percent")
    yield from _share("debt_to_equity", reports.instants(Concept.DEBT), equity, 1, "ratio")


def _share(
    name: str, parts: Mapping[date, Amount], wholes: Mapping[date, Amount], scale: int, unit: str
) -> Iterator[NewFact]:
    """`scale` times the part by the whole, at the newest end of both; nothing of what is 0 or less."""
    ends = parts.keys() & wholes.keys()
    if not ends or wholes[max(ends)].value <= 0:
        return
    part, whole = parts[max(ends)], wholes[max(ends)]
    yield _fact(name, scale * part.value / whole.value, unit, part, f"{part.inputs}; by {whole.inputs}")


def _growth(reports: Reports) -> Iterator[NewFact | _LeftOut]:
    """The newest quarter, and the newest year, against the same of the year before."""
    for months, span in ((3, "quarter"), (12, "year")):
        if pair := reports.year_on_year(Concept.REVENUE, months):
            yield from _grown(f"revenue_growth_{span}", *pair)
        pair = reports.year_on_year(Concept.DILUTED_EPS, months)
        incomes = reports.flows(Concept.NET_INCOME, months)
        if pair is None or pair[0].end not in incomes or pair[1].end not in incomes:
            continue
        new, old = pair
        # The shares that each period's earnings were divided by; a loss by a loss is a number of shares, too.
        shares = [incomes[each.end].value / each.value for each in pair if each.value]
        if len(shares) == len(pair) and _agree(*shares):
            yield from _grown(f"eps_growth_{span}", new, old)
        else:
            yield _LeftOut(
                f"No eps_growth_{span}: earnings per share of {old.end} and {new.end} do not count the same shares."
            )


def _grown(name: str, new: Amount, old: Amount) -> Iterator[NewFact]:
    """Growth from nothing, or from a loss, is no percentage."""
    if old.value > 0:
        yield _fact(
            name, 100 * (new.value / old.value - 1), "percent", new, f"{new.inputs}; from {old.inputs}"
        )


def _per_share(reports: Reports, last: Bar, currency: str) -> Iterator[NewFact | _LeftOut]:
    """Price by earnings and by book value; only where earnings per share, net income and shares agree."""
    earnings, incomes = reports.ttm(Concept.DILUTED_EPS), reports.ttm(Concept.NET_INCOME)
    shares, equity = _newest(reports.instants(Concept.SHARES)), _newest(reports.instants(Concept.EQUITY))
    ends = earnings.keys() & incomes.keys()
    if not ends or shares is None or shares.value <= 0:
        return
    eps, income = earnings[max(ends)], incomes[max(ends)]
    if not eps.value or not _agree(income.value / eps.value, shares.value):
        yield _LeftOut(
            f"No pe_ttm and pb: earnings per share of {eps.value:g} and net income of {income.value:g} to {eps.end} do "
            f"not fit the {shares.value:.0f} shares of {shares.end}."
        )
        return
    yield _fact("diluted_eps_ttm", eps.value, reports.unit, eps)
    if reports.unit != currency:
        yield _LeftOut(
            f"No pe_ttm and pb: reported in {reports.unit}, priced in {currency}; nothing is converted."
        )
        return
    yield _by_price("pe_ttm", last, eps.value, "earnings", eps)
    if equity is not None:
        book = Amount(equity.value, equity.end, f"{equity.inputs}; by {shares.inputs}", equity.source)
        yield _by_price("pb", last, equity.value / shares.value, "equity", book)


def _by_price(name: str, last: Bar, per_share: float, what: str, used: Amount) -> NewFact | _LeftOut:
    if per_share <= 0:
        return _LeftOut(f"No {name}: {what} of {per_share:g} a share at {used.end} is not above 0.")
    return NewFact(
        name=name,
        value=last.close / per_share,
        unit="ratio",
        as_of=last.day,
        source=f"{used.source}; the price as last_close",
        inputs=f"close of {last.day}; by {used.inputs}",
    )


def _agree(one: float, other: float) -> bool:
    return one > 0 and other > 0 and abs(math.log(one / other)) <= math.log(_AGREE)


def _newest(amounts: Mapping[date, Amount]) -> Amount | None:
    return amounts[max(amounts)] if amounts else None


def _fact(name: str, value: float, unit: str, of: Amount, inputs: str | None = None) -> NewFact:
    return NewFact(
        name=name,
        value=value,
        unit=unit,
        as_of=of.end,
        source=of.source,
        inputs=of.inputs if inputs is None else inputs,
    )
