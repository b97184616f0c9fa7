"""How holdings and verdicts are shown. A number that is not known is null, never a zero or a guess."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from handlers.portfolio import Account, accounts
from handlers.valuation import CurrencyTotal, ValuedHolding, currency_totals, value_holdings
from handlers.verdict import DISCLAIMER, Evidence, Verdict
from queues.database import Transaction
from server.shortening import that_fit
from server.views import View


class AccountView(View):
    name: str
    source: str
    synced_at: datetime
    holdings: int

    @classmethod
    def of(cls, account: Account) -> "AccountView":
        return cls(
            name=account.name, source=account.source, synced_at=account.taken_at, holdings=account.holdings
        )


class HoldingView(View):
    """Money is in `currency`. `value` is quantity × last close; null where no close is known."""

    account: str
    stock: str
    name: str | None
    sector: str | None
    quantity: float
    average_price: float
    currency: str
    last_close: float | None
    last_close_as_of: date | None
    last_close_fact: str | None
    value: float | None
    gain_percent: float | None

    @classmethod
    def of(cls, valued: ValuedHolding) -> "HoldingView":
        holding, close = valued.held.holding, valued.last_close
        return cls(
            account=valued.held.account,
            stock=str(holding.stock),
            name=holding.name,
            sector=holding.sector,
            quantity=float(holding.quantity),
            average_price=float(holding.average_price),
            currency=holding.currency,
            last_close=None if close is None else close.value,
            last_close_as_of=None if close is None else close.as_of,
            last_close_fact=None if close is None else close.id,
            value=_rounded(valued.value),
            gain_percent=_gain(valued.value, valued.cost),
        )


class TotalView(View):
    """Sums of one currency: `cost` of all holdings, `value` of the `priced` ones, null if there are none.

    `gain_percent` is that of the priced ones.
    """

    currency: str
    cost: float
    value: float | None
    gain_percent: float | None
    priced: int
    unpriced: int

    @classmethod
    def of(cls, total: CurrencyTotal) -> "TotalView":
        return cls(
            currency=total.currency,
            cost=float(round(total.cost, 2)),
            value=float(round(total.value, 2)) if total.priced else None,
            gain_percent=_gain(total.value, total.cost_of_priced) if total.priced else None,
            priced=total.priced,
            unpriced=total.unpriced,
        )


class PortfolioView(View):
    """What is held now. `next_cursor` goes into the next call; null means that this was the last page."""

    accounts: list[AccountView]
    totals: list[TotalView]
    total: int
    holdings: list[HoldingView]
    next_cursor: str | None
    message: str


def portfolio_view(tx: Transaction, account: str | None, *, offset: int, limit: int) -> PortfolioView:
    """The holdings from the `offset`th on, at most `limit` and what fits a page. `account` as it is stored."""
    valued = value_holdings(tx, account)
    holdings = that_fit(HoldingView.of(each) for each in valued[offset : offset + limit])
    end = offset + len(holdings)
    return PortfolioView(
        accounts=[AccountView.of(each) for each in accounts(tx) if account in (None, each.name)],
        totals=[TotalView.of(total) for total in currency_totals(valued)],
        total=len(valued),
        holdings=holdings,
        next_cursor=str(end) if end < len(valued) else None,
        message=" ".join(_remarks(valued)) if valued else "Nothing is held; sync a broker's export.",
    )


def _remarks(valued: Sequence[ValuedHolding]) -> list[str]:
    remarks = [f"{len(valued)} holdings."]
    without_close = sum(each.last_close is None for each in valued)
    if without_close:
        remarks.append(
            f"{without_close} have no known close; enqueue_data_fetch says whether a source has it."
        )
    other_currency = sum(each.last_close is not None and each.value is None for each in valued)
    if other_currency:
        remarks.append(
            f"{other_currency} are held in another currency than their price; nothing is converted."
        )
    return remarks


def _rounded(value: Decimal | None) -> float | None:
    return None if value is None else float(round(value, 2))


def _gain(value: Decimal | None, cost: Decimal) -> float | None:
    return None if value is None or not cost else float(round((value / cost - 1) * 100, 2))


class EvidenceView(View):
    """`value` as the analyst printed it; the fact, its unit, date, source and inputs as stored."""

    claim: str
    fact_id: str
    fact: str
    value: float
    unit: str
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
            as_of=evidence.as_of,
            source=evidence.source,
            inputs=evidence.inputs,
        )


class VerdictDetailView(View):
    evidence: list[EvidenceView]
    bull_points: list[str]
    bear_points: list[str]
    risks: list[str]
    would_change_view: list[str]
    data_quality: list[str]
    session_id: str | None
    model: str | None

    @classmethod
    def of(cls, verdict: Verdict) -> "VerdictDetailView":
        return cls(
            evidence=[EvidenceView.of(each) for each in verdict.evidence],
            bull_points=list(verdict.bull_points),
            bear_points=list(verdict.bear_points),
            risks=list(verdict.risks),
            would_change_view=list(verdict.would_change_view),
            data_quality=[
                f"{each.kind}: {each.state}"
                + ("" if each.age_days is None else f", {each.age_days} days old")
                for each in verdict.data_quality
            ],
            session_id=verdict.session_id,
            model=verdict.model,
        )


class VerdictView(View):
    """`analyst` says who judged: claude, baseline (rules over the numbers) or none (there was no data)."""

    stock: str
    action: str
    conviction: float
    horizon_months: int | None
    analyst: str
    thesis: str
    reason: str | None
    as_of: date | None
    created_at: datetime
    task_id: str
    detail: VerdictDetailView | None

    @classmethod
    def of(cls, verdict: Verdict, *, full: bool) -> "VerdictView":
        return cls(
            stock=str(verdict.stock),
            action=verdict.action,
            conviction=verdict.conviction,
            horizon_months=verdict.horizon_months,
            analyst=verdict.analyst,
            thesis=verdict.thesis,
            reason=verdict.reason,
            as_of=verdict.as_of,
            created_at=verdict.created_at,
            task_id=verdict.task_id,
            detail=VerdictDetailView.of(verdict) if full else None,
        )


class VerdictPage(View):
    """The newest verdict of each stock, by symbol. `unknown` were asked for and have none yet."""

    total: int
    verdicts: list[VerdictView]
    unknown: list[str]
    next_cursor: str | None
    disclaimer: str = DISCLAIMER


def verdict_page(
    verdicts: Sequence[Verdict], *, limit: int, full: bool, total: int, unknown: Iterable[str] = ()
) -> VerdictPage:
    """As many of these as fit a page, at most `limit`; given one more than that, another page follows."""
    shown = that_fit(VerdictView.of(verdict, full=full) for verdict in verdicts[:limit])
    return VerdictPage(
        total=total,
        verdicts=shown,
        unknown=list(unknown),
        next_cursor=shown[-1].stock if len(shown) < len(verdicts) else None,
    )
