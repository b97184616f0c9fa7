"""What a fetch brings beside the prices of its stocks: benchmarks, and texts; none of it stands in their way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from handlers.benchmarks import BENCHMARKS
from handlers.data_fetcher import data_fetcher
from handlers.sources.base import Extras, NotCoveredError, SourceBusyError, SourceError
from handlers.stocks import Stock, parse_stock
from handlers.texts import NewText, recent_texts
from queues.database import Database
from queues.outcome import Completed
from tests.handlers.conftest import NOW, TaskRunner
from tests.handlers.fetching import Planned, desk_clock, lines, running_fetch, stored_bars

SPY, NIFTYBEES = "ARCA:SPY", "NSE:NIFTYBEES"


@dataclass
class Headlines:
    """A source at the outer border: one text of each stock, or the error that a test planned."""

    name: str
    error: SourceError | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])

    def covers(self, stock: Stock) -> bool:
        return stock.symbol != "ABROAD"

    async def texts(self, stock: Stock, company: str | None) -> Sequence[NewText]:
        self.asked.append((str(stock), company))
        if self.error is not None:
            raise self.error
        published_at = NOW - timedelta(hours=1)
        return [NewText(kind="news", title=f"On {stock}", body="", source="Mint", published_at=published_at)]


def benchmark_lines(outcome: Completed) -> list[tuple[str, str]]:
    listed = cast("list[dict[str, Any]]", outcome.result.get("benchmarks", []))
    return [(line["stock"], line["status"]) for line in listed]


async def test_the_benchmark_of_each_currency_is_asked_for_once_a_session_before_the_stocks(
    running_task: TaskRunner, database: Database
) -> None:
    source = Planned()
    handler = data_fetcher([source], desk_clock, 4, benchmarks=BENCHMARKS)
    for stocks, asked, listed in [
        (["NSE:INFY", "NSE:TCS"], [NIFTYBEES, "NSE:INFY", "NSE:TCS"], [(NIFTYBEES, "fetched")]),
        (["NSE:ITC", "NYSE:XOM"], [SPY, "NSE:ITC", "NYSE:XOM"], [(SPY, "fetched")]),
        (["NSE:SBIN"], ["NSE:SBIN"], []),
    ]:
        source.asked.clear()
        ctx = running_fetch(running_task, *stocks)
        outcome = await handler(ctx)
        assert isinstance(outcome, Completed)
        running_task.end(ctx, outcome)
        assert source.asked == asked
        assert benchmark_lines(outcome) == listed
        assert outcome.result["fetched"] == len(stocks)
    assert len(stored_bars(database, parse_stock(SPY))) == 1


async def test_a_benchmark_among_the_stocks_is_asked_for_once_and_first(running_task: TaskRunner) -> None:
    source = Planned()
    outcome = await data_fetcher([source], desk_clock, 4, benchmarks=BENCHMARKS)(
        running_fetch(running_task, "NSE:INFY", NIFTYBEES)
    )
    assert source.asked == [NIFTYBEES, "NSE:INFY"]
    assert list(lines(outcome)) == ["NSE:INFY", NIFTYBEES]


async def test_a_benchmark_without_prices_fails_nothing(running_task: TaskRunner) -> None:
    for error, status in ((NotCoveredError("No fund."), "missing"), (SourceBusyError("Not now."), "busy")):
        source = Planned(errors={NIFTYBEES: error, SPY: error})
        stock = "NSE:INFY" if status == "missing" else "NYSE:XOM"
        ctx = running_fetch(running_task, stock)
        outcome = await data_fetcher([source], desk_clock, 4, benchmarks=BENCHMARKS)(ctx)
        assert isinstance(outcome, Completed)
        running_task.end(ctx, outcome)
        assert [status for _, status in benchmark_lines(outcome)] == [status]


async def test_news_come_from_the_first_source_that_has_some_and_are_stored_as_texts(
    running_task: TaskRunner, database: Database
) -> None:
    first, second = Headlines("first", SourceBusyError("First is busy.")), Headlines("second")
    extras = Extras(news=[first, second], filings=[Headlines("third", NotCoveredError("No filings."))])
    outcome = await data_fetcher([Planned()], desk_clock, 4, extras=extras, benchmarks=BENCHMARKS)(
        running_fetch(running_task, "NSE:INFY", "NSE:ABROAD")
    )
    listed = lines(outcome)
    assert listed["NSE:INFY"]["news"] == {"source": "second", "count": 1, "passed_over": ["First is busy."]}
    assert listed["NSE:INFY"]["filings"] == {"source": None, "count": 0, "passed_over": ["No filings."]}
    assert "news" not in listed["NSE:ABROAD"]
    assert second.asked == [("NSE:INFY", None)]
    texts = database.read_now(lambda tx: recent_texts(tx, parse_stock("NSE:INFY"), NOW))
    assert [text.title for text in texts] == ["On NSE:INFY"]


async def test_extras_are_not_asked_for_a_stock_without_prices_or_with_fresh_ones(
    running_task: TaskRunner,
) -> None:
    news = Headlines("news")
    source = Planned(errors={"NSE:GONE": NotCoveredError("Gone.")})
    handler = data_fetcher([source], desk_clock, 4, extras=Extras(news=[news]))
    for _ in range(2):
        ctx = running_fetch(running_task, "NSE:INFY", "NSE:GONE")
        running_task.end(ctx, await handler(ctx))
    assert news.asked == [("NSE:INFY", None)]
