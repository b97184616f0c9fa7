"""The store of daily prices, and of each time the sources were asked for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from handlers.sources.base import Bar
from handlers.stocks import Exchange, Stock
from queues.database import Transaction
from queues.moments import from_micros


class FetchOutcome(StrEnum):
    FETCHED = "fetched"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One time that the sources were asked for a stock, up to and including the session `through`.

    `source` gave the prices where they were fetched; `reason` says why there are none where they are missing.
    """

    outcome: FetchOutcome
    through: date
    task_id: str
    at: datetime
    source: str | None
    reason: str | None


def store_bars(tx: Transaction, stock: Stock, bars: Sequence[Bar], source: str) -> None:
    """Keep these bars; for a day that is stored already, the newer one replaces it."""
    tx.run_many(
        "INSERT INTO bars (symbol, exchange, day, close, adj_close, open, high, low, volume, source,"
        " fetched_at) VALUES (:symbol, :exchange, :day, :close, :adj_close, :open, :high, :low, :volume,"
        " :source, :now)"
        " ON CONFLICT (symbol, exchange, day) DO UPDATE SET close = excluded.close,"
        " adj_close = excluded.adj_close, open = excluded.open, high = excluded.high, low = excluded.low,"
        " volume = excluded.volume, source = excluded.source, fetched_at = excluded.fetched_at",
        [
            {
                "symbol": stock.symbol,
                "exchange": stock.exchange.value,
                "day": bar.day.isoformat(),
                "close": bar.close,
                "adj_close": bar.adj_close,
                "open": bar.open,
                "high": bar.high,
                "low": bar.low,
                "volume": bar.volume,
                "source": source,
                "now": tx.micros,
            }
            for bar in bars
        ],
    )


def stored_bars(tx: Transaction, stock: Stock, since: date) -> list[Bar]:
    """The stored sessions from that day on, oldest first; of each only the closes."""
    rows = tx.rows(
        "SELECT day, close, adj_close FROM bars WHERE symbol = :symbol AND exchange = :exchange AND day >= :since"
        " ORDER BY day",
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        since=since.isoformat(),
    )
    return [
        Bar(day=date.fromisoformat(day), close=close, adj_close=adj_close) for day, close, adj_close in rows
    ]


def fetched_exchanges(tx: Transaction, symbol: str) -> list[Exchange]:
    """The exchanges on which prices of this symbol were found, in the order of their codes."""
    rows = tx.rows(
        "SELECT DISTINCT exchange FROM fetches WHERE symbol = :symbol AND outcome = 'fetched' ORDER BY exchange",
        symbol=symbol,
    )
    return [Exchange(exchange) for (exchange,) in rows]


def newest_day(tx: Transaction, stock: Stock) -> date | None:
    """The newest session of which a price is stored."""
    row = tx.row(
        "SELECT max(day) FROM bars WHERE symbol = :symbol AND exchange = :exchange",
        symbol=stock.symbol,
        exchange=stock.exchange.value,
    )
    return None if row is None or row[0] is None else date.fromisoformat(row[0])


def log_fetched(tx: Transaction, stock: Stock, source: str, through: date, task_id: str) -> None:
    _log(tx, stock, FetchOutcome.FETCHED, source, None, through, task_id)


def log_missing(tx: Transaction, stock: Stock, reason: str, through: date, task_id: str) -> None:
    _log(tx, stock, FetchOutcome.MISSING, None, reason, through, task_id)


def _log(
    tx: Transaction,
    stock: Stock,
    outcome: FetchOutcome,
    source: str | None,
    reason: str | None,
    through: date,
    task_id: str,
) -> None:
    tx.run(
        "INSERT INTO fetches (symbol, exchange, outcome, source, reason, through, task_id, at)"
        " VALUES (:symbol, :exchange, :outcome, :source, :reason, :through, :task_id, :now)",
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        outcome=outcome.value,
        source=source,
        reason=reason,
        through=through.isoformat(),
        task_id=task_id,
        now=tx.micros,
    )


def last_fetch(tx: Transaction, stock: Stock, outcome: FetchOutcome | None = None) -> Fetch | None:
    """The newest fetch of the stock, or the newest with this outcome."""
    row = tx.row(
        "SELECT outcome, through, task_id, at, source, reason FROM fetches"
        " WHERE symbol = :symbol AND exchange = :exchange AND (:outcome IS NULL OR outcome = :outcome)"
        " ORDER BY seq DESC LIMIT 1",
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        outcome=None if outcome is None else outcome.value,
    )
    if row is None:
        return None
    stored, through, task_id, at, source, reason = row
    return Fetch(
        outcome=FetchOutcome(stored),
        through=date.fromisoformat(through),
        task_id=task_id,
        at=from_micros(at),
        source=source,
        reason=reason,
    )
