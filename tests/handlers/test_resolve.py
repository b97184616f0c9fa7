from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from handlers.brokers.holding import Holding
from handlers.portfolio import store_snapshot
from handlers.prices import log_fetched
from handlers.resolve import held_stocks, resolve_stocks
from handlers.stocks import Exchange, Stock, StockError
from queues.database import Database

BSE, NASDAQ, NSE = Exchange.BSE, Exchange.NASDAQ, Exchange.NSE


def hold(database: Database, account: str, *stocks: Stock) -> None:
    holdings = [
        Holding(stock=stock, quantity=Decimal(1), average_price=Decimal(1), currency=stock.exchange.currency)
        for stock in stocks
    ]
    database.write_now(lambda tx: store_snapshot(tx, account, holdings, "test", "sync-1"))


def resolve(
    database: Database,
    symbols: Sequence[str],
    exchange: Exchange | None = None,
    default: Exchange | None = None,
) -> list[str]:
    return [
        str(each) for each in database.read_now(lambda tx: resolve_stocks(tx, symbols, exchange, default))
    ]


def test_a_prefix_goes_before_everything_else(database: Database) -> None:
    hold(database, "main", Stock("INFY", NSE))
    assert resolve(database, ["bse:infy"], NASDAQ, NSE) == ["BSE:INFY"]


def test_the_argument_goes_before_what_is_held(database: Database) -> None:
    hold(database, "main", Stock("INFY", NSE))
    assert resolve(database, ["INFY"], BSE, NASDAQ) == ["BSE:INFY"]


def test_what_is_held_goes_before_the_default(database: Database) -> None:
    hold(database, "main", Stock("INFY", NSE))
    assert resolve(database, [" infy "], None, NASDAQ) == ["NSE:INFY"]


def test_a_symbol_that_is_held_on_two_exchanges_is_refused_and_both_are_named(database: Database) -> None:
    hold(database, "main", Stock("INFY", NSE))
    hold(database, "other", Stock("INFY", BSE))
    with pytest.raises(StockError, match="held as BSE:INFY and NSE:INFY; write the one that is meant"):
        resolve(database, ["INFY"], None, NSE)


def test_the_default_is_for_symbols_that_nobody_holds(database: Database) -> None:
    assert resolve(database, ["INFY"], None, NSE) == ["NSE:INFY"]


def test_an_exchange_is_never_guessed(database: Database) -> None:
    with pytest.raises(StockError, match="exchange of INFY is not known; write NSE:INFY"):
        resolve(database, ["INFY"])


def test_a_stock_that_was_sold_says_nothing_of_its_exchange_any_more(database: Database) -> None:
    hold(database, "main", Stock("INFY", NSE))
    hold(database, "main", Stock("TCS", NSE))
    with pytest.raises(StockError, match="exchange of INFY is not known"):
        resolve(database, ["INFY"])


def test_a_symbol_whose_prices_were_fetched_from_one_exchange_is_that_stock(database: Database) -> None:
    def fetched(stock: Stock) -> None:
        database.write_now(lambda tx: log_fetched(tx, stock, "sample", date(2022, 12, 28), "fetch-1"))

    fetched(Stock("AAPL", NASDAQ))
    assert resolve(database, ["AAPL"]) == ["NASDAQ:AAPL"]
    assert resolve(database, ["AAPL"], None, NSE) == ["NSE:AAPL"]
    fetched(Stock("AAPL", BSE))
    with pytest.raises(StockError, match="exchange of AAPL is not known"):
        resolve(database, ["AAPL"])


def test_the_order_stays_and_doubles_go(database: Database) -> None:
    assert resolve(database, ["TCS", "NSE:INFY", "tcs"], NSE) == ["NSE:TCS", "NSE:INFY"]


@pytest.mark.parametrize("symbol", ["M&M", "BAJAJ-AUTO", "BRK.B", "A2345678901234567890"])
def test_symbols_that_look_odd_are_valid(database: Database, symbol: str) -> None:
    assert resolve(database, [symbol], NSE) == [f"NSE:{symbol}"]


@pytest.mark.parametrize(
    "text", ["", " ", "A B", "'; DROP TABLE tasks; --", "../etc/passwd", "%s{0}", "X" * 31]
)
def test_a_text_that_is_no_symbol_is_refused_with_its_beginning(database: Database, text: str) -> None:
    with pytest.raises(StockError, match="is not a stock symbol"):
        resolve(database, [text], NSE)


def test_every_stock_that_is_held_in_some_account_is_named_once(database: Database) -> None:
    infy, tcs = Stock("INFY", NSE), Stock("TCS", NSE)
    hold(database, "main", infy)
    hold(database, "other", tcs, infy)
    assert database.read_now(held_stocks) == [infy, tcs]
    assert database.read_now(lambda tx: held_stocks(tx, "main")) == [infy]
