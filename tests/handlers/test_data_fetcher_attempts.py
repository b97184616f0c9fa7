"""A fetch that has to wait, is repeated, runs its requests at once, or is ended by someone else."""

from datetime import timedelta
from functools import partial

import anyio
import anyio.to_thread
import pytest

from handlers.data_fetcher import data_fetcher
from handlers.sources.base import SourceBusyError
from handlers.sources.yahoo import YahooSource
from handlers.stocks import Exchange, Stock
from queues.database import Database
from queues.errors import StaleClaimError
from queues.outcome import Cancelled, Completed, Failed, Outcome, Retry
from tests.handlers.conftest import NOW, TaskRunner
from tests.handlers.fetching import Planned, by_symbol, desk_clock, lines, running_fetch, stored_bars
from tests.standins.http_source import HttpSource, Reply, always


async def test_too_many_requests_is_a_retry_after_what_the_server_asks_for(
    server: HttpSource, yahoo: YahooSource, running_task: TaskRunner
) -> None:
    server.script = always(Reply(429, b"", {"Retry-After": "90"}))
    ctx = running_fetch(running_task, "NSE:INFY")
    outcome = await data_fetcher([yahoo], desk_clock, 4)(ctx)
    assert outcome == Retry(
        "1 of 1 stocks wait for a busy source: Yahoo answered 429 for NSE:INFY.", timedelta(seconds=90)
    )
    assert running_task.end(ctx, outcome).due_at == NOW + timedelta(seconds=90)


async def test_a_retry_asks_only_for_what_is_still_lacking(
    server: HttpSource, yahoo: YahooSource, running_task: TaskRunner
) -> None:
    busy = {"TCS.NS": Reply(503)}
    server.script = partial(by_symbol, busy)
    handler = data_fetcher([yahoo], desk_clock, 1)
    ctx = running_fetch(running_task, "NSE:INFY", "NSE:TCS", "NSE:ITC", force=True)
    outcome = await handler(ctx)
    assert outcome == Retry("1 of 3 stocks wait for a busy source: Yahoo answered 503 for NSE:TCS.", None)
    busy.clear()
    server.requests.clear()
    outcome = await handler(running_task.again(ctx, outcome))
    assert [request.symbol for request in server.requests] == ["TCS.NS"]
    assert {line["status"] for line in lines(outcome).values()} == {"fetched"}


async def test_a_source_that_asks_to_be_left_alone_is_asked_once_by_all_tasks(
    server: HttpSource, yahoo: YahooSource, running_task: TaskRunner
) -> None:
    server.script = always(Reply(429, b"", {"Retry-After": "60"}))
    handler = data_fetcher([yahoo], desk_clock, 1)
    first = running_fetch(running_task, "NSE:A", "NSE:B", "NSE:C")
    outcome = await handler(first)
    assert outcome == Retry(
        "3 of 3 stocks wait for a busy source: Yahoo answered 429 for NSE:A.", timedelta(seconds=60)
    )
    running_task.end(first, outcome)
    second = await handler(running_fetch(running_task, "NSE:D"))
    assert isinstance(second, Retry)
    assert "Yahoo was not asked for NSE:D" in second.error
    assert second.delay is not None
    assert timedelta() < second.delay <= timedelta(seconds=60)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("busy", "expected"), [(["NSE:TCS"], Completed), (["NSE:TCS", "NSE:INFY"], Failed)])
async def test_on_the_last_attempt_what_is_still_busy_is_missing(
    running_task: TaskRunner, busy: list[str], expected: type[Outcome]
) -> None:
    source = Planned(errors={stock: SourceBusyError(f"{stock} is busy.") for stock in busy})
    handler = data_fetcher([source], desk_clock, 4)
    ctx = running_fetch(running_task, "NSE:INFY", "NSE:TCS")
    for _ in range(2):
        outcome = await handler(ctx)
        assert isinstance(outcome, Retry)
        ctx = running_task.again(ctx, outcome)
    outcome = await handler(ctx)
    assert isinstance(outcome, expected)
    assert lines(outcome)["NSE:TCS"] == {"status": "missing", "reason": "NSE:TCS is busy."}


async def test_as_many_requests_run_at_once_as_the_setting_allows(
    server: HttpSource, yahoo: YahooSource, running_task: TaskRunner
) -> None:
    server.gate.clear()
    ctx = running_fetch(running_task, *(f"NSE:S{n}" for n in range(8)))
    handler = data_fetcher([yahoo], desk_clock, 3)

    async def run() -> None:
        await handler(ctx)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        assert await anyio.to_thread.run_sync(server.wait_for_requests, 3)
        server.gate.set()
    assert len(server.requests) == 8
    assert server.most_at_once == 3


async def test_an_attempt_that_was_ended_elsewhere_stores_nothing(
    running_task: TaskRunner, database: Database
) -> None:
    ctx = running_fetch(running_task, "NSE:INFY")
    running_task.end(ctx, Cancelled("by a test"))
    with pytest.raises(StaleClaimError):
        await data_fetcher([Planned()], desk_clock, 4)(ctx)
    assert stored_bars(database, Stock("INFY", Exchange.NSE)) == []


async def test_an_attempt_that_is_ended_while_it_asks_raises_that_alone(
    server: HttpSource, yahoo: YahooSource, running_task: TaskRunner, database: Database
) -> None:
    server.gate.clear()
    ctx = running_fetch(running_task, "NSE:INFY", "NSE:TCS")
    raised: list[Exception] = []

    async def run() -> None:
        try:
            await data_fetcher([yahoo], desk_clock, 4)(ctx)
        except StaleClaimError as error:
            raised.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        assert await anyio.to_thread.run_sync(server.wait_for_requests, 2)
        running_task.end(ctx, Cancelled("by a test"))
        server.gate.set()
    assert len(raised) == 1
    assert stored_bars(database, Stock("INFY", Exchange.NSE)) == []
