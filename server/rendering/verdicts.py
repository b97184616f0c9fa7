"""Verdicts as a table, and in full: evidence, the fact behind it, its source, and the audit."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from handlers.verdict import Action
from server.rendering.console import ACTIONS, moment, right
from server.report.wording import conviction
from server.verdict_views import (
    AuditView,
    EvidenceView,
    SessionView,
    VerdictDetailView,
    VerdictPage,
    VerdictView,
)


def verdict_table(verdicts: Sequence[VerdictView], disclaimer: str) -> RenderableType:
    """A line for each. The stock is never cut, its reason is."""
    days = sorted({verdict.as_of.isoformat() for verdict in verdicts if verdict.as_of is not None})
    title = (
        f"Verdicts, from prices of {' to '.join(dict.fromkeys([days[0], days[-1]]))}" if days else "Verdicts"
    )
    why = Column("why", no_wrap=True, overflow="ellipsis", ratio=1)
    whole = [Column(name, no_wrap=True) for name in ("stock", "verdict")]
    judged_by = Column("judged by", no_wrap=True)
    table = Table(*whole, right("conviction"), judged_by, why, title=title)
    table.box, table.expand, table.padding = SIMPLE_HEAD, True, (0, 1, 0, 0)
    for verdict in verdicts:
        table.add_row(
            verdict.stock,
            _action(verdict.action),
            conviction(verdict.conviction, verdict.action),
            verdict.analyst,
            verdict.thesis.partition(". ")[0],
        )
    return Group(table, Text(disclaimer, style="dim"))


def verdict_page(page: VerdictPage, *, is_chosen: bool = False, twins: Sequence[str] = ()) -> RenderableType:
    """In full where the page is; what has no verdict is named, and which `twins` of other exchanges have one.

    With `is_chosen`, it is of one action alone.
    """
    shown: list[RenderableType] = []
    if page.verdicts and page.verdicts[0].detail is not None:
        shown = [
            *(part for verdict in page.verdicts for part in _whole(verdict)),
            Text(page.disclaimer, "dim"),
        ]
    elif page.verdicts:
        shown = [verdict_table(page.verdicts, page.disclaimer)]
    elif not page.unknown:
        none = "There is no such verdict" if is_chosen else "There are no verdicts"
        shown = [Text(f"{none} yet; ask Claude to review a portfolio, or to analyse a stock.")]
    if page.unknown:
        judged = f" But there is one of {' and '.join(twins)}." if twins else ""
        shown.append(Text(f"No verdict yet: {', '.join(page.unknown)}.{judged}"))
    return Group(*shown)


def _action(action: str) -> Text:
    known = Action(action)
    return Text("no data" if known is Action.INSUFFICIENT_DATA else known, ACTIONS[known])


def _whole(verdict: VerdictView) -> Iterator[RenderableType]:
    assert verdict.detail is not None
    horizon = "" if verdict.horizon_months is None else f", {verdict.horizon_months} months"
    data = "no data" if verdict.as_of is None else f"data of {verdict.as_of}"
    sure = f"conviction {conviction(verdict.conviction, verdict.action)}{horizon}"
    made = f"{sure}; {verdict.analyst}, {moment(verdict.judged_at)}, {data}"
    yield Text.assemble((verdict.stock, "bold"), "  ", _action(verdict.action), f"  {made}")
    yield _indented(verdict.thesis if verdict.reason is None else f"{verdict.thesis} ({verdict.reason})")
    for evidence in verdict.detail.evidence:
        yield _point(evidence.claim, _fact(evidence))
    for name, points in _points(verdict.detail):
        yield _indented(f"{name}:")
        yield from map(_point, points)
    for line in _audit(verdict.detail.audit):
        yield _indented(line, "dim")
    yield Text()


def _indented(text: str, style: str = "") -> RenderableType:
    return Padding(Text(text, style, overflow="fold"), (0, 0, 0, 2))


def _point(text: str, below: str = "") -> RenderableType:
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_row("  -", Text(text, overflow="fold"))
    if below:
        row.add_row("", Text(below, "dim", overflow="fold"))
    return row


def _fact(evidence: EvidenceView) -> str:
    """What the claim stands on, as it is stored."""
    by = "" if evidence.operation is None else f" ({evidence.operation} with {evidence.other_fact_id})"
    number = f"{evidence.value:,.15g} {evidence.unit}{by}"
    inputs = f": {evidence.inputs}" if evidence.inputs else ""
    return f"{evidence.fact_id} {evidence.fact} = {number}, {evidence.as_of}, from {evidence.source}{inputs}"


def _points(detail: VerdictDetailView) -> Iterator[tuple[str, Sequence[str]]]:
    named = {
        "For": detail.bull_points,
        "Against": detail.bear_points,
        "Risks": detail.risks,
        "Would change the view": detail.would_change_view,
        "Catalysts": detail.catalysts,
        "Data": detail.data_quality,
    }
    yield from ((name, points) for name, points in named.items() if points)


def _audit(audit: AuditView) -> Iterator[str]:
    if audit.session is not None:
        yield _session(audit.session)
    if audit.refusals:
        yield f"Refused before: {'; '.join(audit.refusals)}"
    if audit.previous is not None:
        before = audit.previous
        changes = f"; {'; '.join(audit.changes)}" if audit.changes else ""
        sure = conviction(before.conviction, before.action)
        yield f"Before: {before.action} {sure} of {moment(before.judged_at)}{changes}"


def _session(session: SessionView) -> str:
    least = "at least " if session.at_least else ""
    cost = "unknown cost" if session.cost_usd is None else f"{least}${session.cost_usd:.2f}"
    turns = "unknown" if session.turns is None else session.turns
    return f"Session {session.session_id}: {session.model}, {turns} turns, {cost}"
