"""Numbers about the portfolio as a whole: how it is spread, what it has gained, how it moves with its market.

Each is computed from the current holdings and facts whenever it is asked for, so it is never older than they are; it
has no id of its own, and names the facts that it was made of.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import TypeAlias

from handlers.facts import Fact, current_facts_called
from handlers.stocks import Stock
from handlers.valuation import ValuedHolding
from queues.database import Transaction

_TOP = 5
_NO_SECTOR = "not stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one unit of `currency` was worth in `base` on that day, as the source gave it."""

    currency: str
    base: str
    rate: Decimal
    day: date
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioFact:
    """A number about all holdings whose money is in `currency`, or is converted into it.

    `of` is the stock or sector that it is about, "" for the whole. `as_of` is the day of the oldest price or rate in
    it. `facts` are the ids of the facts that went in, `inputs` says what else did, and what is missing.
    """

    name: str
    of: str
    value: Decimal
    unit: str
    currency: str
    as_of: date
    facts: tuple[str, ...]
    inputs: str


@dataclass(frozen=True, slots=True)
class _Priced:
    """A stock over all accounts, its money in one currency."""

    stock: Stock
    sector: str
    value: Decimal
    cost: Decimal
    close: Fact


@dataclass(frozen=True)
class _Pool:
    """The priced stocks, the largest first, whose money is in one currency; `unpriced` belong to it, too."""

    currency: str
    priced: Sequence[_Priced]
    unpriced: Sequence[Stock]
    rates: Sequence[Rate]

    @cached_property
    def value(self) -> Decimal:
        return sum((each.value for each in self.priced), Decimal())

    @cached_property
    def facts(self) -> tuple[str, ...]:
        return tuple(each.close.id for each in self.priced)

    @cached_property
    def as_of(self) -> date:
        """The day of the oldest price or rate."""
        return min(*(each.close.as_of for each in self.priced), *(rate.day for rate in self.rates), date.max)

    @cached_property
    def inputs(self) -> str:
        parts = [f"{len(self.priced)} of {len(self.priced) + len(self.unpriced)} stocks"]
        if self.unpriced:
            parts.append(f"no price of {', '.join(map(str, self.unpriced))}")
        parts += [
            f"{rate.currency} at {rate.rate:f} {rate.base} of {rate.day} ({rate.source})"
            for rate in self.rates
        ]
        return "; ".join(parts)

    def weight(self, value: Decimal) -> Decimal:
        """The share of the priced stocks' value, 0 to 1."""
        return value / self.value


Betas: TypeAlias = Mapping[Stock, Fact]


def read_betas(tx: Transaction, holdings: Sequence[ValuedHolding]) -> Betas:
    """The current `beta_1y` of each held stock that has one."""
    stocks = {each.held.holding.stock for each in holdings}
    return {stock: fact for stock, fact in current_facts_called(tx, "beta_1y").items() if stock in stocks}


def portfolio_facts(
    holdings: Sequence[ValuedHolding], betas: Betas, rates: Sequence[Rate] = (), base: str | None = None
) -> list[PortfolioFact]:
    """Per currency: weights, sector weights, concentration, unrealised gain and beta, of what has a price.

    With `base`, holdings whose currency has a rate to it (the newest counts) are converted and join those in `base`;
    the others stay by themselves. Nothing is converted without a rate, but with one also what was paid in another
    currency than the price is in. Cost is converted at the same rates as value, those of today, so a gain has no change
    of a rate in it. Where nothing is priced, there is nothing.
    """
    newest = {rate.currency: rate for rate in sorted(rates, key=lambda rate: rate.day) if rate.base == base}
    return [fact for pool in _pools(holdings, newest) if pool.priced for fact in _facts(pool, betas)]


