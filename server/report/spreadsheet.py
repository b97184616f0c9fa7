"""The report as CSV (RFC 4180): one row for each stock, numbers as they are stored."""

import csv
from collections.abc import Mapping
from io import StringIO
from typing import TypeAlias

from handlers.verdict import Action, Verdict
from server.report.content import Report, StockReport
from server.report.wording import visible

Cell: TypeAlias = str | float | None

# A spreadsheet takes a text that begins so for a formula, and those can send data away. The last four are wide forms.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_of(report: Report) -> str:
    """Begins with a byte order mark, without which Excel does not read UTF-8. What is not known is empty.

    Behind the columns of the stock stand all facts by name; docs/facts.md has their units.
    """
    rows = [{**_row(each), **{fact.name: fact.value for fact in each.brief.facts}} for each in report.stocks]
    file = StringIO()
    writer = csv.DictWriter(file, dict.fromkeys(name for row in rows for name in row))
    writer.writeheader()
    writer.writerows({name: _safe(cell) for name, cell in row.items()} for row in rows)
    return f"\ufeff{file.getvalue()}"


def _safe(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    text = visible(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(each: StockReport) -> Mapping[str, Cell]:
    position, [quality] = each.brief.position, each.brief.quality
    # That of the price. What was paid in several currencies has no average.
    currency = each.stock.exchange.currency
    is_paid_in_it = all(held.currency == currency for held in each.holdings)
    return {
        "stock": str(each.stock),
        "name": each.name,
        "sector": each.sector,
        "accounts": "; ".join(held.account for held in each.holdings),
        "quantity": position and position.quantity,
        "average_price": position.average_price if position and is_paid_in_it else None,
        "currency": currency,
        "value": None if each.value is None else float(each.value),
        "gain_percent": None if each.gain_percent is None else float(each.gain_percent),
        "weight_percent": each.weight and float(each.weight.value),
        "prices": quality.state,
        "prices_age_days": quality.age_days,
        "why_missing": each.missing,
        **_verdict(each),
    }


def _verdict(each: StockReport) -> Mapping[str, Cell]:
    verdict, before = each.verdict, each.before
    return {
        "action": verdict and verdict.action.value,
        "conviction": verdict and _conviction(verdict),
        "horizon_months": verdict and verdict.horizon_months,
        "analyst": verdict and verdict.analyst.value,
        "model": verdict and verdict.model,
        "judged_at": verdict and verdict.judged_at.isoformat(),
        "data_as_of": verdict and verdict.as_of and verdict.as_of.isoformat(),
        "action_before": before and before.action.value,
        "conviction_before": before and _conviction(before),
        "reason": verdict and verdict.reason,
        "thesis": verdict and verdict.thesis,
    }


def _conviction(verdict: Verdict) -> float | None:
    """None without a view."""
    return None if verdict.action is Action.INSUFFICIENT_DATA else verdict.conviction
