"""Which column of a table means what, by its header."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handlers.brokers.holding import BrokerFileError, BrokerFormat

# As `_words` writes them: lower case, words of letters and digits. A generic file's remarks in brackets do not count.
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
    "isin": frozenset({"isin", "isin code", "isin number"}),
    "quantity": frozenset(
        {"quantity", "qty", "shares", "units", "no of shares", "number of shares", "quantity held"}
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
class Layout:
    """The heads of a broker's columns, by meaning; each of them must be there, and those of `also` may be."""

    format: BrokerFormat
    heads: Mapping[str, frozenset[str]]
    also: Mapping[str, frozenset[str]]


def _layout(broker: BrokerFormat, heads: Mapping[str, str], also: Mapping[str, str] | None = None) -> Layout:
    def split(names: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
        return {meaning: frozenset(either.split("|")) for meaning, either in names.items()}

    return Layout(broker, split(heads), split(also or {}))


# The columns that no reader uses tell the broker from others.
_LAYOUTS = (
    _layout(
        BrokerFormat.CONSOLE,
        {
            "symbol": "symbol",
            "isin": "isin",
            "available": "quantity available",
            "discrepant": "quantity discrepant",
            "margin": "quantity pledged margin",
            "loan": "quantity pledged loan",
            "average price": "average price",
        },
        {"sector": "sector"},
    ),
    _layout(
        BrokerFormat.GROWW,
        {
            "name": "stock name",
            "isin": "isin",
            "quantity": "quantity",
            "average price": "average buy price",
            "value": "buy value",
            "close": "closing price",
        },
    ),
    _layout(
        BrokerFormat.SCHWAB,
        {
            "symbol": "symbol",
            "name": "description",
            "quantity": "qty quantity|quantity",
            "value": "mkt val market value|market value",
            "cost": "cost basis",
        },
        {"type": "security type|asset type"},
    ),
    _layout(
        BrokerFormat.FIDELITY,
        {
            "account": "account number",
            "symbol": "symbol",
            "name": "description",
            "quantity": "quantity",
            "value": "current value",
            "average price": "average cost basis",
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Columns:
    """`at` gives the position of each meaning that the header names; `width` counts its cells."""

    format: BrokerFormat
    at: Mapping[str, int]
    width: int


def find_columns(header: Sequence[str], mapping: Mapping[str, str] | None = None) -> Columns | None:
    """Read this row as a header; None if it is not one.

    `mapping` gives a generic file's own heads for some meanings; then no other format is meant.

    Raises:
        BrokerFileError: it is a header, but two columns have one meaning.
    """
    if mapping is None:
        names = [_words(cell) for cell in header]
        for layout in _LAYOUTS:
            if all(heads.intersection(names) for heads in layout.heads.values()):
                return Columns(layout.format, _positions({**layout.heads, **layout.also}, names), len(header))
    return _generic(header, mapping or {})


def require_columns(header: Sequence[str], row: int, mapping: Mapping[str, str] | None) -> BrokerFileError:
    """Why the file has no header, by the row in which one was expected first."""
    if mapping is not None:
        wanted = ", ".join(f"{meaning} {head[:30]!r}" for meaning, head in mapping.items())
        return BrokerFileError(f"No row names the columns {wanted}; correct the mapping of columns.")
    names = [_words(re.sub(r"\(.*?\)", " ", cell)) for cell in header]
    missing = [meaning for meaning in _REQUIRED if not _SYNONYMS[meaning].intersection(names)]
    # A row of one cell is no table; it may be of a file that nobody meant to show.
    shown = (
        f"reads {', '.join(_masked(cell.strip()[:30]) for cell in header[:12])!r}"
        if header[1:]
        else "has one column"
    )
    return BrokerFileError(
        f"Row {row} is not a header with a column for {' and '.join(missing)}: it {shown}; a row "
        "must name at least symbol (or isin), quantity and average price, separated by commas or tabs."
    )


def _generic(header: Sequence[str], mapping: Mapping[str, str]) -> Columns | None:
    names = [_words(re.sub(r"\(.*?\)", " ", cell)) for cell in header]
    own = [cell.strip().lower() for cell in header]
    at = _positions(
        {meaning: heads for meaning, heads in _SYNONYMS.items() if meaning not in mapping}, names
    ) | _positions({meaning: frozenset({head.strip().lower()}) for meaning, head in mapping.items()}, own)
    if not (at.keys() >= {"quantity", "average price", *mapping} and at.keys() & {"symbol", "isin"}):
        return None
    return Columns(BrokerFormat.KITE if _KITE.issubset(names) else BrokerFormat.GENERIC, at, len(header))


def _positions(heads: Mapping[str, frozenset[str]], names: Sequence[str]) -> dict[str, int]:
    at: dict[str, int] = {}
    for meaning, either in heads.items():
        found = [position for position, name in enumerate(names) if name in either]
        if len(found) > 1:
            both = " and ".join(f"{position + 1} ({names[position]!r})" for position in found)
            raise BrokerFileError(
                f"the columns {both} could both be the {meaning}; remove or rename one, or map it."
            )
        if found:
            at[meaning] = found[0]
    return at


def _words(head: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", head.lower()))


def _masked(text: str) -> str:
    """What may be the number of an account or a client shows its end only."""
    return re.sub(r"\b(?=\w*\d)\w+(\w{4})\b", r"…\1", text)
