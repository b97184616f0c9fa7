"""How verdicts are shown, in short and with all that stands behind them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from handlers.analyst.costs import Session
from handlers.audit import Audit, audit_of
from handlers.verdict import DISCLAIMER, Evidence, Verdict
from queues.database import Transaction
from server.shortening import MOST_IDS, that_fit
from server.views import View


class EvidenceView(View):
    """`value` and `unit` as the analyst printed them; the fact, its date, source and inputs as stored.

    A derived value is the `operation` (difference, ratio, percent_change) of this fact and the one of other_fact_id.
    """

    claim: str
    fact_id: str
    fact: str
    value: float
    unit: str
    operation: str | None
    other_fact_id: str | None
    as_of: date
    source: str
    inputs: str

    @classmethod
    def of(cls, evidence: Evidence) -> "EvidenceView":
        return cls(
            claim=evidence.claim,
            fact_id=evidence.fact_id,
            fact=evidence.name,
            value=evidence.value,
            unit=evidence.unit,
            operation=evidence.operation,
            other_fact_id=evidence.other_fact_id,
            as_of=evidence.as_of,
            source=evidence.source,
            inputs=evidence.inputs,
        )


class SessionView(View):
    """The Claude session that judged, over all its `stocks`. `at_least`: its end was not seen, so it cost no less."""

    session_id: str
    stocks: list[str]
    prompt_version: str
    model: str
    turns: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    at_least: bool

    @classmethod
    def of(cls, session: Session) -> "SessionView":
        spent = session.spent
        return cls(
            session_id=session.session_id,
            stocks=list(session.stocks),
            prompt_version=session.prompt_version,
            model=session.model,
            turns=spent.turns,
            input_tokens=spent.input_tokens,
            output_tokens=spent.output_tokens,
            cost_usd=spent.cost_usd,
            at_least=session.at_least,
        )


class PreviousView(View):
    action: str
    conviction: float
    judged_at: datetime

    @classmethod
    def of(cls, verdict: Verdict) -> "PreviousView":
        return cls(action=verdict.action, conviction=verdict.conviction, judged_at=verdict.judged_at)


class AuditView(View):
    """`inputs` is all that the analyst was given of the stock, a fact or text a line; `inputs_hash` its SHA-256.

    `refusals` are the submissions that were refused before this one, `changes` how it differs from `previous`.
    """

    inputs_hash: str | None
    inputs: list[str]
    session: SessionView | None
    refusals: list[str]
    previous: PreviousView | None
    changes: list[str]

    @classmethod
    def of(cls, verdict: Verdict, audit: Audit) -> "AuditView":
        return cls(
            inputs_hash=verdict.inputs,
            inputs=list(_lines(audit.inputs or {})),
            session=None if audit.session is None else SessionView.of(audit.session),
            refusals=list(audit.refusals),
            previous=None if audit.previous is None else PreviousView.of(audit.previous),
            changes=list(audit.changes),
        )


def _lines(inputs: Mapping[str, Any]) -> Iterator[str]:
    if "holding" in inputs:
        held = inputs["holding"]
        weight = f", {held['weight_percent']:g} percent" if "weight_percent" in held else ""
        yield f"holding: {held['quantity']:g} shares at {held['average_price']:g} {held['currency']}{weight}"
    for fact in inputs.get("facts", ()):
        origin = f"{fact['source']}: {fact['inputs']}" if fact["inputs"] else fact["source"]
        yield f"{fact['id']} {fact['name']} {fact['value']} {fact['unit']}, {fact['as_of']}, {origin}"
    for text in inputs.get("texts", ()):
        yield f"{text['id']} {text['kind']}, {text['date']}, {text['source']}: {text['title']}. {text['text']}"


class VerdictDetailView(View):
    evidence: list[EvidenceView]
    bull_points: list[str]
    bear_points: list[str]
    risks: list[str]
    would_change_view: list[str]
    catalysts: list[str]
    data_quality: list[str]
    audit: AuditView

    @classmethod
    def of(cls, tx: Transaction, verdict: Verdict) -> "VerdictDetailView":
        return cls(
            evidence=[EvidenceView.of(each) for each in verdict.evidence],
            bull_points=list(verdict.bull_points),
            bear_points=list(verdict.bear_points),
            risks=list(verdict.risks),
            would_change_view=list(verdict.would_change_view),
            catalysts=[
                each.what if each.date is None else f"{each.date}: {each.what}" for each in verdict.catalysts
            ],
            data_quality=[
                f"{each.kind}: {each.state}"
                + ("" if each.age_days is None else f", {each.age_days} days old")
                for each in verdict.data_quality
            ],
            audit=AuditView.of(verdict, audit_of(tx, verdict)),
        )


class VerdictView(View):
    """`analyst` says who judged: claude, baseline (rules over the numbers) or none (there was no data).

    `judged_at` is before `created_at` where nothing had changed since, so that the verdict was renewed unpaid.
    """

    stock: str
    action: str
    conviction: float
    horizon_months: int | None
    analyst: str
    thesis: str
    reason: str | None
    as_of: date | None
    judged_at: datetime
    created_at: datetime
    task_id: str
    detail: VerdictDetailView | None

    @classmethod
    def of(cls, tx: Transaction, verdict: Verdict, *, full: bool) -> "VerdictView":
        return cls(
            stock=str(verdict.stock),
            action=verdict.action,
            conviction=verdict.conviction,
            horizon_months=verdict.horizon_months,
            analyst=verdict.analyst,
            thesis=verdict.thesis,
            reason=verdict.reason,
            as_of=verdict.as_of,
            judged_at=verdict.judged_at,
            created_at=verdict.created_at,
            task_id=verdict.task_id,
            detail=VerdictDetailView.of(tx, verdict) if full else None,
        )


class VerdictPage(View):
    """The newest verdict of each stock, by symbol. `unknown` were asked for and have none yet; 100 are named."""

    total: int
    verdicts: list[VerdictView]
    unknown: list[str]
    next_cursor: str | None
    disclaimer: str = DISCLAIMER


def verdict_page(
    tx: Transaction,
    verdicts: Sequence[Verdict],
    *,
    limit: int,
    full: bool,
    total: int,
    unknown: Iterable[str] = (),
) -> VerdictPage:
    """As many of these as fit a page, at most `limit`; given one more than that, another page follows."""
    shown = that_fit(VerdictView.of(tx, verdict, full=full) for verdict in verdicts[:limit])
    return VerdictPage(
        total=total,
        verdicts=shown,
        unknown=list(islice(unknown, MOST_IDS)),
        next_cursor=shown[-1].stock if len(shown) < len(verdicts) else None,
    )
