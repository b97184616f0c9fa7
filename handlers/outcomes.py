"""What became of verdicts: the return of the stock since, beside that of its benchmark.

Returns are total returns, from adjusted closes of one and the same fetch where the source gives them. Alpha is the
stock's return less the benchmark's, over the same days; no risk is taken into account.
"""

import json
from datetime import date, timedelta

from handlers.benchmarks import benchmark_of
from handlers.stocks import Stock
from queues.database import Transaction

WEEKS = (1, 4, 12)
# The longest that an exchange stays closed; a stock without a price for longer is suspended.
_CLOSED_AT_MOST = timedelta(days=7)
_PRICE = "coalesce(adj_close, close)"


def mark_start(tx: Transaction, verdict: int, stock: Stock) -> None:
    """Keep the newest close of the stock, and the benchmark's of that day; nothing where there is no price."""
    row = tx.row(
        "SELECT day, close FROM bars WHERE symbol = :symbol AND exchange = :exchange ORDER BY day DESC LIMIT 1",
        symbol=stock.symbol,
        exchange=stock.exchange.value,
    )
    if row is None:
        return
    day, close = row
    benchmark = _last_until(tx, benchmark_of(stock), date.fromisoformat(day))
    tx.run(
        "INSERT INTO starts (verdict, day, close, benchmark_close) VALUES (:verdict, :day, :close, :benchmark)",
        verdict=verdict,
        day=day,
        close=close,
        benchmark=None if benchmark is None else benchmark[1],
    )


def fill_outcomes(tx: Transaction, stock: Stock) -> None:
    """Fill what the stored prices now tell of the stock's verdicts; what is filled once stays."""
    for verdict, day, weeks in _open(tx, stock):
        start = date.fromisoformat(day)
        end = _first_from(tx, stock, start + timedelta(weeks=weeks))
        change = None if end is None else _change(tx, stock, start, end)
        if end is None or change is None:
            continue
        tx.run(
            "INSERT INTO outcomes (verdict, weeks, day, close, return, benchmark_return, filled_at)"
            " SELECT :verdict, :weeks, day, close, :change, :benchmark, :now FROM bars"
            " WHERE symbol = :symbol AND exchange = :exchange AND day = :end"
            " ON CONFLICT (verdict, weeks) DO UPDATE SET benchmark_return = excluded.benchmark_return",
            verdict=verdict,
            weeks=weeks,
            change=change,
            benchmark=_change(tx, benchmark_of(stock), start, end),
            symbol=stock.symbol,
            exchange=stock.exchange.value,
            end=end.isoformat(),
            now=tx.micros,
        )


def _open(tx: Transaction, stock: Stock) -> list[tuple[int, str, int]]:
    """Verdict, start and weeks of what is due and lacks the stock's return or the benchmark's."""
    return [
        (verdict, day, weeks)
        for verdict, day, weeks in tx.rows(
            "SELECT seq, starts.day, horizons.value FROM verdicts JOIN starts ON starts.verdict = seq"
            " JOIN json_each(:weeks) AS horizons"
            " LEFT JOIN outcomes ON outcomes.verdict = seq AND outcomes.weeks = horizons.value"
            " WHERE symbol = :symbol AND exchange = :exchange AND benchmark_return IS NULL ORDER BY seq",
            weeks=json.dumps(WEEKS),
            symbol=stock.symbol,
            exchange=stock.exchange.value,
        )
    ]


def _change(tx: Transaction, stock: Stock, start: date, end: date) -> float | None:
    """The total return between the closes of these days, or of the sessions before; None where one is missing."""
    first, last = _last_until(tx, stock, start), _last_until(tx, stock, end)
    return None if first is None or last is None else last[0] / first[0] - 1


def _last_until(tx: Transaction, stock: Stock, day: date) -> tuple[float, float] | None:
    """The adjusted and the plain close of that day or the last session before; None if that is too long ago."""
    row = tx.row(
        f"SELECT {_PRICE}, close FROM bars WHERE symbol = :symbol AND exchange = :exchange"
        " AND day BETWEEN :since AND :day ORDER BY bars.day DESC LIMIT 1",
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        since=(day - _CLOSED_AT_MOST).isoformat(),
        day=day.isoformat(),
    )
    return None if row is None else (row[0], row[1])


def _first_from(tx: Transaction, stock: Stock, day: date) -> date | None:
    """The first session from that day on; None if it has not come, or the stock did not trade for too long."""
    row = tx.row(
        "SELECT min(day) FROM bars WHERE symbol = :symbol AND exchange = :exchange AND day BETWEEN :day AND :until",
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        day=day.isoformat(),
        until=(day + _CLOSED_AT_MOST).isoformat(),
    )
    return None if row is None or row[0] is None else date.fromisoformat(row[0])
