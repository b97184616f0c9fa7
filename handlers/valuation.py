"""What the holdings are worth, as far as a last close is known; a missing price stays missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from handlers.facts import Fact, current_facts_called
from handlers.portfolio import AccountHolding, current_holdings
from queues.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuedHolding:
    """A holding and the fact of its last close, in the holding's currency; None where it is not known."""

    held: AccountHolding
    last_close: Fact | None

    @property
    def cost(self) -> Decimal:
        return self.held.holding.quantity * self.held.holding.average_price

    @property
    def value(self) -> Decimal | None:
        if self.last_close is None or self.last_close.unit != self.held.holding.currency:
            return None
        return self.held.holding.quantity * Decimal(str(self.last_close.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyTotal:
    """Sums over the holdings of one currency. `value` and `cost_of_priced` are of those with a known price."""

    currency: str
    cost: Decimal
    cost_of_priced: Decimal
    value: Decimal
    priced: int
    unpriced: int


def value_holdings(tx: Transaction, account: str | None = None) -> list[ValuedHolding]:
    """The current holdings of one account, or of all, each with its newest known close."""
    closes = current_facts_called(tx, "last_close")
    return [
        ValuedHolding(held=held, last_close=closes.get(held.holding.stock))
        for held in current_holdings(tx, account)
    ]


def currency_totals(holdings: Sequence[ValuedHolding]) -> list[CurrencyTotal]:
    """One total per currency, ordered by code. Nothing is converted."""
    totals: list[CurrencyTotal] = []
    for currency in sorted({each.held.holding.currency for each in holdings}):
        own = [each for each in holdings if each.held.holding.currency == currency]
        values = [(each.cost, each.value) for each in own if each.value is not None]
        totals.append(
            CurrencyTotal(
                currency=currency,
                cost=sum((each.cost for each in own), Decimal()),
                cost_of_priced=sum((cost for cost, _ in values), Decimal()),
                value=sum((value for _, value in values), Decimal()),
                priced=len(values),
                unpriced=len(own) - len(values),
            )
        )
    return totals
