"""A table of holdings among the rows of a file: what stands above it, its sections, and what stands below."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from handlers.brokers.columns import Columns, find_columns, require_columns
from handlers.brokers.holding import BrokerFileError, BrokerFormat, Position, Skipped
from handlers.brokers.layouts import read_cells

Rows: TypeAlias = Iterable[Sequence[str]]
"""All rows of a file or a sheet, blank ones too."""
Numbered: TypeAlias = Iterator[tuple[int, Sequence[str]]]
"""The rows that are not blank, each with its number."""
Said: TypeAlias = Position | Skipped | BrokerFileError
"""What a row says, or why it says nothing."""

# Console has 22 rows above its header, the longest preamble known.
_MOST_PREAMBLE = 60
# "Positions for account Individual ...123 as of 09:00 AM ET, 2026/04/25": Schwab's first row.
_SCHWAB_TITLE = re.compile(r"positions for (?:account )?(?P<account>.+?) as of .*", re.IGNORECASE)
_ALL_ACCOUNTS = "all-accounts"
_FIDELITY_FOOTER = re.compile(
    r"the data and information in this spreadsheet|brokerage services are provided|date downloaded",
    re.IGNORECASE,
)


def split_csv(text: str) -> Iterator[Sequence[str]]:
    """Tabs separate cells if the first line has any.

    Raises:
        BrokerFileError: a quote that never ends, or that something follows.
    """
    text = text.removeprefix("\ufeff")
    delimiter = "\t" if "\t" in text.lstrip().partition("\n")[0] else ","
    number = 0
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            number += 1
            yield row
    except csv.Error as error:
        raise BrokerFileError(f"Row {number + 1} is not CSV: {error}.") from error


def read_table(
    rows: Rows, mapping: Mapping[str, str] | None
) -> tuple[BrokerFormat, Iterable[tuple[str, Said]]]:
    """The format, and what each row below the header says, with how a message names it.

    Raises:
        BrokerFileError: there is no header; later, while rows are taken, they end in the midst of a cell.
    """
    numbered: Numbered = (
        (number, row) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)
    )
    preamble: list[tuple[int, Sequence[str]]] = []
    for number, row in numbered:
        try:
            columns = find_columns(row, mapping)
        except BrokerFileError as error:
            raise BrokerFileError(f"Row {number}: {error}") from error
        if columns is not None:
            above = _only_cell(preamble[-1][1]) if preamble else ""
            account = _account(above) if columns.format is BrokerFormat.SCHWAB else ""
            return columns.format, _positions(columns, account, numbered)
        preamble.append((number, row))
        if len(preamble) == _MOST_PREAMBLE:
            break
    if not preamble:
        raise BrokerFileError("The file is empty; export the holdings again.")
    raise require_columns(preamble[0][1], preamble[0][0], mapping)


def _account(title: str) -> str:
    """The account that Schwab names above a header, without the time; "" for all of them."""
    dated = _SCHWAB_TITLE.fullmatch(title)
    account = dated["account"].strip() if dated else title
    return "" if account.lower() == _ALL_ACCOUNTS else account


def _positions(columns: Columns, account: str, numbered: Numbered) -> Iterator[tuple[str, Said]]:
    """Schwab's file has a section for each account: a row with its name, a header, its positions, a total."""
    title: tuple[int, str] | None = None
    for number, row in numbered:
        alone = _only_cell(row)
        header = find_columns(row) if columns.format is BrokerFormat.SCHWAB else None
        if header is not None:
            columns, account, title = header, title[1] if title else "", None
        elif title is not None:
            break
        elif alone and columns.format is BrokerFormat.SCHWAB:
            title = number, _account(alone)
        elif alone and columns.format is BrokerFormat.FIDELITY and _FIDELITY_FOOTER.match(alone):
            yield f"Row {number}", Skipped("footer")
        else:
            yield f"Row {number}", _said(columns, account, row)
    if title is not None:
        yield f"Row {title[0]}", BrokerFileError("it has one cell, and no header of a section follows it.")


def _said(columns: Columns, account: str, row: Sequence[str]) -> Said:
    try:
        _require_width(columns, row)
        cells = {meaning: row[position].strip() for meaning, position in columns.at.items()}
        said = read_cells(columns.format, cells)
    except BrokerFileError as error:
        return error
    if columns.format is not BrokerFormat.SCHWAB or isinstance(said, Skipped):
        return said
    if not account:
        return BrokerFileError("no row above the header names the account; export the file again.")
    return replace(said, account=account)


def _only_cell(row: Sequence[str]) -> str:
    filled = [cell.strip() for cell in row if cell.strip()]
    return filled[0] if len(filled) == 1 else ""


def _require_width(columns: Columns, row: Sequence[str]) -> None:
    """To read on with a cell too many or too few would shift the columns."""
    used = len(row)
    while used and not row[used - 1].strip():
        used -= 1
    if used > columns.width:
        raise BrokerFileError(
            f"it has {used} cells, the header {columns.width}; quote numbers that contain commas."
        )
    if len(row) < columns.width:
        raise BrokerFileError(
            f"it has {len(row)} cells, the header {columns.width}; complete it, or export the file again."
        )
