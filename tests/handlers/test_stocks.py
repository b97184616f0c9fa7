from datetime import date

import pytest

from handlers.market_calendar import is_session
from handlers.stocks import Exchange, Stock, StockError, parse_stock


@pytest.mark.parametrize(
    "symbol", ["M&M", "BAJAJ-AUTO", "BRK.B", "ABCDEFGHIJKLMNOPQRST", "3MINDIA", "J&KBANK"]
)
def test_every_live_symbol_survives_the_way_through_text(symbol: str) -> None:
    stock = Stock(symbol, Exchange.NSE)
    assert parse_stock(str(stock)) == stock
    assert parse_stock(f" {symbol.lower()} ", Exchange.NSE) == stock


def test_an_exchange_is_never_guessed() -> None:
    with pytest.raises(StockError, match="The exchange of INFY is not known; write NSE:INFY or NASDAQ:INFY"):
        parse_stock("INFY")


def test_a_prefix_beats_the_default_exchange() -> None:
    assert parse_stock("bse:infy", Exchange.NSE) == Stock("INFY", Exchange.BSE)


@pytest.mark.parametrize("text", ["", "NSE:", "IN FY", "-A", "A" * 31, "NSE:INFY:X", "../x", "INFY\n;"])
def test_what_is_no_symbol_is_refused(text: str) -> None:
    with pytest.raises(StockError):
        parse_stock(text, Exchange.NSE)


def test_every_exchange_has_a_calendar() -> None:
    christmas = date(2026, 12, 25)
    assert [exchange for exchange in Exchange if is_session(christmas, exchange)] == []
