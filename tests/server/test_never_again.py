"""What an earlier system of this kind got wrong, each as a test that would catch it.

The engine's own part of it is in tests/queues; what the real Claude is shown is in test_whole_over_stdio.py.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest

from handlers.stocks import Exchange, Stock
from queues.database import Transaction
from queues.inspection import attempts_of
from queues.lifecycle import take_over
from queues.model import QueueName
from queues.store import claim_next, find_task
from server.desk import Desk, open_desk
from server.requests import request_fetch
from server.settings import Settings
from tests.server.desks import NOTHING_BESIDE_PRICES, Agent, counts, csv_of, kite_csv, sample_settings
from tests.standins.http_source import HttpSource, Reply, Request, always, chart, chart_of, not_found

KO, XOM, PFE = (Stock(symbol, Exchange.NYSE) for symbol in ("KO", "XOM", "PFE"))


@pytest.fixture
def source() -> Iterator[HttpSource]:
    with HttpSource() as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path, source: HttpSource) -> Settings:
    """Prices come over HTTP, so that they can fail."""
    return sample_settings(
        tmp_path / "home",
        price_sources=("yahoo",),
        yahoo_base_url=source.url,
        requests_per_second=100,
        **NOTHING_BESIDE_PRICES,
    )


# 1. One session over 81 stocks ran out of turns.
async def test_no_request_makes_a_session_of_more_than_three_stocks(desk: Desk, agent: Agent) -> None:
    for count in (1, 2, 3, 4, 5, 7, 81, 500):
        await agent.call("enqueue_ai_analysis", symbols=[f"NSE:N{count}S{n}" for n in range(count)])
    await agent.call("enqueue_portfolio_review", csv_text=kite_csv(*(f"HELD{n}" for n in range(40))))
    payloads = desk.database.read_now(
        lambda tx: tx.rows("SELECT payload FROM tasks WHERE queue = 'ai_analysis'")
    )
    sizes = [len(json.loads(payload)["stocks"]) for (payload,) in payloads]
    assert sum(sizes) == 603
    assert max(sizes) == 3
    assert sizes.count(1) == 1


# 2. A handler that failed was marked completed; failures hid behind a healthy total; 100 % of nothing.
async def test_a_fetch_that_brings_nothing_has_failed_and_none_of_its_stocks_counts_as_done(
    desk: Desk, agent: Agent, source: HttpSource
) -> None:
    source.script = always(not_found())
    answer = await agent.call("enqueue_ai_analysis", symbols=[str(KO), str(XOM)])
    await desk.manager.execute_queues()
    detail = await agent.call("get_task", task_id=answer["run_id"])
    assert detail["task"]["state"] == "failed"
    assert detail["run"]["tasks"]["completed"] == 0
    run = detail["run"]
    assert (run["stocks_done"], run["stocks_without_data"], run["stocks_failed"]) == (0, 2, 0)
    assert "1 task of data_fetcher failed" in (await agent.call("get_queue_status"))["message"]


async def test_a_file_that_vanished_fails_its_sync(desk: Desk, agent: Agent, tmp_path: Path) -> None:
    file = tmp_path / "holdings.csv"
    file.write_text(csv_of(KO), "utf-8")
    answer = await agent.call("enqueue_portfolio_sync", path=str(file))
    file.unlink()
    await desk.manager.execute_queues()
    task = (await agent.call("get_task", task_id=answer["run_id"]))["task"]
    assert (task["state"], task["result"]) == ("failed", None)
    assert counts(desk)["snapshots"] == 0


# 3. The backoff was never consulted, dependencies never became ready, rows stayed `running` after a restart.
async def test_what_a_busy_source_asked_for_is_really_waited_for(
    desk: Desk, agent: Agent, source: HttpSource
) -> None:
    def busy_once(request: Request) -> Reply:
        return Reply(429, headers={"Retry-After": "1"}) if len(source.requests) == 1 else chart(request)

    source.script = busy_once
    fetch_id, analysis_id = (await agent.call("enqueue_ai_analysis", symbols=[str(KO)]))["task_ids"]
    await desk.manager.execute_queues()
    refused, fetched = desk.database.read_now(lambda tx: attempts_of(tx, find_task(tx, fetch_id)))
    assert (refused.outcome, fetched.outcome) == ("retry", "completed")
    assert refused.ended_at is not None
    # The source's second begins with the benchmark's request: within the attempt, before its end.
    assert fetched.started_at - refused.started_at >= timedelta(seconds=1)
    assert (await agent.call("get_task", task_id=analysis_id))["task"]["state"] == "completed"


async def test_what_a_dead_process_left_running_is_done_again(desk: Desk, agent: Agent) -> None:
    fetch_id, analysis_id = (await agent.call("enqueue_ai_analysis", symbols=[str(KO)]))["task_ids"]

    def die_in_the_middle(tx: Transaction) -> None:
        assert claim_next(tx, QueueName.DATA_FETCHER, take_over(tx, "a process that dies")) is not None

    desk.database.write_now(die_in_the_middle)
    await desk.manager.execute_queues()
    detail = await agent.call("get_task", task_id=fetch_id)
    assert [attempt["outcome"] for attempt in detail["attempts"]] == ["rescued", "completed"]
    assert detail["task"]["attempt"] == 2
    assert (await agent.call("get_task", task_id=analysis_id))["task"]["state"] == "completed"


# 4. `database is locked`, a blocked event loop, and a queue that grew to 4,731 tasks.
async def test_two_servers_that_enqueue_at_once_never_meet_a_locked_database(
    desk: Desk, settings: Settings
) -> None:
    async with open_desk(settings, "another") as other, anyio.create_task_group() as tasks:
        for number in range(10):
            for number_of_desk, each in enumerate((desk, other)):
                tasks.start_soon(enqueue_fetch, each, f"NSE:D{number_of_desk}N{number}")
    assert counts(desk)["tasks"] == 20


async def enqueue_fetch(desk: Desk, symbol: str) -> None:
    await request_fetch(desk, symbols=[symbol], exchange=None, force=False)


async def test_a_request_that_is_repeated_fifty_times_does_not_grow_the_queues(
    desk: Desk, agent: Agent
) -> None:
    for _ in range(50):
        await agent.call("enqueue_portfolio_review", csv_text=csv_of(KO, XOM))
        await agent.call("enqueue_ai_analysis", symbols=[str(KO), str(XOM), str(PFE)])
        await agent.call("enqueue_data_fetch", symbols=[str(KO)], force=True)
    assert counts(desk)["tasks"] == 4


# 5. Pause, resume, cancel, retry and clear answered with success and did nothing.
async def test_every_control_changes_what_another_process_reads(agent: Agent, settings: Settings) -> None:
    async with open_desk(settings, "a second process") as other:

        def seen(sql: str) -> list[object]:
            return [row[0] for row in other.database.read_now(lambda tx: tx.rows(sql))]

        holds, states = "SELECT reason FROM holds", "SELECT state FROM tasks ORDER BY seq"
        await agent.call("enqueue_data_fetch", symbols=[str(KO)])
        await agent.call("hold_queue", queue="data_fetcher", reason="pause")
        assert seen(holds) == ["pause"]
        await other.manager.execute_queues()
        assert seen(states) == ["queued"]
        await agent.call("release_queue", queue="data_fetcher")
        assert seen(holds) == []
        await agent.call("cancel_tasks", task_ids=["fetch-1"])
        assert seen(states) == ["cancelled"]
        await agent.call("retry_task", task_id="fetch-1")
        assert seen(states) == ["queued"]
        await agent.call("clear_queue", queue="data_fetcher", confirm=True)
        assert seen(states) == ["cancelled"]
        await agent.call("retry_task", task_id="fetch-1")
        await other.manager.execute_queues()
        assert seen(states) == ["completed"]


# 6. Placeholder balances and prices, sample news shown as real, errors reported as empty success.
@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Too many requests</html>"),
        Reply(200, b""),
        Reply(200, b'{"chart": {"result": [], "error": null}}'),
        Reply(403, b"{}"),
        not_found(),
    ],
    ids=["html", "nothing", "no result", "refused", "unknown"],
)
async def test_a_source_that_gives_no_price_leaves_no_number_anywhere(
    desk: Desk, agent: Agent, source: HttpSource, reply: Reply
) -> None:
    source.script = always(reply)
    await agent.call("enqueue_portfolio_review", csv_text=csv_of(KO, XOM))
    await desk.manager.execute_queues()
    assert counts(desk)["facts"] == 0
    portfolio = await agent.call("get_portfolio")
    assert {(each["last_close"], each["value"]) for each in portfolio["holdings"]} == {(None, None)}
    assert (portfolio["totals"][0]["value"], portfolio["totals"][0]["unpriced"]) == (None, 2)
    verdicts = (await agent.call("get_verdicts"))["verdicts"]
    assert {(each["action"], each["conviction"], each["analyst"]) for each in verdicts} == {
        ("INSUFFICIENT_DATA", 0.0, "none")
    }
    assert len(verdicts) == 2
    assert (await agent.call("get_queue_status"))["queues"][1]["counts"]["failed"] == 1


async def test_a_stock_without_a_price_beside_one_with_a_price_gets_no_judgement(
    desk: Desk, agent: Agent, source: HttpSource
) -> None:
    def all_but_one(request: Request) -> Reply:
        return not_found() if request.symbol == "XOM" else chart(request)

    source.script = all_but_one
    await agent.call("enqueue_ai_analysis", symbols=[str(KO), str(XOM)])
    await desk.manager.execute_queues()
    judged, missing = await agent.full_verdicts()
    assert judged["detail"]["evidence"]
    assert (missing["stock"], missing["action"], missing["conviction"]) == (
        str(XOM),
        "INSUFFICIENT_DATA",
        0.0,
    )
    assert missing["detail"]["evidence"] == []
    assert missing["detail"]["data_quality"] == ["prices: missing"]


# 7. One text was stored for every symbol of the batch.
async def test_every_stock_has_its_own_numbers_in_its_own_text(
    desk: Desk, agent: Agent, source: HttpSource
) -> None:
    def each_its_own_way(request: Request) -> Reply:
        slope = {"KO": 0.03, "XOM": -0.02, "PFE": 0.01, "SPY": 0.0}[request.symbol]
        first, end = request.days
        days = [first + timedelta(days=number) for number in range((end - first).days)]
        return chart_of(
            request.symbol, [(day, 100 + slope * n) for n, day in enumerate(days) if day.isoweekday() <= 5]
        )

    source.script = each_its_own_way
    await agent.call("enqueue_ai_analysis", symbols=[str(KO), str(XOM), str(PFE)])
    await desk.manager.execute_queues()
    verdicts = await agent.full_verdicts()
    assert len({verdict["thesis"] for verdict in verdicts}) == 3
    cited = [evidence["fact_id"] for verdict in verdicts for evidence in verdict["detail"]["evidence"]]
    assert len(cited) == len(set(cited)) > 0


# 8. "Today" in two zones, payloads saved as str(dict), symbols cut at 10 characters.
async def test_long_symbols_payloads_and_moments_come_back_as_they_were(desk: Desk, agent: Agent) -> None:
    longest = ["A2345678901234567890", "B2345678901234567890"]
    answer = await agent.call("enqueue_ai_analysis", symbols=longest, exchange="NSE")
    await desk.manager.execute_queues()
    task = (await agent.call("get_task", task_id=answer["task_ids"][1]))["task"]
    assert task["payload"] == {
        "stocks": [f"NSE:{symbol}" for symbol in longest],
        "analyst": "baseline",
    }
    (stored,) = desk.database.read_now(
        lambda tx: tx.row("SELECT payload FROM tasks WHERE id = :id", id=task["id"])
    ) or ("",)
    assert json.loads(stored) == task["payload"]
    for name in ("enqueued_at", "due_at", "started_at", "finished_at"):
        moment = datetime.fromisoformat(task[name])
        assert moment.utcoffset() == timedelta()
    stocks = [verdict["stock"] for verdict in (await agent.call("get_verdicts"))["verdicts"]]
    assert stocks == [f"NSE:{symbol}" for symbol in longest]
