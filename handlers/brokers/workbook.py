"""The sheets of an Excel workbook, as rows of text. A hostile one costs neither memory nor time."""

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook

from handlers.brokers.holding import BrokerFileError

# Far beyond any portfolio; exports of 300 holdings have 100 kB unpacked. A zip can unpack to 1,000 times its size,
# and a sheet of three cells can claim to have 17 billion.
MAX_UNPACKED_BYTES = 20_000_000
MAX_ROWS = 20_000
MAX_COLUMNS = 200

# What openpyxl raises for workbooks that are cut off, or that say one thing here and another there.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    NotImplementedError,
    OSError,
    EOFError,
    LookupError,
    ArithmeticError,
    ValueError,
    TypeError,
    AttributeError,
)


def read_sheets(content: bytes) -> dict[str, list[Sequence[str]]]:
    """The rows of each sheet by its name. A formula is the value that was last computed, "" if there is none.

    Raises:
        BrokerFileError: damaged, encrypted, or too large.
    """
    try:
        _require_small(content)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        return {
            sheet.title: list(
                _rows(
                    sheet.title,
                    sheet.iter_rows(max_row=MAX_ROWS + 1, max_col=MAX_COLUMNS + 1, values_only=True),
                )
            )
            for sheet in book.worksheets
        }
    except BrokerFileError:
        raise
    except _BROKEN as error:
        raise BrokerFileError(
            f"The workbook cannot be read ({type(error).__name__}: {str(error)[:80]}); export it again, or as CSV."
        ) from error


def _require_small(content: bytes) -> None:
    """The sizes cannot lie: zipfile unpacks no more than what it says here."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > MAX_UNPACKED_BYTES:
        raise BrokerFileError(
            f"The workbook unpacks to {unpacked} bytes, more than {MAX_UNPACKED_BYTES}; that is no holdings export."
        )


def _rows(title: str, rows: Iterator[Sequence[object]]) -> Iterator[Sequence[str]]:
    for number, cells in enumerate(rows, start=1):
        texts = [_text(cell) for cell in cells]
        if number > MAX_ROWS or any(texts[MAX_COLUMNS:]):
            raise BrokerFileError(
                f"The sheet {title[:40]!r} has more than {MAX_ROWS} rows or {MAX_COLUMNS} columns; "
                "that is no holdings export."
            )
        yield texts


def _text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case float():
            # 15 digits are what a double holds and Excel shows; the rest is rounding of a binary fraction.
            return f"{round(Decimal(f'{cell:.15g}'), 12):f}"
        case _:
            return str(cell)
