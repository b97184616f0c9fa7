"""What the desk knows of a stock when it is analysed: its facts and texts, its holding, how good the data is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from handlers.analytics import portfolio_facts
from handlers.facts import Fact, current_facts
from handlers.freshness import is_fresh
from handlers.grounding.units import PERCENT
from handlers.prices import last_fetch
from handlers.stocks import Stock
from handlers.texts import StoredText, recent_texts
from handlers.valuation import ValuedHolding, value_holdings
from handlers.verdict import DataQuality
from queues.database import Transaction


@dataclass(frozen=True, slots=True)
class Position:
    """How much of a stock is held: shares, and their average price in `currency` (ISO 4217).

    `weight_percent` is its share of the value of all that is held in this currency and has a price; None while that is
    not known.
    """

    quantity: float
    average_price: float
    currency: str
    weight_percent: float | None = None

    @property
    def numbers(self) -> list[tuple[float, str]]:
        """Its numbers with their units, which a verdict may repeat."""
        weight = [] if self.weight_percent is None else [(self.weight_percent, PERCENT)]
        return [(self.quantity, "shares"), (self.average_price, self.currency), *weight]


@dataclass(frozen=True, slots=True)
class StockBrief:
    """One stock as the analyst gets it.

    `quality` has no word on texts: old ones are left out, and that there are none means nothing as long as no
    source is asked for them.
    """

    stock: Stock
    facts: tuple[Fact, ...]
    quality: tuple[DataQuality, ...]
    position: Position | None = None
    texts: tuple[StoredText, ...] = ()


def read_briefs(tx: Transaction, stocks: Sequence[Stock], now: datetime) -> list[StockBrief]:
    """`now` is the desk's time: with the sample, it stands on the sample's last day."""
    positions = _positions(tx)
    briefs: list[StockBrief] = []
    for stock in stocks:
        facts = tuple(current_facts(tx, stock))
        quality = (_prices(tx, stock, facts, now),)
        texts = tuple(recent_texts(tx, stock, now))
        briefs.append(StockBrief(stock, facts, quality, positions.get(stock), texts))
    return briefs


def why_missing(tx: Transaction, stock: Stock) -> str:
    """Why there are no facts of this stock, in the words of its last fetch."""
    fetch = last_fetch(tx, stock)
    if fetch is None or fetch.reason is None:
        return f"No data of {stock} has been fetched."
    return no_data_because(stock, fetch.reason)


def no_data_because(stock: Stock, reason: str) -> str:
    return f"There is no data of {stock}: {reason}"


def _prices(tx: Transaction, stock: Stock, facts: Sequence[Fact], now: datetime) -> DataQuality:
    """How good the prices are: the only kind of data that the desk fetches."""
    if not facts:
        return DataQuality("prices", "missing", None)
    age = now.astimezone(stock.exchange.zone).date() - max(fact.as_of for fact in facts)
    return DataQuality("prices", "fresh" if is_fresh(tx, stock, now) else "stale", max(age.days, 0))


def _positions(tx: Transaction) -> dict[Stock, Position]:
    """Over all accounts; the average price is weighted by quantity, as one account would show it."""
    shares: dict[Stock, Decimal] = {}
    paid: dict[Stock, Decimal] = {}
    currency: dict[Stock, str] = {}
    valued = value_holdings(tx)
    for held in (each.held.holding for each in valued):
        shares[held.stock] = shares.get(held.stock, Decimal(0)) + held.quantity
        paid[held.stock] = paid.get(held.stock, Decimal(0)) + held.quantity * held.average_price
        currency[held.stock] = held.currency
    weights = _weights(tx, valued)
    return {
        stock: Position(
            float(quantity),
            float(paid[stock] / quantity),
            currency[stock],
            weights.get((str(stock), currency[stock])),
        )
        for stock, quantity in shares.items()
        if quantity
    }


def _weights(tx: Transaction, valued: Sequence[ValuedHolding]) -> dict[tuple[str, str], float]:
    """In percent, by stock and currency. None of a currency while one of its stocks waits for its first fetch.

    Else the stocks that a first review fetches first would be shown as the whole portfolio.
    """
    waiting = {
        each.held.holding.currency
        for each in valued
        if each.last_close is None and last_fetch(tx, each.held.holding.stock) is None
    }
    return {
        (fact.of, fact.currency): float(round(fact.value, 2))
        for fact in portfolio_facts(valued, {})
        if fact.name == "weight" and fact.currency not in waiting
    }
