"""Reads an export whose header names its columns: Kite's holdings CSV, or any other such CSV.

Kite's export (kite.zerodha.com, Holdings, Download) heads its columns `Instrument, Qty., Avg. cost, LTP, …`;
it names no exchange, and its symbols are those of NSE, in rupees.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from handlers.brokers.columns import Columns, find_columns
from handlers.brokers.holding import BrokerFileError, BrokerFormat, Holding, HoldingsFile
from handlers.brokers.numbers import parse_number
from handlers.stocks import Exchange, Stock, StockError, parse_exchange, parse_stock

_CURRENCY = re.compile(r"[A-Z]{3}")


def read_holdings(text: str, default_exchange: Exchange | None) -> HoldingsFile:
    """Read the whole file, or none of it. Rows count from 1, blank ones too, as a spreadsheet shows them.

    A stock's exchange comes from its own prefix (`NSE:INFY`) or the exchange column, else from
    `default_exchange`; in a Kite file it is always NSE. Rows with quantity 0 are skipped and counted.

    Raises:
        BrokerFileError: anything that cannot be read with one meaning only, or no holdings at all.
    """
    rows = _rows(text)
    first = next(rows, None)
    if first is None:
        raise BrokerFileError("The file is empty; export the holdings again.")
    columns = find_columns(first[1], first[0])
    holdings: dict[Stock, tuple[int, Holding]] = {}
    skipped = 0
    for number, cells in rows:
        holding = _read_row(columns, number, cells, default_exchange)
        if holding is None:
            skipped += 1
        elif holding.stock in holdings:
            raise BrokerFileError(
                f"Row {number}: {holding.stock} already stands in row {holdings[holding.stock][0]}; "
                "merge the two rows, or sync them as two accounts."
            )
        else:
            holdings[holding.stock] = (number, holding)
    if not holdings:
        raise BrokerFileError(
            f"The file holds no holdings: {skipped} rows with quantity 0 stand below its header, no other."
        )
    return HoldingsFile(
        format=columns.format, holdings=tuple(h for _, h in holdings.values()), skipped_rows=skipped
    )


def _rows(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """The rows that are not blank, each with its number. Tabs separate cells if the first line has any."""
    text = text.removeprefix("\ufeff")
    first_line = text.lstrip().partition("\n")[0]
    lines = csv.reader(
        io.StringIO(text, newline=""), delimiter="\t" if "\t" in first_line else ",", strict=True
    )
    number = 0
    try:
        for number, cells in enumerate(lines, start=1):
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as error:
        raise BrokerFileError(f"Row {number + 1} is not CSV: {error}.") from error


def _read_row(columns: Columns, row: int, cells: Sequence[str], default: Exchange | None) -> Holding | None:
    _require_width(columns, row, cells)
    cell = {meaning: cells[position].strip() for meaning, position in columns.at.items()}
    try:
        quantity, _ = _number(cell["quantity"], "quantity")
        if quantity == 0:
            return None
        stock = _stock(columns.format, cell["symbol"], cell.get("exchange", ""), default)
        price, sign = _number(cell["average price"], "average price")
        return Holding(
            stock=stock,
            quantity=quantity,
            average_price=price,
            currency=_currency(stock, cell.get("currency", "").upper(), sign),
            name=_words(cell.get("name", ""), "name"),
            sector=_words(cell.get("sector", ""), "sector"),
        )
    except (BrokerFileError, StockError) as error:
        raise BrokerFileError(f"Row {row}: {error}") from error


def _require_width(columns: Columns, row: int, cells: Sequence[str]) -> None:
    """A comma inside an unquoted number makes a cell too many; to read on would shift every column."""
    used = len(cells)
    while used and not cells[used - 1].strip():
        used -= 1
    needed = max(columns.at.values()) + 1
    if used > columns.width or len(cells) < needed:
        raise BrokerFileError(
            f"Row {row} has {len(cells)} cells, the header {columns.width}; "
            "quote numbers that contain commas."
        )


def _number(text: str, meaning: str) -> tuple[Decimal, str | None]:
    if not text:
        raise BrokerFileError(f"the {meaning} is blank.")
    try:
        number, sign = parse_number(text)
    except ValueError as error:
        raise BrokerFileError(f"the {meaning} {error}; write it like 1234.5.") from error
    if number < 0:
        raise BrokerFileError(
            f"the {meaning} is negative ({text[:40]}); short positions cannot be held here."
        )
    return number, sign


def _stock(layout: BrokerFormat, symbol: str, exchange: str, default: Exchange | None) -> Stock:
    if not symbol:
        raise BrokerFileError("the symbol is blank.")
    if layout is BrokerFormat.KITE:
        default = Exchange.NSE
    stated = parse_exchange(exchange) if exchange else None
    stock = parse_stock(symbol, stated or default)
    if stated is not None and stock.exchange is not stated:
        raise BrokerFileError(f"the symbol says {stock}, the exchange column {stated}; correct one of them.")
    return stock


def _words(text: str, meaning: str) -> str | None:
    """A number here tells that a comma inside an unquoted number has shifted the cells of the row."""
    try:
        parse_number(text)
    except ValueError:
        return text or None
    raise BrokerFileError(f"the {meaning} is a number ({text[:40]}); quote numbers that contain commas.")


def _currency(stock: Stock, stated: str, sign: str | None) -> str:
    """The stated currency, else the exchange's. A sign at the price that contradicts it is an error."""
    if stated and not _CURRENCY.fullmatch(stated):
        raise BrokerFileError(f"the currency {stated[:20]!r} is not a code like INR or USD.")
    currency = stated or stock.exchange.currency
    # "$" also marks the dollars of other countries, so it contradicts rupees only.
    if (sign == "INR") != (currency == "INR") and sign is not None:
        raise BrokerFileError(
            f"the average price is marked as {sign}, but the currency of {stock} is {currency}."
        )
    return currency
