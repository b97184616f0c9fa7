"""What the tests of the data fetcher share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, cast

from handlers.data_fetcher import FetchPayload
from handlers.sources.base import Bar, SourceError
from handlers.stocks import Stock
from queues.context import TaskContext
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed, Failed, Outcome
from tests.handlers.conftest import NOW, TaskRunner
from tests.standins.http_source import Reply, Request, chart

SESSION = date(2022, 12, 28)


def desk_clock() -> datetime:
    return NOW


@dataclass
class Planned:
    """A source at the outer border: it gives one bar, or raises what a test planned for a stock."""

    name: str = "planned"
    errors: Mapping[str, SourceError] = field(default_factory=dict[str, SourceError])
    newest: date = SESSION
    asked: list[str] = field(default_factory=list[str])

    @property
    def citation(self) -> str:
        return f"{self.name} citation"

    async def daily_prices(self, stock: Stock, start: date, end: date) -> Sequence[Bar]:
        assert start < end
        self.asked.append(str(stock))
        if str(stock) in self.errors:
            raise self.errors[str(stock)]
        return [Bar(day=self.newest, close=100.0)]


def running_fetch(running_task: TaskRunner, *stocks: str, force: bool = False) -> TaskContext:
    payload = FetchPayload(stocks=list(stocks), force=force)
    return running_task(QueueName.DATA_FETCHER, payload.model_dump(mode="json"))


def lines(outcome: Outcome) -> dict[str, dict[str, Any]]:
    assert isinstance(outcome, Completed | Failed)
    assert outcome.result is not None
    listed = cast("list[dict[str, Any]]", outcome.result["stocks"])
    return {line.pop("stock"): line for line in [dict(line) for line in listed]}


def stored_bars(database: Database, stock: Stock) -> list[Bar]:
    """Every stored bar of the stock, oldest first."""
    rows = database.read_now(
        lambda tx: tx.rows(
            "SELECT day, close, adj_close, open, high, low, volume FROM bars"
            " WHERE symbol = :symbol AND exchange = :exchange ORDER BY day",
            symbol=stock.symbol,
            exchange=stock.exchange.value,
        )
    )
    columns = ("close", "adj_close", "open", "high", "low", "volume")
    return [Bar(day=date.fromisoformat(day), **dict(zip(columns, rest, strict=True))) for day, *rest in rows]


def by_symbol(replies: Mapping[str, Reply], request: Request) -> Reply:
    return replies[request.symbol] if request.symbol in replies else chart(request)