def _pools(holdings: Sequence[ValuedHolding], rates: Mapping[str, Rate]) -> Iterator[_Pool]:
    def pool_of(currency: str) -> str:
        return rates[currency].base if currency in rates else currency

    for currency in sorted({pool_of(each.held.holding.currency) for each in holdings}):
        own = [each for each in holdings if pool_of(each.held.holding.currency) == currency]
        # A stock that is priced in one account and not in another would have half a weight.
        unpriced = {
            each.held.holding.stock
            for each in own
            if each.last_close is None or pool_of(each.last_close.unit) != currency
        }
        by_stock: dict[Stock, list[ValuedHolding]] = {}
        for each in own:
            if each.held.holding.stock not in unpriced:
                by_stock.setdefault(each.held.holding.stock, []).append(each)
        priced = [_merged(stock, held, rates) for stock, held in by_stock.items()]
        priced.sort(key=lambda each: (-each.value, each.stock))
        paid_in = {each.held.holding.currency for each in own}
        foreign = sorted((paid_in | {each.close.unit for each in priced}) & rates.keys())
        yield _Pool(currency, priced, sorted(unpriced), [rates[each] for each in foreign])


def _merged(stock: Stock, held: Sequence[ValuedHolding], rates: Mapping[str, Rate]) -> _Priced:
    """One stock over accounts, in the currency of its pool."""
    close = held[0].last_close
    assert close is not None

    def converted(amount: Decimal, currency: str) -> Decimal:
        return amount * rates[currency].rate if currency in rates else amount

    price = converted(Decimal(str(close.value)), close.unit)
    sectors = [each.held.holding.sector for each in held if each.held.holding.sector]
    return _Priced(
        stock=stock,
        sector=sectors[0] if sectors else _NO_SECTOR,
        value=sum((each.held.holding.quantity * price for each in held), Decimal()),
        cost=sum((converted(each.cost, each.held.holding.currency) for each in held), Decimal()),
        close=close,
    )


def _facts(pool: _Pool, betas: Betas) -> Iterator[PortfolioFact]:
    weights = [pool.weight(each.value) for each in pool.priced]
    for each, weight in zip(pool.priced, weights, strict=True):
        yield _fact(pool, "weight", 100 * weight, "percent", of=str(each.stock))
    sectors: dict[str, Decimal] = {}
    for each, weight in zip(pool.priced, weights, strict=True):
        sectors[each.sector] = sectors.get(each.sector, Decimal()) + weight
    for sector, weight in sorted(sectors.items(), key=lambda item: (-item[1], item[0])):
        yield _fact(pool, "sector_weight", 100 * weight, "percent", of=sector)
    yield from _concentration(pool, weights)
    yield from _gains(pool)
    yield from _beta(pool, weights, betas)


def _concentration(pool: _Pool, weights: Sequence[Decimal]) -> Iterator[PortfolioFact]:
    """The Herfindahl-Hirschman index is the sum of the squared weights: 1 for a single stock.

    Its inverse, the effective number, is how many stocks of equal weight would be spread as much.
    """
    index = sum((weight * weight for weight in weights), Decimal())
    yield _fact(pool, "hhi", index, "ratio")
    yield _fact(pool, "effective_number", 1 / index, "stocks")
    yield _fact(pool, "top_5_share", 100 * sum(weights[:_TOP], Decimal()), "percent")


def _gains(pool: _Pool) -> Iterator[PortfolioFact]:
    cost = sum((each.cost for each in pool.priced), Decimal())
    yield _fact(pool, "value", pool.value, pool.currency)
    yield _fact(pool, "unrealised_gain", pool.value - cost, pool.currency)
    if cost:
        yield _fact(pool, "unrealised_gain_percent", 100 * (pool.value / cost - 1), "percent")


def _beta(pool: _Pool, weights: Sequence[Decimal], betas: Betas) -> Iterator[PortfolioFact]:
    """The weighted mean of the stocks' betas: only where each has one, and all are against one market."""
    known = [betas[each.stock] for each in pool.priced if each.stock in betas]
    markets = {each.stock.exchange.currency for each in pool.priced}
    if len(known) < len(pool.priced) or len(markets) > 1:
        return
    value = sum(
        (weight * Decimal(str(fact.value)) for weight, fact in zip(weights, known, strict=True)), Decimal()
    )
    yield _fact(pool, "beta_1y", value, "ratio", more=known)


def _fact(
    pool: _Pool, name: str, value: Decimal, unit: str, *, of: str = "", more: Sequence[Fact] = ()
) -> PortfolioFact:
    return PortfolioFact(
        name=name,
        of=of,
        value=value,
        unit=unit,
        currency=pool.currency,
        as_of=min(pool.as_of, *(fact.as_of for fact in more), date.max),
        facts=(*pool.facts, *(fact.id for fact in more)),
        inputs=pool.inputs,
    )
