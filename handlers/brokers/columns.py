"""Which column of an export means what, by its header."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handlers.brokers.holding import BrokerFileError, BrokerFormat

# As `_normal` writes them: lower case, words of letters and digits, no remarks in brackets.
_SYNONYMS: Mapping[str, frozenset[str]] = {
    "symbol": frozenset(
        {
            "symbol",
            "ticker",
            "instrument",
            "stock symbol",
            "ticker symbol",
            "tradingsymbol",
            "trading symbol",
            "scrip",
            "stock",
        }
    ),
    "quantity": frozenset(
        {
            "quantity",
            "qty",
            "shares",
            "units",
            "no of shares",
            "number of shares",
            "quantity available",
            "quantity held",
        }
    ),
    "average price": frozenset(
        {
            "average price",
            "avg price",
            "average cost",
            "avg cost",
            "average buy price",
            "avg buy price",
            "buy price",
            "purchase price",
            "cost price",
            "average cost basis",
            "avg cost basis",
            "cost per share",
            "average cost price",
            "unit cost",
        }
    ),
    "exchange": frozenset({"exchange", "market", "exch", "stock exchange"}),
    "currency": frozenset({"currency", "ccy", "currency code"}),
    "name": frozenset({"name", "company", "company name", "stock name", "security name"}),
    "sector": frozenset({"sector", "gics sector"}),
}
_REQUIRED = ("symbol", "quantity", "average price")
# Kite's holdings export, old and new: no other file calls its columns so.
_KITE = frozenset({"instrument", "qty", "avg cost", "ltp"})


@dataclass(frozen=True, slots=True)
class Columns:
    """`at` gives the position of each meaning that the header names; `width` counts its cells."""

    format: BrokerFormat
    at: Mapping[str, int]
    width: int


def find_columns(header: Sequence[str], row: int) -> Columns:
    """Read the header, which stands in `row` of the file.

    Raises:
        BrokerFileError: a required column is missing, or two columns have one meaning.
    """
    names = [_normal(cell) for cell in header]
    at: dict[str, int] = {}
    for meaning, synonyms in _SYNONYMS.items():
        found = [position for position, name in enumerate(names) if name in synonyms]
        if len(found) > 1:
            both = " and ".join(repr(header[position].strip()) for position in found)
            raise BrokerFileError(
                f"Row {row}: the columns {both} could both be the {meaning}; remove or rename one."
            )
        if found:
            at[meaning] = found[0]
    _require(at, header, row)
    return Columns(BrokerFormat.KITE if _KITE.issubset(names) else BrokerFormat.GENERIC, at, len(header))


def _require(at: Mapping[str, int], header: Sequence[str], row: int) -> None:
    missing = [meaning for meaning in _REQUIRED if meaning not in at]
    if missing:
        # A row of one cell is no table; it may be of a file that nobody meant to show.
        shown = (
            f"reads {', '.join(cell.strip()[:30] for cell in header[:12])!r}"
            if header[1:]
            else "has one column"
        )
        raise BrokerFileError(
            f"Row {row} is not a header with a column for {' and '.join(missing)}: it {shown}; the first row "
            "must name at least symbol, quantity and average price, separated by commas or tabs."
        )


def _normal(cell: str) -> str:
    without_remark = re.sub(r"\(.*?\)", " ", cell)
    return " ".join(re.findall(r"[a-z0-9]+", without_remark.lower()))
