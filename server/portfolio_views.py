"""How holdings are shown. A number that is not known is null, never a zero or a guess."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby, islice

from handlers.analytics import PortfolioFact, Rate, portfolio_facts, read_betas
from handlers.brokers.holding import Holding
from handlers.portfolio import Account, accounts
from handlers.rates import has_foreign_money, rates_to
from handlers.valuation import CurrencyTotal, ValuedHolding, currency_totals, value_holdings
from queues.database import Transaction
from server.shortening import shortened_text, that_fit
from server.views import View

LARGEST = 5
MOST_SECTORS = 10


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
    """Money is in `currency`. `value` is quantity × last close; null where no close is known.

    `weight_percent` is the share of the stock, over the accounts shown, of all of this currency that has a price.
    """

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
    weight_percent: float | None

    @classmethod
    def of(cls, valued: ValuedHolding, weight: Decimal | None = None) -> "HoldingView":
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
            value=None if valued.value is None else _rounded(valued.value),
            gain_percent=_gain(valued.value, valued.cost),
            weight_percent=None if weight is None else _rounded(weight),
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
            cost=_rounded(total.cost),
            value=_rounded(total.value) if total.priced else None,
            gain_percent=_gain(total.value, total.cost_of_priced) if total.priced else None,
            priced=total.priced,
            unpriced=total.unpriced,
        )


class SpreadView(View):
    """How the priced holdings of one currency are spread: weights in percent, the five largest and ten sectors.

    `hhi` is the sum of the squared weights, `effective_number` its inverse. `beta` is null unless every stock has one.
    """

    currency: str
    as_of: date
    of: str
    top: dict[str, float]
    sectors: dict[str, float]
    hhi: float
    effective_number: float
    top_5_share_percent: float
    unrealised_gain: float
    beta: float | None

    @classmethod
    def of_facts(cls, facts: Sequence[PortfolioFact]) -> "SpreadView":
        """From the facts of one currency, the largest weights first."""
        whole = {fact.name: fact.value for fact in facts if not fact.of}
        weights = [(fact.of, _rounded(fact.value)) for fact in facts if fact.name == "weight"]
        sectors = [(fact.of, _rounded(fact.value)) for fact in facts if fact.name == "sector_weight"]
        return cls(
            currency=facts[0].currency,
            as_of=min(fact.as_of for fact in facts),
            of=shortened_text(facts[0].inputs),
            top=dict(weights[:LARGEST]),
            sectors=dict(sectors[:MOST_SECTORS]),
            hhi=float(round(whole["hhi"], 4)),
            effective_number=float(round(whole["effective_number"], 2)),
            top_5_share_percent=_rounded(whole["top_5_share"]),
            unrealised_gain=float(round(whole["unrealised_gain"], 2)),
            beta=float(round(whole["beta_1y"], 2)) if "beta_1y" in whole else None,
        )


class ConvertedView(View):
    """All that is held, priced and convertible, in the desk's base currency.

    `of` says how much that is, and names each rate with its day and source; `as_of` is the day of the oldest price or
    rate. Cost is converted at the same rates as value.
    """

    currency: str
    value: float
    unrealised_gain: float
    unrealised_gain_percent: float | None
    as_of: date
    of: str

    @classmethod
    def of_facts(cls, facts: Sequence[PortfolioFact]) -> "ConvertedView":
        """From those of the base currency."""
        whole = {fact.name: fact for fact in facts if not fact.of}
        value, percent = whole["value"], whole.get("unrealised_gain_percent")
        return cls(
            currency=value.currency,
            value=_rounded(value.value),
            unrealised_gain=_rounded(whole["unrealised_gain"].value),
            unrealised_gain_percent=None if percent is None else _rounded(percent.value),
            as_of=value.as_of,
            of=shortened_text(value.inputs),
        )


class PortfolioView(View):
    """What is held now. `next_cursor` goes into the next call; null means that this was the last page.

    `converted` is null unless a base currency is set, something foreign is held, and its rate is stored.
    """

    accounts: list[AccountView]
    totals: list[TotalView]
    spread: list[SpreadView]
    converted: ConvertedView | None
    total: int
    holdings: list[HoldingView]
    next_cursor: str | None
    message: str


def portfolio_view(
    tx: Transaction,
    account: str | None,
    *,
    offset: int = 0,
    limit: int | None = None,
    base: str | None = None,
) -> PortfolioView:
    """The holdings from the `offset`th on, at most `limit` and what fits a page, or all. `account` as it is stored."""
    valued = value_holdings(tx, account)
    facts = portfolio_facts(valued, read_betas(tx, valued))
    weights = {(fact.of, fact.currency): fact.value for fact in facts if fact.name == "weight"}
    rest = (
        HoldingView.of(each, weights.get((str(each.held.holding.stock), each.held.holding.currency)))
        for each in valued[offset:]
    )
    holdings = list(rest) if limit is None else that_fit(islice(rest, limit))
    end = offset + len(holdings)
    # Nobody needs any where nothing foreign is held.
    rates = None if base is None or not has_foreign_money(_holdings(valued), base) else rates_to(tx, base)
    return PortfolioView(
        accounts=[AccountView.of(each) for each in accounts(tx) if account in (None, each.name)],
        totals=[TotalView.of(total) for total in currency_totals(valued)],
        spread=[SpreadView.of_facts(list(own)) for _, own in groupby(facts, key=lambda fact: fact.currency)],
        converted=None if base is None or rates is None else _converted(valued, rates, base),
        total=len(valued),
        holdings=holdings,
        next_cursor=str(end) if end < len(valued) else None,
        message=" ".join(_remarks(valued, rates, base))
        if valued
        else "Nothing is held; sync a broker's export.",
    )


def _converted(valued: Sequence[ValuedHolding], rates: Sequence[Rate], base: str) -> ConvertedView | None:
    own = [fact for fact in portfolio_facts(valued, {}, rates, base) if fact.currency == base]
    return ConvertedView.of_facts(own) if own else None


def _holdings(valued: Sequence[ValuedHolding]) -> Iterator[Holding]:
    return (each.held.holding for each in valued)


def _remarks(
    valued: Sequence[ValuedHolding], rates: Sequence[Rate] | None, base: str | None
) -> Iterator[str]:
    yield f"{len(valued)} holdings."
    without_close = sum(each.last_close is None for each in valued)
    if without_close:
        yield f"{without_close} have no known close; enqueue_data_fetch says whether a source has it."
    other_currency = sum(each.last_close is not None and each.value is None for each in valued)
    if other_currency and base is None:
        yield f"{other_currency} are held in another currency than their price; nothing is converted."
    if rates is not None and not rates:
        yield f"Nothing is converted to {base}: no rate of it is stored yet; the next fetch asks for them."


def _rounded(value: Decimal) -> float:
    return float(round(value, 2))


def _gain(value: Decimal | None, cost: Decimal) -> float | None:
    return None if value is None or not cost else float(round((value / cost - 1) * 100, 2))
