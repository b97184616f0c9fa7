"""A stock is a symbol on an exchange. The exchange is stated by someone, never guessed."""

import re
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

# Longest live symbols: 20 characters on NSE; room to spare for series suffixes.
SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9&.\-_]{0,29}")


class Exchange(StrEnum):
    """Exchanges whose symbols the desk can map to a source. The value is the prefix in `NSE:INFY`."""

    NSE = "NSE"
    BSE = "BSE"
    NYSE = "NYSE"
    NASDAQ = "NASDAQ"
    ARCA = "ARCA"
    AMEX = "AMEX"
    BATS = "BATS"  # Cboe BZX, by the name under which brokers still list it

    @property
    def currency(self) -> str:
        """ISO 4217 code of the currency in which the exchange quotes."""
        return "INR" if self in (Exchange.NSE, Exchange.BSE) else "USD"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which the exchange's days begin and end."""
        return ZoneInfo("Asia/Kolkata" if self in (Exchange.NSE, Exchange.BSE) else "America/New_York")


class StockError(ValueError):
    """A text does not name a stock; the message says what is wrong with it and what to write instead."""


@dataclass(frozen=True, slots=True, order=True)
class Stock:
    symbol: str
    exchange: Exchange

    def __str__(self) -> str:
        """`NSE:INFY`, the form that `parse_stock` reads and that keys and payloads carry."""
        return f"{self.exchange}:{self.symbol}"


def parse_exchange(text: str) -> Exchange:
    """Read an exchange code, in any case.

    Raises:
        StockError: the desk does not know this exchange.
    """
    try:
        return Exchange(text.strip().upper())
    except ValueError:
        known = ", ".join(Exchange)
        raise StockError(f"Exchange {text[:40]!r} is not known; use one of {known}.") from None


def parse_stock(text: str, default_exchange: Exchange | None = None) -> Stock:
    """Read `INFY` (on `default_exchange`) or `NSE:INFY`, in any case.

    Raises:
        StockError: not a symbol, an unknown exchange, or no exchange given at all.
    """
    prefix, colon, symbol = text.strip().upper().rpartition(":")
    if not SYMBOL.fullmatch(symbol):
        raise StockError(
            f"{text[:40]!r} is not a stock symbol; write it like INFY or NSE:INFY (find_stocks finds it by company)."
        )
    if colon:
        return Stock(symbol, parse_exchange(prefix))
    if default_exchange is None:
        raise StockError(
            f"The exchange of {symbol} is not known; write {Exchange.NSE}:{symbol} or "
            f"{Exchange.NASDAQ}:{symbol}, pass exchange, or set STOCKDESK_DEFAULT_EXCHANGE (find_stocks knows where "
            "it is listed)."
        )
    return Stock(symbol, default_exchange)
