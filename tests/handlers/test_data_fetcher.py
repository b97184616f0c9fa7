"""A fetch, from the payload over a real HTTP source to bars and facts."""

from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from pydantic import ValidationError

from handlers.data_fetcher import FetchPayload, data_fetcher
from handlers.facts import current_facts
from handlers.prices import last_fetch
from handlers.sources.base import NotCoveredError
from handlers.sources.sample import SampleSource
from handlers.sources.yahoo import YahooSource
from handlers.stocks import Exchange, Stock, parse_stock
from queues.database import Database
from queues.model import TaskState
from queues.outcome import Completed, Failed
from queues.store import find_task
from tests.handlers.conftest import TaskRunner
from tests.handlers.fetching import SESSION, Planned, by_symbol, desk_clock, lines, running_fetch, stored_bars
from tests.standins.http_source import HttpSource, Reply, always, chart_of, not_found


async def test_prices_become_bars_and_facts_with_their_source(
    server: HttpSource, yahoo: YahooSource, running_task: TaskRunner, database: Database
) -> None:
    ctx = running_fetch(running_task, "NSE:INFY", "NSE:M&M")
    outcome = await data_fetcher([yahoo], desk_clock, 4)(ctx)
    assert isinstance(outcome, Completed)
    assert (outcome.result["fetched"], outcome.result["fresh"], outcome.result["missing"]) == (2, 0, 0)
    assert lines(outcome)["NSE:INFY"] == {"status": "fetched", "source": "yahoo", "newest": "2022-12-28"}
    assert sorted(request.path for request in server.requests) == [
        "/v8/finance/chart/INFY.NS",
        "/v8/finance/chart/M%26M.NS",
    ]
    infy = Stock("INFY", Exchange.NSE)
    bars = stored_bars(database, infy)
    facts = {fact.name: fact for fact in database.read_now(lambda tx: current_facts(tx, infy))}
    assert facts["last_close"].value == bars[-1].close
    assert facts["last_close"].unit == "INR"
    assert facts["last_close"].as_of == SESSION
    assert {fact.source for fact in facts.values()} == {"Yahoo Finance chart"}
    assert {"return_1y", "sma_200", "rsi_14", "volatility_1y", "high_52w"} <= facts.keys()


async def test_the_sample_is_fresh_on_its_own_last_day(running_task: TaskRunner, database: Database) -> None:
    handler = data_fetcher([SampleSource()], desk_clock, 4)
    ctx = running_fetch(running_task, "NASDAQ:AAPL", "NYSE:XOM")
    first = await handler(ctx)
    assert [line["status"] for line in lines(first).values()] == ["fetched", "fetched"]
    running_task.end(ctx, first)
    second = await handler(running_fetch(running_task, "NASDAQ:AAPL", "NYSE:XOM"))
    assert [line["status"] for line in lines(second).values()] == ["fresh", "fresh"]
    facts = database.read_now(lambda tx: current_facts(tx, Stock("AAPL", Exchange.NASDAQ)))
    assert {fact.name: fact.value for fact in facts}["last_close"] == 125.674


async def test_what_is_fresh_is_not_asked_for_again_unless_forced(running_task: TaskRunner) -> None:
    source = Planned()
    handler = data_fetcher([source], desk_clock, 4)
    for stocks, force, asked in [
        (["NSE:INFY"], False, ["NSE:INFY"]),
        (["NSE:INFY", "NSE:TCS"], False, ["NSE:TCS"]),
        (["NSE:INFY"], True, ["NSE:INFY"]),
    ]:
        source.asked.clear()
        ctx = running_fetch(running_task, *stocks, force=force)
        running_task.end(ctx, await handler(ctx))
        assert source.asked == asked


async def test_a_stock_without_prices_is_listed_with_the_reason_beside_the_others(
    server: HttpSource, yahoo: YahooSource, running_task: TaskRunner, database: Database
) -> None:
    server.script = partial(by_symbol, {"GONE.NS": not_found(), "ODD.NS": Reply(200, b"<html>")})
    outcome = await data_fetcher([yahoo], desk_clock, 4)(
        running_fetch(running_task, "NSE:GONE", "NSE:INFY", "NSE:ODD")
    )
    listed = lines(outcome)
    assert isinstance(outcome, Completed)
    assert list(listed) == ["NSE:GONE", "NSE:INFY", "NSE:ODD"]
    assert listed["NSE:GONE"] == {
        "status": "missing",
        "reason": "Yahoo has nothing for NSE:GONE (GONE.NS): Not Found: No data found, symbol may be delisted.",
    }
    assert "another shape" in listed["NSE:ODD"]["reason"]
    fetch = database.read_now(lambda tx: last_fetch(tx, Stock("GONE", Exchange.NSE)))
    assert fetch is not None
    assert (fetch.outcome, fetch.reason) == ("missing", listed["NSE:GONE"]["reason"])


