"""Rebuilds handlers/sample from a wheel: `python tests/handlers/rebuild_sample.py skfolio-1.12.2-….whl`."""

import csv
import gzip
import io
import sys
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "handlers" / "sample"
FIRST_DAY = "2020-01-02"
# Where each was listed on the last day of the data, its name and its GICS sector of that time.
STOCKS = {
    "AAPL": ("NASDAQ", "Apple", "Information Technology"),
    "AMD": ("NASDAQ", "Advanced Micro Devices", "Information Technology"),
    "BAC": ("NYSE", "Bank of America", "Financials"),
    "BBY": ("NYSE", "Best Buy", "Consumer Discretionary"),
    "CVX": ("NYSE", "Chevron", "Energy"),
    "GE": ("NYSE", "General Electric", "Industrials"),
    "HD": ("NYSE", "Home Depot", "Consumer Discretionary"),
    "JNJ": ("NYSE", "Johnson & Johnson", "Health Care"),
    "JPM": ("NYSE", "JPMorgan Chase", "Financials"),
    "KO": ("NYSE", "Coca-Cola", "Consumer Staples"),
    "LLY": ("NYSE", "Eli Lilly", "Health Care"),
    "MRK": ("NYSE", "Merck", "Health Care"),
    "MSFT": ("NASDAQ", "Microsoft", "Information Technology"),
    "PEP": ("NASDAQ", "PepsiCo", "Consumer Staples"),
    "PFE": ("NYSE", "Pfizer", "Health Care"),
    "PG": ("NYSE", "Procter & Gamble", "Consumer Staples"),
    "RRC": ("NYSE", "Range Resources", "Energy"),
    "UNH": ("NYSE", "UnitedHealth Group", "Health Care"),
    "WMT": ("NYSE", "Walmart", "Consumer Staples"),
    "XOM": ("NYSE", "Exxon Mobil", "Energy"),
}
MAIN = [
    ("AAPL", 40, "2020-03-23"),
    ("MSFT", 25, "2020-06-15"),
    ("JPM", 30, "2020-09-24"),
    ("JNJ", 35, "2021-01-04"),
    ("XOM", 60, "2021-03-18"),
    ("HD", 12, "2021-05-20"),
    ("KO", 90, "2021-08-16"),
    ("PFE", 110, "2021-12-16"),
    ("AMD", 45, "2022-01-05"),
    ("UNH", 9, "2022-03-08"),
    ("BBY", 28, "2022-06-16"),
]
SECOND = [
    ("BAC", 120, "2020-04-01"),
    ("CVX", 40, "2020-10-29"),
    ("GE", 50, "2021-02-12"),
    ("LLY", 18, "2021-04-27"),
    ("MRK", 55, "2021-07-19"),
    ("MSFT", 10, "2021-11-19"),
    ("PEP", 22, "2022-02-24"),
    ("PG", 26, "2022-04-21"),
    ("RRC", 150, "2022-06-08"),
    ("WMT", 33, "2022-08-16"),
]


def main(wheel: Path) -> None:
    prices = read_table(wheel, "sp500_dataset.csv.gz")
    header, rows = prices[0], [row for row in prices[1:] if row[0] >= FIRST_DAY]
    write_gz("closes.csv.gz", [["Date", *(f"{STOCKS[s][0]}:{s}" for s in header[1:])], *rows])
    closes = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    write(
        "holdings_main.csv",
        [["Symbol", "Exchange", "Quantity", "Average Price", "Currency", "Name", "Sector", "Bought On"]]
        + [[s, STOCKS[s][0], n, closes[day][s], "USD", *STOCKS[s][1:], day] for s, n, day in MAIN],
    )
    write(
        "holdings_second.csv",
        [["Bought", "Company", "Ticker", "Market", "Shares", "Avg. cost ($)", "Sector"]]
        + [
            [day, STOCKS[s][1], s, STOCKS[s][0], n, f"${closes[day][s]}", STOCKS[s][2]]
            for s, n, day in SECOND
        ],
    )


def read_table(wheel: Path, name: str) -> list[list[str]]:
    packed = zipfile.ZipFile(wheel).read(f"skfolio/datasets/data/{name}")
    return list(csv.reader(io.StringIO(gzip.decompress(packed).decode())))


def to_csv(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def write(name: str, rows: Iterable[Sequence[object]]) -> None:
    (SAMPLE / name).write_bytes(to_csv(rows))


def write_gz(name: str, rows: Iterable[Sequence[object]]) -> None:
    (SAMPLE / name).write_bytes(gzip.compress(to_csv(rows), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
