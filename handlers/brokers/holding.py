"""The nouns of a broker's export."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from handlers.stocks import Stock


class BrokerFileError(ValueError):
    """A file does not say beyond doubt what is held; the message names the row and the reason."""


class BrokerFormat(StrEnum):
    KITE = "kite"
    GENERIC = "generic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What is held of one stock: `quantity` shares, bought at `average_price` each in `currency`.

    The quantity is more than 0, the price 0 or more; both are exact, without trailing zeros.
    """

    stock: Stock
    quantity: Decimal
    average_price: Decimal
    currency: str
    name: str | None = None
    sector: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingsFile:
    """A file that was read completely. `skipped_rows` counts the rows with quantity 0."""

    format: BrokerFormat
    holdings: tuple[Holding, ...]
    skipped_rows: int
