from datetime import date
from decimal import Decimal

from handlers.brokers.holding import Holding
from handlers.facts import NewFact, store_facts
from handlers.portfolio import store_snapshot
from handlers.stocks import Exchange, Stock
from handlers.valuation import ValuedHolding, currency_totals, value_holdings
from queues.database import Database

AS_OF = date(2022, 12, 28)
INFY = Stock("INFY", Exchange.NSE)
TCS = Stock("TCS", Exchange.NSE)
AAPL = Stock("AAPL", Exchange.NASDAQ)


def hold(database: Database, account: str, *lots: tuple[Stock, str, str, str]) -> None:
    holdings = [
        Holding(stock=stock, quantity=Decimal(quantity), average_price=Decimal(price), currency=currency)
        for stock, quantity, price, currency in lots
    ]
    database.write_now(lambda tx: store_snapshot(tx, account, holdings, "test", "sync-1"))


def know_close(database: Database, stock: Stock, close: float, unit: str) -> None:
    fact = NewFact(name="last_close", value=close, unit=unit, as_of=AS_OF, source="test")
    database.write_now(lambda tx: store_facts(tx, stock, [fact]))


def valued(database: Database, account: str | None = None) -> dict[str, ValuedHolding]:
    found = database.read_now(lambda tx: value_holdings(tx, account))
    return {f"{each.held.account} {each.held.holding.stock}": each for each in found}


def test_a_holding_is_worth_its_quantity_times_the_last_close(database: Database) -> None:
    hold(database, "main", (INFY, "10.5", "1400.10", "INR"))
    know_close(database, INFY, 1503.3, "INR")
    (holding,) = valued(database).values()
    assert holding.cost == Decimal("14701.05")
    assert holding.value == Decimal("15784.65")


def test_a_missing_price_stays_missing(database: Database) -> None:
    hold(database, "main", (INFY, "10", "1400", "INR"))
    (holding,) = valued(database).values()
    assert holding.last_close is None
    assert holding.value is None
    assert holding.last_close is None


def test_a_close_in_another_currency_is_no_value(database: Database) -> None:
    hold(database, "main", (AAPL, "10", "100", "EUR"))
    know_close(database, AAPL, 125.67, "USD")
    (holding,) = valued(database).values()
    assert holding.value is None


def test_totals_are_per_currency_and_leave_out_what_has_no_price(database: Database) -> None:
    hold(database, "main", (INFY, "10", "1400", "INR"), (TCS, "5", "3000", "INR"))
    hold(database, "us", (AAPL, "2", "100", "USD"))
    know_close(database, INFY, 1500, "INR")
    know_close(database, AAPL, 125.5, "USD")
    rupees, dollars = currency_totals(list(valued(database).values()))
    assert (rupees.currency, rupees.cost, rupees.value) == ("INR", Decimal(29000), Decimal(15000))
    assert rupees.cost_of_priced == Decimal(14000)
    assert (rupees.priced, rupees.unpriced) == (1, 1)
    assert (dollars.currency, dollars.cost, dollars.value) == ("USD", Decimal(200), Decimal(251))
    assert (dollars.priced, dollars.unpriced) == (1, 0)


def test_one_account_is_valued_by_itself(database: Database) -> None:
    hold(database, "main", (INFY, "10", "1400", "INR"))
    hold(database, "other", (INFY, "1", "900", "INR"))
    assert list(valued(database, "other")) == ["other NSE:INFY"]
    assert len(valued(database)) == 2


def test_nothing_held_has_no_totals(database: Database) -> None:
    assert currency_totals(list(valued(database).values())) == []
