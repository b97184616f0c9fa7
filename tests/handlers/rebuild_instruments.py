"""Rebuilds handlers/instruments from two wheels: `… rebuild_instruments.py casparser_isin-….whl edgartools-….whl`.

Needs pyarrow, which Stockdesk does not.
"""

import csv
import gzip
import importlib
import io
import sqlite3
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

INSTRUMENTS = Path(__file__).parents[2] / "handlers" / "instruments"
EXCHANGES = {"Nasdaq": "NASDAQ", "NYSE": "NYSE"}


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    # No name and no time in the archive: the same rows are the same bytes.
    (INSTRUMENTS / name).write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))


def nse(wheel: Path) -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        database = archive.extract("casparser_isin/isin.db", folder)
        connection = sqlite3.connect(database)
        rows = connection.execute(
            "SELECT isin, symbol, issuer FROM isin WHERE exchange = 'NSE' AND type = 'EQUITY SHARES' ORDER BY isin"
        ).fetchall()
        connection.close()
    return rows


def us(wheel: Path) -> list[tuple[str, str, str, str]]:
    """In SEC's order, which is by size. Its class separator is a dash, that of the desk and of brokers a dot."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read("edgar/reference/data/company_tickers.parquet")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    table: list[dict[str, str]] = parquet.read_table(io.BytesIO(content)).to_pylist()
    return [
        (row["ticker"].replace("-", "."), EXCHANGES[row["exchange"]], row["cik"].lstrip("0"), row["name"])
        for row in table
        if row["exchange"] in EXCHANGES
    ]


if __name__ == "__main__":
    write("nse.csv.gz", ["isin", "symbol", "company"], nse(Path(sys.argv[1])))
    write("us.csv.gz", ["symbol", "exchange", "cik", "company"], us(Path(sys.argv[2])))
