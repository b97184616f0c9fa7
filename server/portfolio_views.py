"""How holdings are shown. A number that is not known is null, never a zero or a guess."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from handlers.portfolio import Account, accounts
from handlers.valuation import CurrencyTotal, ValuedHolding, currency_totals, value_holdings
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