async def test_a_task_whose_stocks_are_all_missing_has_failed_and_still_lists_them(
    server: HttpSource, yahoo: YahooSource, running_task: TaskRunner
) -> None:
    server.script = always(not_found())
    ctx = running_fetch(running_task, "NSE:GONE", "BSE:LOST")
    outcome = await data_fetcher([yahoo], desk_clock, 4)(ctx)
    assert isinstance(outcome, Failed)
    assert outcome.error.startswith("No prices for any of 2 stocks: Yahoo has nothing for NSE:GONE")
    assert {line["status"] for line in lines(outcome).values()} == {"missing"}
    assert running_task.end(ctx, outcome).state is TaskState.FAILED


async def test_the_next_source_is_tried_and_why_the_first_gave_nothing_is_kept(
    running_task: TaskRunner,
) -> None:
    first = Planned("first", {"NSE:INFY": NotCoveredError("First lacks it.")})
    second = Planned("second")
    outcome = await data_fetcher([first, second], desk_clock, 4)(running_fetch(running_task, "NSE:INFY"))
    assert lines(outcome)["NSE:INFY"] == {
        "status": "fetched",
        "source": "second",
        "newest": "2022-12-28",
        "passed_over": ["First lacks it."],
    }


async def test_a_stock_whose_newest_price_is_old_has_no_prices(
    running_task: TaskRunner, database: Database
) -> None:
    source = Planned(newest=SESSION - timedelta(days=11))
    outcome = await data_fetcher([source], desk_clock, 4)(running_fetch(running_task, "NSE:HALTED"))
    assert isinstance(outcome, Failed)
    assert (
        "The newest price of NSE:HALTED at planned is of 2022-12-17, too old for 2022-12-28" in outcome.error
    )
    assert database.read_now(lambda tx: current_facts(tx, Stock("HALTED", Exchange.NSE))) == []


async def test_progress_names_the_stock_and_counts_to_the_end(
    running_task: TaskRunner, database: Database
) -> None:
    ctx = running_fetch(running_task, "NSE:INFY", "NSE:TCS")
    await data_fetcher([Planned()], desk_clock, 1)(ctx)
    progress = database.read_now(lambda tx: find_task(tx, ctx.task.id)).progress
    assert progress is not None
    assert (progress.done, progress.total, progress.message) == (2, 2, "NSE:TCS fetched")


async def test_before_the_close_the_running_session_is_not_asked_for(
    server: HttpSource, yahoo: YahooSource, running_task: TaskRunner, database: Database
) -> None:
    midday = datetime(2022, 12, 28, 6, tzinfo=UTC)  # 11:30 in Mumbai
    # Yahoo appends the running session all the same.
    days = [(date(2022, 12, 27), 100.0), (date(2022, 12, 28), 999.0)]
    server.script = always(chart_of("INFY.NS", days))
    outcome = await data_fetcher([yahoo], lambda: midday, 4)(running_fetch(running_task, "NSE:INFY"))
    assert lines(outcome)["NSE:INFY"]["newest"] == "2022-12-27"
    assert [bar.close for bar in stored_bars(database, parse_stock("NSE:INFY"))] == [100.0]
    assert server.requests[0].days[1] == date(2022, 12, 28)


async def test_without_a_source_every_stock_is_missing(running_task: TaskRunner) -> None:
    outcome = await data_fetcher([], desk_clock, 4)(running_fetch(running_task, "NSE:INFY"))
    assert isinstance(outcome, Failed)
    assert "STOCKDESK_PRICE_SOURCES" in outcome.error


def test_a_stock_named_twice_is_fetched_once() -> None:
    assert FetchPayload(stocks=["NSE:INFY", "nse:infy", "BSE:INFY"]).stocks == ["NSE:INFY", "BSE:INFY"]


@pytest.mark.parametrize("stocks", [[], ["INFY"], ["LSE:VOD"]])
def test_a_payload_without_stocks_or_exchange_is_refused(stocks: list[str]) -> None:
    with pytest.raises(ValidationError):
        FetchPayload(stocks=stocks)
