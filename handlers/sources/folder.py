"""A user's own prices: a folder of CSV files, one of each stock. The format is told in docs/sources.md."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from handlers.computing import compute
from handlers.sources.base import BadDataError, Bar, NotCoveredError
from handlers.sources.soundness import require_sound
from handlers.stocks import Stock

# A century of sessions is 2 MB.
_MAX_BYTES = 10 * 2**20
_REQUIRED = ("date", "close")
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class FolderSource:
    """`EXCHANGE-SYMBOL.csv` goes before `SYMBOL.csv`, which stands for the stock on whichever exchange it is held."""

    name = "folder"
    citation = "own CSV file"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def daily_prices(self, stock: Stock, start: date, end: date) -> Sequence[Bar]:
        """As `PriceSource`; a file with one bad row is refused whole."""
        return await compute(self._history, stock, start, end)

    def _history(self, stock: Stock, start: date, end: date) -> Sequence[Bar]:
        name, bars = self._read(stock)
        bars = [bar for bar in bars if start <= bar.day <= end]
        if not bars:
            raise NotCoveredError(f"{name} has no prices of {stock} from {start} to {end}.")
        require_sound(bars, name, stock)
        return bars

    def _read(self, stock: Stock) -> tuple[str, Sequence[Bar]]:
        names = (f"{stock.exchange}-{stock.symbol}.csv", f"{stock.symbol}.csv")
        for name in names:
            path = self._folder / name
            if path.is_file():
                return name, sorted(_bars(name, _text(path)), key=lambda bar: bar.day)
        raise NotCoveredError(f"The folder of prices holds neither {' nor '.join(names)}.")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise BadDataError(
                f"{path.name} is larger than {_MAX_BYTES // 2**20} MB; that is no file of prices."
            )
        return raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDataError(f"{path.name} cannot be read: {error}; save it as CSV in UTF-8.") from error


def _bars(name: str, text: str) -> Iterator[Bar]:
    reader = csv.reader(text.splitlines(), strict=True)
    try:
        columns = [column.strip().lower().replace(" ", "_") for column in next(reader, list[str]())]
        for required in _REQUIRED:
            if columns.count(required) != 1:
                raise BadDataError(
                    f"{name} must have one column {required!r} in its first line; there is"
                    f" {', '.join(columns) or 'none'}."
                )
        for row in reader:
            if row and len(row) != len(columns):
                raise BadDataError(
                    f"{name}, line {reader.line_num}: {len(row)} fields under {len(columns)} columns."
                )
            if row:
                yield _bar(f"{name}, line {reader.line_num}", dict(zip(columns, row, strict=True)))
    except csv.Error as error:
        raise BadDataError(f"{name}, line {reader.line_num}: {error}.") from error


def _bar(place: str, row: Mapping[str, str]) -> Bar:
    try:
        volume = _number(row, "volume")
        return Bar(
            day=date.fromisoformat(row["date"].strip()),
            close=_plain(row["close"].strip()),
            adj_close=_number(row, "adj_close"),
            open=_number(row, "open"),
            high=_number(row, "high"),
            low=_number(row, "low"),
            volume=None if volume is None else int(volume),
            split=_number(row, "split"),
        )
    except (ValueError, OverflowError) as error:
        raise BadDataError(f"{place}: {error}; dates are YYYY-MM-DD, numbers plain like 1234.5.") from error


def _number(row: Mapping[str, str], column: str) -> float | None:
    text = row.get(column, "").strip()
    return _plain(text) if text else None


def _plain(text: str) -> float:
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no number")
    return float(text)
