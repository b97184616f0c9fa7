"""A user's own folder of CSV files, and what no source's history of prices may be."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest

from handlers.market_calendar import is_session
from handlers.sources.base import BadDataError, Bar, NotCoveredError
from handlers.sources.folder import FolderSource
from handlers.sources.soundness import missing_sessions, require_sound
from handlers.stocks import Exchange, Stock

INFY = Stock("INFY", Exchange.NSE)
FIRST, LAST = date(2022, 12, 19), date(2022, 12, 28)
DAYS = [day for n in range(60) if is_session(day := date(2022, 10, 3) + timedelta(days=n), Exchange.NSE)]

NO_SPLITS: Mapping[date, float] = {}

Write = Callable[..., FolderSource]


@pytest.fixture
def folder(tmp_path: Path) -> Write:
    """Writes files, by name without the ending, and gives the source of their folder."""

    def write(**files: str | bytes) -> FolderSource:
        for name, content in files.items():
            raw = content.encode() if isinstance(content, str) else content
            (tmp_path / f"{name.replace('_', '-')}.csv").write_bytes(raw)
        return FolderSource(tmp_path)

    return write


async def test_a_file_of_the_documented_columns_becomes_bars_in_order(folder: Write) -> None:
    source = folder(
        INFY="\ufeffDate,Open,High,Low,Close,Volume,Adj Close,Split\r\n"
        "2022-12-28,3,4,2,3.5,100,3.4,2\r\n2022-12-27,1,2,1,1.5,,1.4,\r\n\r\n2022-01-03,1,1,1,1,1,1,\r\n"
    )
    assert await source.daily_prices(INFY, FIRST, LAST) == [
        Bar(day=date(2022, 12, 27), close=1.5, adj_close=1.4, open=1, high=2, low=1),
        Bar(day=LAST, close=3.5, adj_close=3.4, open=3, high=4, low=2, volume=100, split=2),
    ]


async def test_the_file_that_names_the_exchange_goes_before_the_one_that_does_not(folder: Write) -> None:
    source = folder(NSE_INFY="date,close\n2022-12-28,1450\n", INFY="date,close\n2022-12-28,18\n")
    for exchange, close in ((Exchange.NSE, 1450), (Exchange.NYSE, 18)):
        (bar,) = await source.daily_prices(Stock("INFY", exchange), FIRST, LAST)
        assert bar.close == close


@pytest.mark.parametrize("files", [{}, {"INFY": "date,close\n2021-01-04,1\n"}, {"INFY": "date,close\n"}])
async def test_a_stock_without_a_file_or_a_price_in_the_period_is_not_covered(
    folder: Write, files: dict[str, str]
) -> None:
    with pytest.raises(NotCoveredError, match=r"INFY\.csv"):
        await folder(**files).daily_prices(INFY, FIRST, LAST)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "must have one column 'date' in its first line; there is none"),
        ("date,open\n2022-12-28,1\n", "must have one column 'close'"),
        ("date,close,close\n2022-12-28,1,2\n", "must have one column 'close'"),
        ("date,close\n28/12/2022,1\n", "line 2: Invalid isoformat string"),
        ("date,close\n2022-12-28,\n", "line 2: '' is no number"),
        ('date,close\n2022-12-28,"1,450"\n', "line 2: '1,450' is no number"),
        ("date,close\n2022-12-28,nan\n", "'nan' is no number"),
        ("date,close,split\n2022-12-28,1,0\n", "the split 0.0"),
        ("date,close\n2022-12-28,1,2\n", "line 2: 3 fields under 2 columns"),
        ('date,close\n2022-12-28,"1\n', "line 2: unexpected end of data"),
        ("date,close\n2022-12-28,1e999\n", "the price inf"),
        ("date,close\n2022-12-28,1\n2022-12-28,1\n", "two prices for 2022-12-28"),
        (b"date,close\n2022-12-28,\xff\n", "cannot be read: .*; save it as CSV in UTF-8"),
        (b" " * (10 * 2**20 + 1), "larger than 10 MB"),
    ],
)
async def test_a_file_with_one_bad_row_is_refused_whole_with_its_place(
    folder: Write, content: str | bytes, reason: str
) -> None:
    with pytest.raises(BadDataError, match=rf"^INFY\.csv.*{reason}"):
        await folder(INFY=content).daily_prices(INFY, FIRST, LAST)


def bars_of(closes: dict[date, float], splits: Mapping[date, float] = NO_SPLITS) -> list[Bar]:
    return [Bar(day=day, close=close, split=splits.get(day)) for day, close in closes.items()]


@pytest.mark.parametrize("factor", [100, 0.01])
def test_a_price_in_another_unit_is_refused(factor: float) -> None:
    closes = dict.fromkeys(DAYS, 150.0)
    closes[DAYS[20]] *= factor
    with pytest.raises(
        BadDataError, match=r"150\.0 on 2022-11-02 and .* on 2022-11-03, as if the unit had changed"
    ):
        require_sound(bars_of(closes), "Yahoo", INFY)


@pytest.mark.parametrize("factor", [4, 1.5, 0.1])
def test_a_split_that_is_not_worked_in_is_refused(factor: float) -> None:
    splits = {DAYS[20]: factor}
    adjusted = {day: 100 + n / 10 for n, day in enumerate(DAYS)}
    require_sound(bars_of(adjusted, splits), "Yahoo", INFY)
    raw = {day: close / (factor if day >= DAYS[20] else 1) for day, close in adjusted.items()}
    with pytest.raises(BadDataError, match=f"split of {factor:g} for 1 on 2022-11-03 is not worked in"):
        require_sound(bars_of(raw, splits), "Yahoo", INFY)


def test_some_missing_sessions_are_counted_and_too_many_are_refused() -> None:
    thin = bars_of({day: 10.0 for n, day in enumerate(DAYS) if n % 10 != 5})
    require_sound(thin, "Yahoo", INFY)
    assert missing_sessions(thin, Exchange.NSE) == 4
    sparse = bars_of(dict.fromkeys(DAYS[::2], 10.0))
    with pytest.raises(BadDataError, match=r"Yahoo lacks 19 of the 39 sessions of NSE:INFY from 2022-10-03"):
        require_sound(sparse, "Yahoo", INFY)


def test_a_highest_price_below_the_lowest_is_refused() -> None:
    with pytest.raises(BadDataError, match=r"a highest price of 1, below the lowest of 2"):
        require_sound([Bar(day=LAST, close=1.5, high=1, low=2)], "Yahoo", INFY)
