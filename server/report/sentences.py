"""What every format for people says in the same words."""

from collections.abc import Iterator

from handlers.stocks import Stock
from handlers.verdict import Catalyst, Evidence, Verdict
from server.report.chart import Chart
from server.report.content import Changes, Making, Report, StockReport
from server.report.wording import label, number, plural, quantity


def overview(report: Report) -> str:
    held = plural(sum(bool(each.holdings) for each in report.stocks), "stock")
    judged = plural(sum(each.verdict is not None for each in report.stocks), "stock")
    return f"{held} held in {plural(len(report.accounts), 'account')}; {judged} judged."


def judged_by(verdict: Verdict) -> str:
    match verdict.analyst:
        case "claude":
            return f"Judged by Claude ({verdict.model})"
        case "baseline":
            return "Judged by the baseline analyst (rules over the numbers, no Claude)"
        case _:
            return "Judged by nobody"


def held(each: StockReport) -> str:
    """What each account holds."""
    parts = [
        f"{quantity(own.quantity)} in {own.account} at {number(own.average_price)} {own.currency} on average"
        for own in each.holdings
    ]
    return f"Held: {'; '.join(parts)}." if parts else "Not held now."


def derived(evidence: Evidence) -> str:
    """How the value comes from two facts; empty for a copy of one."""
    return "" if evidence.operation is None else f"{label(evidence.operation).lower()} with"


def event(catalyst: Catalyst) -> str:
    return catalyst.what if catalyst.date is None else f"{catalyst.date}: {catalyst.what}"


def about(chart: Chart, each: StockReport) -> str:
    """All that a look at the chart would tell."""
    high, low, last = chart.high.bar, chart.low.bar, chart.last.bar
    return (
        f"Closes of {each.stock} in {each.stock.exchange.currency}, {chart.first.day} to {last.day}:"
        f" first {number(chart.first.close)}, highest {number(high.close)} ({high.day}),"
        f" lowest {number(low.close)} ({low.day}), last {number(last.close)}."
    )


def no_chart(each: StockReport) -> str:
    return " ".join(
        ["Fewer than two closes of the last year are stored.", *([each.missing] if each.missing else [])]
    )


def since(changes: Changes) -> str:
    """What stands before "of", the moment and how many it judged."""
    return (
        "Since the review"
        if changes.since.is_whole
        else "No review of the portfolio is known. Since the analysis"
    )


def changed(changes: Changes) -> str:
    judged, views, holdings = changes.judged, len(changes.views), len(changes.holdings)
    return (
        f"{plural(judged, 'stock')} judged, {plural(views, 'view')} changed,"
        f" {plural(holdings, 'holding')} changed."
    )


def freshness(report: Report) -> str:
    counts = (f"{plural(count, 'stock')} with {state} prices" for state, count in report.freshness.items())
    return f"{', '.join(counts)}."


def lacking(report: Report) -> Iterator[tuple[Stock, str]]:
    """Each stock whose prices are old, missing or in another currency than the holding."""
    for each in report.stocks:
        for quality in each.brief.quality:
            if quality.state != "fresh":
                age = plural(quality.age_days or 0, "day")
                yield each.stock, each.missing or f"The newest {quality.kind} are {age} old."
        if any(held.last_close is not None and held.value is None for held in each.holdings):
            yield each.stock, "A holding of it is in another currency than its price, and has no known value."


def how_made(making: Making) -> Iterator[str]:
    by = ", ".join(f"{count} by {analyst}" for analyst, count in sorted(making.analysts.items()))
    yield f"Verdicts: {by or 'none'}."
    if making.cost_usd is None:
        yield "No Claude session stands behind them, so they cost nothing."
        return
    least = "at least " if making.at_least or making.unknown_cost else ""
    yield (
        f"Claude sessions behind them: {making.sessions}, {least}{making.cost_usd:.2f} USD. {making.billing}"
        f" Model: {', '.join(making.models)}; version of the instructions: {', '.join(making.prompts)}."
    )
    if making.unknown_cost:
        yield f"The cost of {making.unknown_cost} of them is not known."
