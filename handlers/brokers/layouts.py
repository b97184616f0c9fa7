"""What a row of each broker's table says. The columns are those of the exports named in docs/brokers.md."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from handlers.brokers.holding import BrokerFileError, BrokerFormat, Position, Skipped
from handlers.brokers.numbers import parse_amount, parse_number, plain, share_of

Cells: TypeAlias = Mapping[str, str]
"""The cells of a row by their meaning, stripped."""

NO_SHARES = Skipped("quantity 0")
# Schwab's types of security; what is no stock is said by its type.
_STOCKS = frozenset({"equity", "equities", "etf", "etfs & closed end funds", ""})
_NO_STOCKS = frozenset(
    {"cash and money market", "option", "options", "fixed income", "mutual fund", "mutual funds", "bond"}
)
# Fidelity marks its core cash positions with two asterisks, and begins an option's symbol with a dash.
_CORE_CASH = re.compile(r"\S+\*\*")


def read_cells(broker: BrokerFormat, cells: Cells) -> Position | Skipped:
    """What these cells say in the broker's format.

    Raises:
        BrokerFileError: a row that is neither a position nor one of the known others.
    """
    match broker:
        case BrokerFormat.CONSOLE:
            return _console(cells)
        case BrokerFormat.SCHWAB:
            return _schwab(cells)
        case BrokerFormat.FIDELITY:
            return _fidelity(cells)
        case _:
            return _plain(cells)


def _plain(cells: Cells) -> Position | Skipped:
    quantity, _ = parse_amount(cells["quantity"], "quantity")
    return _position(cells, quantity)


def _position(cells: Cells, quantity: Decimal, *, remark: str = "") -> Position | Skipped:
    if quantity == 0:
        return NO_SHARES
    price, sign = parse_amount(cells["average price"], "average price")
    stated = {
        key: cells.get(key, "")
        for key in ("symbol", "isin", "exchange", "currency", "name", "sector", "account")
    }
    return Position(
        quantity=quantity,
        price=price,
        sign=sign,
        remark=remark,
        **stated
        | {"name": _no_number(stated["name"], "name"), "sector": _no_number(stated["sector"], "sector")},
    )


def _console(cells: Cells) -> Position | Skipped:
    """Shares that are pledged are owned; those that are discrepant are not in the account yet."""
    if cells["symbol"].lower() == "total" and not cells["isin"]:
        return Skipped("total")
    parts = ("available", "margin", "loan")
    quantity = sum((parse_amount(cells[part], f"quantity ({part})")[0] for part in parts), Decimal(0))
    discrepant, _ = parse_amount(cells["discrepant"], "quantity (discrepant)")
    remark = f"{discrepant} discrepant shares are not counted" if discrepant else ""
    if quantity == 0 and discrepant:
        return Skipped("only discrepant shares")
    return _position(cells, plain(quantity), remark=remark)


def _schwab(cells: Cells) -> Position | Skipped:
    """Schwab states what all shares cost. A row of an unknown type is an error."""
    symbol, kind = cells["symbol"].lower(), cells.get("type", "").strip("-").lower()
    if symbol in ("account total", "positions total"):
        return Skipped("total")
    if symbol == "cash & cash investments" or kind in _NO_STOCKS:
        return Skipped(kind or "cash and money market")
    if kind not in _STOCKS:
        raise BrokerFileError(f"the security type {kind[:40]!r} is not known; take the row out.")
    quantity, _ = parse_amount(cells["quantity"], "quantity", brackets=True)
    if quantity == 0:
        return NO_SHARES
    cost, _ = parse_amount(cells["cost"], "cost basis", brackets=True)
    return _position({**cells, "average price": f"{share_of(cost, quantity):f}"}, quantity)


def _fidelity(cells: Cells) -> Position | Skipped:
    symbol = cells["symbol"]
    if symbol.lower() == "pending activity":
        return Skipped("pending activity")
    if _CORE_CASH.fullmatch(symbol):
        return Skipped("cash and money market")
    if symbol.startswith("-"):
        return Skipped("option")
    return _plain(cells)


def _no_number(text: str, meaning: str) -> str:
    """A number here tells that a comma inside an unquoted number has shifted the cells of the row."""
    try:
        parse_number(text)
    except ValueError:
        return text
    raise BrokerFileError(f"the {meaning} is a number ({text[:40]}); quote numbers that contain commas.")
