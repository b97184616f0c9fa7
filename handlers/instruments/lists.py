"""The lists: `nse.csv.gz`, `us.csv.gz` and `renamed.csv` beside this file, and what a user puts into a folder."""

import csv
import functools
import gzip
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

from handlers.instruments.isin import require_isin
from handlers.stocks import Exchange, Stock, parse_stock

T = TypeVar("T")

_BUNDLED = Path(__file__).parent
# NSE's own list has 2,400 rows, BSE's 5,000.
_MAX_BYTES = 10_000_000


class InstrumentsError(ValueError):
    """A list in the user's folder cannot be used; the message names the file, the row and the reason."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """`symbol` is what NSE calls the stock since `since`."""

    symbol: str
    since: date


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """`tickers` holds the stocks of US exchanges by `spellings`, `renamed` the symbols that NSE gave up.

    `companies` has the names of most: first NSE's, then those of the US, the largest first.
    """

    by_isin: Mapping[str, Stock]
    tickers: Mapping[str, Stock]
    renamed: Mapping[str, Renaming]
    companies: Mapping[Stock, str]

    def of_ticker(self, ticker: str) -> Stock | None:
        """The stock of a US ticker, however its class is written: BRK.B, BRK/B, BRK B and BRKB are one."""
        exact, bare = spellings(ticker)
        return self.tickers.get(exact) or self.tickers.get(bare)

    def renaming(self, stock: Stock, isin: str | None) -> Renaming | None:
        """What NSE calls the stock today, if it no longer lists its symbol; never against the ISIN."""
        found, seen = None, set[str]()
        symbol = stock.symbol if stock.exchange is Exchange.NSE else ""
        while symbol not in self._listed and symbol not in seen and symbol in self.renamed:
            seen.add(symbol)
            found = self.renamed[symbol]
            symbol = found.symbol
        known = None if isin is None else self.by_isin.get(isin)
        return found if symbol in self._listed and (known is None or known.symbol == symbol) else None

    @functools.cached_property
    def _listed(self) -> frozenset[str]:
        return frozenset(each.symbol for each in self.by_isin.values() if each.exchange is Exchange.NSE)


@functools.lru_cache(maxsize=20_000)  # every ticker of the lists, once
def spellings(ticker: str) -> tuple[str, str]:
    """With a dot before the class, and with nothing there."""
    exact = re.sub(r"[^A-Z0-9]+", ".", ticker.strip().upper())
    return exact, exact.replace(".", "")


def _by_spelling(stocks: Sequence[Stock]) -> dict[str, Stock]:
    """Where two could be meant by one spelling, it is the ticker that is exactly so, then the first of them."""
    spelled = [(spellings(stock.symbol), stock) for stock in reversed(stocks)]
    return {bare: stock for (_, bare), stock in spelled} | {exact: stock for (exact, _), stock in spelled}


@functools.cache
def bundled() -> Instruments:
    """What README.md beside this file lists, with its sources and dates."""
    nse = [(isin, Stock(symbol, Exchange.NSE), name) for isin, symbol, name in _rows(_BUNDLED / "nse.csv.gz")]
    us = [
        (Stock(symbol, Exchange(exchange)), name)
        for symbol, exchange, _, name in _rows(_BUNDLED / "us.csv.gz")
    ]
    return Instruments(
        by_isin={isin: stock for isin, stock, _ in nse},
        tickers=_by_spelling([stock for stock, _ in us]),
        companies={stock: name for _, stock, name in nse} | dict(us),
        renamed={
            old: Renaming(new, date.fromisoformat(since))
            for old, new, since in _rows(_BUNDLED / "renamed.csv")
        },
    )


def load_instruments(folder: Path | None) -> Instruments:
    """The bundled lists, overruled by the folder's `EQUITY_L.csv`, `symbolchange.csv` and `instruments.csv`.

    The first two are NSE's files as they are; the third is the user's own, with the columns isin, symbol and
    exchange. Each may be missing.

    Raises:
        InstrumentsError: one of them is there and cannot be read completely.
    """
    lists = bundled()
    if folder is None or not folder.is_dir():
        return lists
    own = _parsed(folder / "instruments.csv", ("isin", "symbol", "exchange"), _own)
    nse = _parsed(folder / "EQUITY_L.csv", ("isin number", "symbol", "name of company"), _listed_on_nse)
    return Instruments(
        by_isin={
            **lists.by_isin,
            **{isin: stock for isin, stock, _ in nse},
            **{isin: stock for isin, stock in own if isin},
        },
        companies={**lists.companies, **{stock: name for _, stock, name in nse}},
        tickers={
            **lists.tickers,
            **_by_spelling([stock for _, stock in own if stock.exchange.currency == "USD"]),
        },
        renamed={**lists.renamed, **dict(_parsed(folder / "symbolchange.csv", (), _changed))},
    )


def _own(cells: Sequence[str]) -> tuple[str, Stock]:
    isin, symbol, exchange = cells
    return require_isin(isin) if isin else "", parse_stock(f"{exchange}:{symbol}")


def _listed_on_nse(cells: Sequence[str]) -> tuple[str, Stock, str]:
    isin, symbol, company = cells
    return require_isin(isin), parse_stock(symbol, Exchange.NSE), company


def _changed(cells: Sequence[str]) -> tuple[str, Renaming]:
    """NSE's columns, without a header: company (with commas in some), old symbol, new symbol, 09-APR-2025."""
    *_, old, new, since = cells
    day = datetime.strptime(since.title(), "%d-%b-%Y").date()  # noqa: DTZ007 (a date has no zone)
    return old.upper(), Renaming(parse_stock(new, Exchange.NSE).symbol, day)


def _parsed(path: Path, heads: Sequence[str], parse: Callable[[Sequence[str]], T]) -> list[T]:
    """Each row of the file as `parse` reads the cells below `heads`, or all its cells; none if there is no file."""
    parsed: list[T] = []
    number, at = 0, None
    try:
        rows = list(csv.reader(io.StringIO(_text(path)), strict=True)) if path.exists() else []
        for row in rows:
            number += 1
            cells = [cell.strip() for cell in row]
            if at is None and heads:
                names = [cell.lower() for cell in cells]
                at = [names.index(head) for head in heads]
            elif any(cells):
                parsed.append(parse(cells if at is None else [cells[position] for position in at]))
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise InstrumentsError(
            f"{path} cannot be used, for its row {number}: {error}; correct it, or take the file away."
        ) from error
    return parsed


def _text(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(_MAX_BYTES + 1)
    if len(raw) > _MAX_BYTES:
        raise ValueError(f"the file is larger than {_MAX_BYTES // 1_000_000} MB")
    return raw.decode("utf-8-sig")


def _rows(path: Path) -> list[list[str]]:
    """The rows below the header."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return list(csv.reader(io.StringIO(text)))[1:]
