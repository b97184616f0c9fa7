"""The bundled sample as a source: real adjusted closes of 20 US stocks; see handlers/sample/README.md."""

import csv
import gzip
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import anyio.to_thread

from handlers.sources.base import Bar, NotCoveredError
from handlers.stocks import Stock, parse_stock


class SampleSource:
    name = "sample"
    citation = "bundled sample, adjusted closes (skfolio)"

    async def daily_prices(self, stock: Stock, start: date, end: date) -> Sequence[Bar]:
        """As `PriceSource`; `close` and `adj_close` are both the adjusted close."""
        # The first call unpacks the file.
        closes = (await anyio.to_thread.run_sync(_closes)).get(stock)
        if closes is None:
            raise NotCoveredError(f"The sample does not hold {stock}; it holds 20 US stocks.")
        bars = [bar for bar in closes if start <= bar.day <= end]
        if not bars:
            first, last = closes[0].day, closes[-1].day
            raise NotCoveredError(
                f"The sample has prices of {stock} from {first} to {last}, none from {start} to {end}."
            )
        return bars


def sample_last_day() -> date:
    """The last session of the sample; with it as the source, the desk's clock stands in that evening."""
    return max(bars[-1].day for bars in _closes().values())


def sample_stocks() -> list[Stock]:
    return sorted(_closes())


def sample_holdings() -> dict[str, Traversable]:
    """The bundled exports, by account."""
    folder = files("handlers") / "sample"
    return {account: folder / f"holdings_{account}.csv" for account in ("main", "second")}


@cache
def _closes() -> Mapping[Stock, Sequence[Bar]]:
    packed = (files("handlers") / "sample" / "closes.csv.gz").read_bytes()
    rows = list(csv.DictReader(gzip.decompress(packed).decode().splitlines()))
    return {
        parse_stock(column): [_bar(row["Date"], float(row[column])) for row in rows]
        for column in rows[0]
        if column != "Date"
    }


def _bar(day: str, close: float) -> Bar:
    return Bar(day=date.fromisoformat(day), close=close, adj_close=close)
