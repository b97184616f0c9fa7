"""The nouns of a broker's export."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from handlers.stocks import Stock


class BrokerFileError(ValueError):
    """A file does not say beyond doubt what is held; the message names the row and the reason."""


class BrokerFormat(StrEnum):
    KITE = "kite"
    CONSOLE = "console"
    GROWW = "groww"
    SCHWAB = "schwab"
    FIDELITY = "fidelity"
    IBKR = "ibkr"
    GENERIC = "generic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What is held of one stock: `quantity` shares, bought at `average_price` each in `currency`.

    The quantity is more than 0, the price 0 or more; both are exact, without trailing zeros. Where a broker
    states what all shares cost instead, the price is that divided by the quantity, to 6 decimals.
    """

    stock: Stock
    quantity: Decimal
    average_price: Decimal
    currency: str
    name: str | None = None
    sector: str | None = None
    isin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingsFile:
    """A file that was read completely.

    `accounts` has the holdings by the end of the account's id, like `1234`, or by "" where the format names no
    accounts. `skipped` counts the rows that hold no stock, by reason; `remarks` says what else was not taken
    as it stands. `sheet` is the one of a workbook that was read.
    """

    format: BrokerFormat
    accounts: Mapping[str, tuple[Holding, ...]]
    skipped: Mapping[str, int]
    remarks: tuple[str, ...] = ()
    sheet: str | None = None

    @property
    def holdings(self) -> tuple[Holding, ...]:
        return tuple(holding for held in self.accounts.values() for holding in held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What one row says, before its stock is looked up; a text is "" where the format does not have it.

    `sign` is the currency whose sign stands at the price, `account` the whole id or name of the account.
    """

    quantity: Decimal
    price: Decimal
    sign: str | None = None
    symbol: str = ""
    isin: str = ""
    exchange: str = ""
    currency: str = ""
    name: str = ""
    sector: str = ""
    account: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that holds no stock: cash, a total, an option."""

    reason: str
