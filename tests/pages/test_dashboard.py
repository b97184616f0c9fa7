"""The page in a browser tab: it shows what is stored, and its buttons do what the tools do."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from handlers.stocks import Exchange, Stock
from queues.database import Transaction
from queues.holds import hold_queue, release_queue
from queues.inspection import intervals
from queues.model import QueueName
from tests.pages.conftest import OpenPage
from tests.pages.faults import found_in_layout
from tests.pages.homes import Busy, Served
from tests.server.desks import csv_of

QUEUES = [queue.value for queue in QueueName]
BARS = """svg => [...svg.querySelectorAll("rect[data-task]")].map(bar => ({
    ...bar.dataset, ...Object.fromEntries(["x", "y", "width"].map(name => [name, +bar.getAttribute(name)]))}))"""


@pytest.fixture
def desk(work: Busy) -> Served:
    return work.desk


@pytest.fixture
def page(desk: Served, open_page: OpenPage) -> Page:
    page = open_page(desk.signed_in)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    expect(page.get_by_test_id("verdict-NYSE:XOM")).to_be_attached()
    return page


def lane(page: Page, queue: str) -> Locator:
    return page.get_by_test_id(f"lane-{queue}")


def held_by(desk: Served, queue: str) -> list[str]:
    return [hold["reason"] for hold in desk.queue(queue)["holds"]]


@pytest.mark.parametrize("queue", QUEUES)
def test_a_lane_shows_what_its_queue_does_and_what_keeps_it(page: Page, desk: Served, queue: str) -> None:
    stored, shown = desk.queue(queue), lane(page, queue)
    expect(shown).to_contain_text(stored["state"])
    for hold in stored["holds"]:
        expect(shown).to_contain_text(hold["reason"])
    for state in ("queued", "completed", "failed", "cancelled"):
        expect(shown.locator(f"[data-count={state}]")).to_have_text(str(stored["counts"][state]))
    running = page.get_by_test_id(f"running-{queue}")
    if stored["running"] is None:
        expect(running).to_have_count(0)
    else:
        expect(running).to_contain_text(stored["running"]["progress"]["message"])


def test_the_head_shows_who_leads_what_is_spent_and_what_needs_somebody(page: Page, desk: Served) -> None:
    status = desk.call("get_queue_status")
    expect(page.get_by_test_id("leader")).to_contain_text(f"pid {status['leader']['pid']}")
    expect(page.get_by_test_id("budget")).to_contain_text(f"${status['today']['spent_usd']:.2f}")
    assert "; list_tasks shows why" in status["message"]  # for models; here a button does
    in_buttons = status["message"].replace("list_tasks", "“All tasks”")
    expect(page.get_by_test_id("message")).to_have_text(in_buttons)


def test_the_board_shows_each_verdict_and_filters_them(page: Page, desk: Served) -> None:
    verdicts = desk.call("get_verdicts", limit=50)["verdicts"]
    rows = page.locator("[data-testid^=verdict-]:visible")
    expect(rows).to_have_count(len(verdicts))
    for verdict in verdicts:
        row = page.get_by_test_id(f"verdict-{verdict['stock']}")
        for words in (verdict["action"], f"{verdict['conviction']:.2f}", verdict["as_of"], verdict["thesis"]):
            expect(row).to_contain_text(words)
        expect(row.locator(".age")).to_contain_text("today")  # the desk pretends that day
    sold = [verdict["stock"] for verdict in verdicts if verdict["action"] == "EXIT"]
    page.get_by_role("button", name="EXIT").click()
    assert [row.get_attribute("data-testid") for row in rows.all()] == [f"verdict-{stock}" for stock in sold]


def test_the_filter_finds_companies_and_goes_on_with_verdicts_that_still_come(
    page: Page, desk: Served
) -> None:
    stocks = desk.call("get_verdicts")["total"]
    later: list[Route] = []
    page.route("**/mcp", lambda route: by_threes(route, later))
    page.set_viewport_size({"width": 360, "height": 740})
    page.reload()
    said = page.locator("#board-count")
    expect(said).to_have_text(f"3 stocks, {stocks - 3} still loading")
    page.get_by_role("searchbox", name="Filter by symbol, company or thesis").press_sequentially("exxon mob")
    expect(said).to_have_text(f"0 of 3 stocks, {stocks - 3} still loading")
    expect(page.get_by_text("No stock matches the filter yet.")).to_be_visible()
    assert found_in_layout(page) == []
    later.pop().continue_()
    expect(said).to_have_text(f"1 of {stocks} stocks")
    expect(page.locator("[data-testid^=verdict-]:visible")).to_have_attribute(
        "data-testid", "verdict-NYSE:XOM"
    )
    page.keyboard.press("Escape")
    expect(said).to_have_text(f"{stocks} stocks")


def by_threes(route: Route, later: list[Route]) -> None:
    """Give the first three verdicts; the request for more waits in `later`."""
    asked: dict[str, Any] = json.loads(route.request.post_data or "")
    if asked["params"].get("name") != "get_verdicts":
        route.continue_()
    elif "cursor" in asked["params"]["arguments"]:
        later.append(route)
    else:
        asked["params"]["arguments"]["limit"] = 3
        route.continue_(post_data=asked)


def test_a_verdict_leads_to_its_evidence_its_facts_and_their_source(page: Page, desk: Served) -> None:
    [verdict] = desk.call("get_verdicts", symbols=["NASDAQ:AAPL"], full=True)["verdicts"]
    page.get_by_test_id("verdict-NASDAQ:AAPL").click()
    drill = page.get_by_test_id("drill")
    expect(drill).to_contain_text(verdict["thesis"])
    session = verdict["detail"]["audit"]["session"]
    expect(drill).to_contain_text(session["session_id"])
    expect(drill).to_contain_text(f"${session['cost_usd']:.2f}")
    for index, evidence in enumerate(verdict["detail"]["evidence"]):
        row = drill.get_by_test_id(f"evidence-{index}")
        row.get_by_text(evidence["claim"]).click()
        value, unit, *words = desk.stored(lambda tx, fact=evidence["fact_id"]: stored_fact(tx, fact))
        fact = row.get_by_test_id(f"fact-{evidence['fact_id']}")
        # An analyst is given six digits.
        for part in (f"{float(f'{value:.6g}'):,} {unit}", *words):
            expect(fact.get_by_text(part, exact=True)).to_be_visible()


def stored_fact(tx: Transaction, fact_id: str) -> tuple[Any, ...]:
    [fact] = tx.rows(
        "SELECT value, unit, name, as_of, source, inputs FROM facts WHERE seq = :seq", seq=int(fact_id[1:])
    )
    return fact


def test_the_timeline_shows_each_attempt_where_and_as_long_as_it_ran(page: Page, desk: Served) -> None:
    stored = {
        (each.task_id, each.queue.value, each.started_at, each.ended_at) for each in desk.stored(intervals)
    }
    bars = page.get_by_test_id("timeline").evaluate(BARS)
    assert {(bar["task"], bar["queue"], moment(bar["start"]), moment(bar["end"])) for bar in bars} == stored
    assert len({bar["y"] for bar in bars}) == len({(bar["queue"], bar["y"]) for bar in bars}) == len(QUEUES)
    assert_to_scale(bars)


def assert_to_scale(bars: Sequence[dict[str, Any]]) -> None:
    """Where a bar stands tells when it began, and its width how long it took; of those that run, until now."""
    first, last = min(bars, key=lambda bar: bar["start"]), max(bars, key=lambda bar: bar["start"])
    pixels = (last["x"] - first["x"]) / seconds(first["start"], last["start"])
    near = 0.002 * pixels + 0.01  # a page counts milliseconds, the store microseconds
    for bar in bars:
        assert bar["x"] == pytest.approx(
            first["x"] + pixels * seconds(first["start"], bar["start"]), abs=near
        )
        if bar["end"]:
            assert bar["width"] == pytest.approx(pixels * seconds(bar["start"], bar["end"]), abs=near)
    now = max(bar["x"] + bar["width"] for bar in bars)
    assert all(bar["x"] + bar["width"] == pytest.approx(now, abs=1) for bar in bars if not bar["end"])


def moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def test_a_change_by_another_process_arrives_by_the_stream_alone(desk: Served, open_page: OpenPage) -> None:
    page = open_page(desk.signed_in, first="window.setInterval = () => 0")
    shown = lane(page, "data_fetcher")
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    desk.beside(lambda tx: hold_queue(tx, QueueName.DATA_FETCHER, "tests", "Another process holds it"))
    expect(shown).to_contain_text("Another process holds it")
    desk.beside(lambda tx: release_queue(tx, QueueName.DATA_FETCHER))
    expect(shown).not_to_contain_text("Another process holds it")


def test_release_and_hold_do_so_and_show_it(page: Page, desk: Served) -> None:
    queue = "portfolio_sync"
    done = desk.queue(queue)["counts"]["completed"]
    page.get_by_test_id(f"release-{queue}").click()
    expect(lane(page, queue).locator("[data-count=completed]")).to_have_text(str(done + 1))
    assert held_by(desk, queue) == []
    page.get_by_test_id(f"hold-{queue}").click()
    expect(page.get_by_test_id(f"release-{queue}")).to_be_visible()
    [reason] = held_by(desk, queue)
    expect(lane(page, queue)).to_contain_text(reason)
    assert desk.queue(queue)["state"] == "held"


def test_cancel_asks_first_and_cancels(page: Page, work: Busy) -> None:
    cancel = page.get_by_test_id(f"cancel-{work.queued}")
    cancel.click()
    page.get_by_test_id("confirm-no").click()
    assert work.desk.state_of(work.queued) == "queued"
    cancel.click()
    page.get_by_test_id("confirm-yes").click()
    expect(cancel).to_have_count(0)
    assert work.desk.state_of(work.queued) == "cancelled"


def test_whether_to_cancel_is_no_question_once_the_task_has_ended(page: Page, desk: Served) -> None:
    # portfolio_sync is held.
    account = {"csv_text": csv_of(Stock("KO", Exchange.NYSE)), "account": "second"}
    task = desk.call("enqueue_portfolio_sync", **account)["run_id"]
    page.get_by_test_id(f"cancel-{task}").click()
    expect(page.get_by_test_id("confirm")).to_be_visible()
    desk.call("cancel_tasks", task_ids=[task], reason="meanwhile")
    expect(page.get_by_test_id("confirm")).to_be_hidden()
    expect(page.get_by_test_id("toast")).to_contain_text(f"{task} is cancelled already.")


def test_retry_queues_what_has_failed(page: Page, work: Busy) -> None:
    failed = work.failed[0]
    retry = page.get_by_test_id(f"retry-{failed}")
    retry.click()
    expect(retry).to_have_count(0)
    assert work.desk.state_of(failed) == "queued"


def test_what_a_tool_refuses_is_shown_in_its_words(page: Page, work: Busy) -> None:
    failed = work.failed[1]
    page.route("**/mcp", keep_back_the_news)
    work.desk.call("retry_task", task_id=failed)
    page.get_by_test_id(f"retry-{failed}").click()
    expect(page.get_by_test_id("toast")).to_contain_text(f"{failed} is queued")


def keep_back_the_news(route: Route) -> None:
    """Let the page go on with what it knows."""
    if "show_dashboard" not in (route.request.post_data or ""):
        route.continue_()
