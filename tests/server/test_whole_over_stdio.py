"""The desk as it is used: over stdio, with prices over HTTP and sessions of the real Claude CLI."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from queues.inspection import overlaps
from queues.model import QueueName
from tests.handlers.claude import processes_that_name
from tests.server.desks import Agent, kite_csv
from tests.server.whole import PATIENCE, Gate, World, make_world, of, ran_at_once
from tests.standins import http_source, messages_api
from tests.standins.messages_api import Says, Stalls, grounded_verdict, submits_all

SYNC, FETCH, ANALYSIS = QueueName


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path / "the world") as made:
        yield made


async def end_of_run(agent: Agent, run_id: str) -> dict[str, Any]:
    with anyio.fail_after(4 * PATIENCE):
        while True:
            detail = await agent.call("get_task", task_id=run_id, wait_seconds=50, wait_for="run")
            if detail["run"]["finished"]:
                return detail["run"]


async def arrival(gate: Gate) -> None:
    assert await anyio.to_thread.run_sync(gate.arrived.wait, PATIENCE)


async def review_with_all_queues_at_once(world: World, agent: Agent) -> dict[str, Any]:
    """A second account is synced while a fetch and a Claude session of the first are in the middle."""
    slow_prices, slow_claude = Gate(), Gate()

    def prices(request: http_source.Request) -> http_source.Reply:
        if request.symbol == "WIPRO.NS":
            slow_prices.pass_through()
        return http_source.chart(request)

    def claude(request: messages_api.Request) -> messages_api.Reply:
        slow_claude.pass_through()
        return submits_all(request)

    world.prices.script, world.api.script = prices, claude
    review = await agent.call(
        "enqueue_portfolio_review", csv_text=kite_csv("M&M", "BAJAJ-AUTO", "TCS", "WIPRO")
    )
    await arrival(slow_claude)
    await arrival(slow_prices)
    second = await agent.call("enqueue_portfolio_sync", csv_text=kite_csv("INFY"), account="second")
    sync = await agent.call("get_task", task_id=second["run_id"], wait_seconds=50)
    assert sync["task"]["state"] == "completed"
    status = await agent.call("get_queue_status")
    assert [queue["state"] for queue in status["queues"]] == ["idle", "running", "running"]
    slow_prices.open.set()
    slow_claude.open.set()
    return await end_of_run(agent, review["run_id"])


async def test_a_review_runs_all_three_queues_at_once_and_each_one_task_at_a_time(world: World) -> None:
    async with world.serve() as agent:
        run = await review_with_all_queues_at_once(world, agent)
        verdicts = await agent.full_verdicts()
        portfolio = await agent.call("get_portfolio")
    assert (run["stocks"], run["stocks_done"], run["stocks_failed"]) == (4, 4, 0)
    attempts = world.intervals()
    assert overlaps(attempts) == []
    assert {each.ended_at is None for each in attempts} == {False}
    second_sync = of(SYNC, attempts)[1]
    assert any(ran_at_once(second_sync, fetch) for fetch in of(FETCH, attempts))
    assert any(ran_at_once(second_sync, session) for session in of(ANALYSIS, attempts))
    assert any(
        ran_at_once(fetch, session) for fetch in of(FETCH, attempts) for session in of(ANALYSIS, attempts)
    )
    assert "/v8/finance/chart/M%26M.NS" in {request.path for request in world.prices.requests}
    assert [each["stock"] for each in portfolio["holdings"]] == [
        "NSE:BAJAJ-AUTO",
        "NSE:M&M",
        "NSE:TCS",
        "NSE:WIPRO",
        "NSE:INFY",
    ]
    supplied = {entry["stock"]: entry["facts"] for each in world.api.requests for entry in each.stocks}
    assert set(supplied) == {verdict["stock"] for verdict in verdicts}
    for verdict in verdicts:
        assert verdict["analyst"] == "claude"
        facts = {fact["id"]: fact for fact in supplied[verdict["stock"]]}
        assert len(verdict["detail"]["evidence"]) >= 1
        for evidence in verdict["detail"]["evidence"]:
            fact = facts[evidence["fact_id"]]
            assert (evidence["fact"], evidence["unit"], evidence["value"], evidence["as_of"]) == (
                fact["name"],
                fact["unit"],
                fact["value"],
                fact["as_of"],
            )


async def test_each_session_is_shown_the_figures_of_its_own_stocks_and_no_tool_but_submit(
    world: World,
) -> None:
    async with world.serve(mode="legacy") as agent:
        answer = await agent.call(
            "enqueue_ai_analysis", symbols=["INFY", "TCS", "M&M", "WIPRO"], exchange="NSE"
        )
        await end_of_run(agent, answer["run_id"])
        theses = {each["stock"]: each["thesis"] for each in (await agent.call("get_verdicts"))["verdicts"]}
    asked = [[entry["stock"] for entry in request.stocks] for request in world.api.requests]
    assert {tuple(stocks) for stocks in asked} == {("NSE:INFY", "NSE:TCS"), ("NSE:M&M", "NSE:WIPRO")}
    for request in world.api.requests:
        assert request.tool_names == [messages_api.SUBMIT]
        for entry in request.stocks:
            names = {fact["name"]: fact for fact in entry["facts"]}
            assert {"last_close", "return_3m", "sma_200", "rsi_14"} <= set(names)
            assert len({fact["id"] for fact in entry["facts"]}) == len(entry["facts"])
            assert {fact["source"] for fact in entry["facts"]} == {"Yahoo Finance chart"}
    assert len(set(theses.values())) == 4


async def test_what_fails_in_one_queue_leaves_everything_that_does_not_depend_on_it(world: World) -> None:
    def prices(request: http_source.Request) -> http_source.Reply:
        return http_source.not_found() if request.symbol.startswith("GONE") else http_source.chart(request)

    def claude(request: messages_api.Request) -> messages_api.Reply:
        mute = any(entry["stock"] == "NSE:MUTE" for entry in request.stocks)
        return Says("I would rather not submit anything.") if mute else submits_all(request)

    world.prices.script, world.api.script = prices, claude
    async with world.serve() as agent:
        bad = await agent.call(
            "enqueue_portfolio_sync", csv_text="Symbol,Quantity\nINFY,lots\n", account="bad"
        )
        mute = await agent.call("enqueue_ai_analysis", symbols=["NSE:MUTE"])
        review = await agent.call(
            "enqueue_portfolio_review",
            csv_text=kite_csv("M&M", "BAJAJ-AUTO", "GONE1", "GONE2", "TCS", "INFY"),
        )
        run = await end_of_run(agent, review["run_id"])
        await end_of_run(agent, mute["run_id"])
        tasks = {task["id"]: task for task in (await agent.call("list_tasks", limit=50))["tasks"]}
        status = await agent.call("get_queue_status")
        verdicts = (await agent.call("get_verdicts"))["verdicts"]
    assert (run["stocks"], run["stocks_done"]) == (6, 4)
    assert (run["stocks_without_data"], run["stocks_failed"]) == (2, 0)
    judged = {each["stock"] for each in verdicts if each["action"] != "INSUFFICIENT_DATA"}
    assert judged == {"NSE:BAJAJ-AUTO", "NSE:INFY", "NSE:M&M", "NSE:TCS"}
    assert {each["stock"] for each in verdicts} - judged == {"NSE:GONE1", "NSE:GONE2"}
    assert "NSE:GONE1" not in str([request.stocks for request in world.api.requests])
    failed = {task["queue"]: task for task in tasks.values() if task["state"] == "failed"}
    assert failed["portfolio_sync"]["id"] == bad["run_id"]
    assert failed["data_fetcher"]["payload"]["stocks"] == ["NSE:GONE1", "NSE:GONE2"]
    assert failed["ai_analysis"]["id"] == mute["task_ids"][1]
    (cancelled,) = [task for task in tasks.values() if task["state"] == "cancelled"]
    assert cancelled["error"].startswith(f"Prerequisite {failed['data_fetcher']['id']} failed: ")
    for queue in QueueName:
        assert f"1 task of {queue} failed" in status["message"]
    assert overlaps(world.intervals()) == []


async def test_a_session_that_is_cancelled_stops_and_what_it_submitted_stays(world: World) -> None:
    reached = Gate()

    def one_and_then_silence(request: messages_api.Request) -> messages_api.Reply:
        if not request.submitted:
            return Says(submits=(grounded_verdict(request.stocks[0]),))
        reached.arrived.set()
        return Stalls()

    world.api.script = one_and_then_silence
    async with world.serve() as agent:
        answer = await agent.call("enqueue_ai_analysis", symbols=["NSE:INFY", "NSE:TCS"])
        await arrival(reached)
        (verdict,) = await agent.full_verdicts()
        assert verdict["stock"] == "NSE:INFY"
        assert processes_that_name(verdict["detail"]["audit"]["session"]["session_id"])
        cancelled = await agent.call(
            "cancel_tasks", run_id=answer["run_id"], confirm=True, reason="wrong stocks"
        )
        assert cancelled["stopping"] == [answer["task_ids"][1]]
        detail = await agent.call("get_task", task_id=answer["task_ids"][1], wait_seconds=50)
        assert detail["task"]["error"] == "Cancelled on request: wrong stocks"
        assert [attempt["outcome"] for attempt in detail["attempts"]] == ["cancelled"]
        assert [each["stock"] for each in (await agent.call("get_verdicts"))["verdicts"]] == ["NSE:INFY"]
        assert (detail["run"]["stocks_done"], detail["run"]["stocks_failed"]) == (1, 1)
        assert processes_that_name(verdict["detail"]["audit"]["session"]["session_id"]) == []
    database = world.stored()
    ended = database.read_now(lambda tx: tx.rows("SELECT ended_as FROM sessions"))
    database.close()
    assert ended == [("Interrupted",)]


async def test_without_a_sign_in_the_analysis_is_held_and_goes_on_once_a_key_is_set(world: World) -> None:
    async with world.serve(ANTHROPIC_API_KEY=None) as agent:
        answer = await agent.call("enqueue_ai_analysis", symbols=["NSE:INFY", "NSE:TCS"])
        fetch, analysis = answer["task_ids"]
        hold = await first_hold(agent)
        assert hold["source"] == "sign_in"
        assert "Run `stockdesk login`, which ends this hold; or set ANTHROPIC_API_KEY, then" in hold["reason"]
        assert "`stockdesk release ai_analysis`" in hold["reason"]
        assert (await agent.call("get_task", task_id=fetch))["task"]["state"] == "completed"
        waiting = (await agent.call("get_task", task_id=analysis))["task"]
        assert (waiting["state"], waiting["attempt"], waiting["waiting_for"]["on"]) == ("queued", 0, "hold")
        # What is not mended holds the queue again.
        await agent.call("release_queue", queue="ai_analysis")
        assert (await first_hold(agent))["source"] == "sign_in"
    assert world.api.requests == []
    # The hold stands on the credentials that were set; a process that leads with others ends it.
    async with world.serve() as agent:
        run = await end_of_run(agent, answer["run_id"])
        assert run["stocks_done"] == 2
        history = (await agent.call("get_task", task_id=analysis))["attempts"]
    assert [attempt["outcome"] for attempt in history] == ["snooze", "snooze", "completed"]
    assert history[-1]["attempt"] == 1


async def first_hold(agent: Agent) -> dict[str, Any]:
    with anyio.fail_after(PATIENCE):
        while True:
            holds = (await agent.call("get_queue_status"))["queues"][2]["holds"]
            if holds:
                return holds[0]
            await anyio.sleep(0.02)


async def test_81_stocks_are_40_sessions_and_every_verdict_is_stored(world: World) -> None:
    symbols = [f"STOCK{number}" for number in range(81)]
    async with world.serve() as agent:
        answer = await agent.call("enqueue_ai_analysis", symbols=symbols, exchange="NSE")
        assert (answer["tasks"], answer["sessions"]) == (80, 40)
        run = await end_of_run(agent, answer["run_id"])
    assert run["tasks"] == {"queued": 0, "running": 0, "completed": 80, "failed": 0, "cancelled": 0}
    assert (run["stocks"], run["stocks_done"]) == (81, 81)
    attempts = world.intervals()
    assert overlaps(attempts) == []
    assert len(of(ANALYSIS, attempts)) == 40
    database = world.stored()
    rows = database.read_now(
        lambda tx: tx.rows("SELECT symbol, analyst, thesis, session_id FROM verdicts ORDER BY seq")
    )
    sessions = database.read_now(lambda tx: tx.rows("SELECT ended_as, turns, cost_usd FROM sessions"))
    database.close()
    assert sorted(row[0] for row in rows) == sorted(symbols)
    assert {row[1] for row in rows} == {"claude"}
    assert len({row[2] for row in rows}) == 81
    assert len({row[3] for row in rows}) == len(sessions) == 40
    assert {row[0] for row in sessions} == {"Finished"}
    assert all(cost > 0 for _, _, cost in sessions)
