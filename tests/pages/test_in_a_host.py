"""The page as an MCP App: in a sandbox without an origin, under a policy that lets it reach nothing but its host."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from queues.holds import hold_queue, release_queue
from queues.model import QueueName
from tests.pages.conftest import OpenPage
from tests.pages.homes import Busy
from tests.standins.apps_host import AppsHost

HOLD = "Another process holds it"
# Milliseconds in which an app that lives asks at least once.
POLLS = 60_000


@pytest.fixture(scope="module")
def host(work: Busy) -> Iterator[AppsHost]:
    with AppsHost(work.desk.mcp) as started:
        yield started


@pytest.fixture
def page(host: AppsHost, open_page: OpenPage) -> Page:
    """Of the host; its app shows the verdicts."""
    page = open_page(host.url)
    expect(app_of(page).get_by_test_id("verdict-NYSE:XOM")).to_be_visible()
    return page


@pytest.fixture
def app(page: Page) -> FrameLocator:
    return app_of(page)


def app_of(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


def heard(page: Page) -> list[dict[str, Any]]:
    """Every message of the app so far."""
    return page.evaluate("host.received")


def test_the_app_introduces_itself_and_shows_the_result_that_the_host_has(
    page: Page, app: FrameLocator, work: Busy
) -> None:
    first, second = [message for message in heard(page) if message.get("method", "").startswith("ui/")][:2]
    assert first["method"] == "ui/initialize"
    assert first["params"]["protocolVersion"] == "2026-01-26"
    assert {"appInfo", "appCapabilities"} <= first["params"].keys()
    assert (second["method"], "id" in second) == ("ui/notifications/initialized", False)
    calls = [message["params"]["name"] for message in heard(page) if message.get("method") == "tools/call"]
    assert calls[0] == "get_verdicts"
    expect(app.get_by_test_id("leader")).to_contain_text(f"pid {work.desk.serve.process.pid}")
    expect(app.get_by_test_id("connection")).to_have_attribute("data-state", "polling")
    expect(app.get_by_test_id("sign-in")).to_be_hidden()


def test_the_app_takes_over_theme_letters_and_time_zone_of_the_host(
    host: AppsHost, open_page: OpenPage
) -> None:
    page = open_page(f"{host.url}?theme=dark")
    body = app_of(page).locator("body")
    expect(app_of(page).get_by_test_id("lane-ai_analysis")).to_be_visible()
    expect(body).to_have_css("color-scheme", "dark")
    expect(body).to_have_css("font-family", "serif")
    dark = body.evaluate("body => getComputedStyle(body).backgroundColor")
    page.evaluate("host.switchTheme('light')")
    expect(body).to_have_css("color-scheme", "light")
    assert body.evaluate("body => getComputedStyle(body).backgroundColor") != dark
    stored, shown = body.locator("footer time").evaluate("time => [time.dateTime, time.textContent]")
    assert shown == f"{datetime.fromisoformat(stored).astimezone(ZoneInfo('America/New_York')):%H:%M:%S}"


def test_the_host_is_told_how_much_room_the_app_takes(page: Page, app: FrameLocator) -> None:
    [height, *_] = [
        message["params"]["height"]
        for message in heard(page)[::-1]
        if message.get("method") == "ui/notifications/size-changed"
    ]
    expect(page.locator("iframe")).to_have_css("height", f"{height}px")
    assert app.locator("html").evaluate("page => page.scrollHeight <= page.clientHeight")


def test_the_app_shows_what_another_process_changes(app: FrameLocator, work: Busy) -> None:
    lane = app.get_by_test_id("lane-data_fetcher")
    work.desk.beside(lambda tx: hold_queue(tx, QueueName.DATA_FETCHER, "tests", HOLD))
    expect(lane).to_contain_text(HOLD)
    work.desk.beside(lambda tx: release_queue(tx, QueueName.DATA_FETCHER))
    expect(lane).not_to_contain_text(HOLD)


def test_the_buttons_of_the_app_call_the_tools_through_the_host(app: FrameLocator, work: Busy) -> None:
    app.get_by_test_id("hold-ai_analysis").click()
    expect(app.get_by_test_id("release-ai_analysis")).to_be_visible()
    assert work.desk.queue("ai_analysis")["holds"]
    app.get_by_test_id("release-ai_analysis").click()
    expect(app.get_by_test_id("hold-ai_analysis")).to_be_visible()
    assert not work.desk.queue("ai_analysis")["holds"]
    app.get_by_test_id(f"cancel-{work.queued}").click()
    app.get_by_test_id("confirm-yes").click()
    expect(app.get_by_test_id(f"cancel-{work.queued}")).to_have_count(0)
    assert work.desk.state_of(work.queued) == "cancelled"
    app.get_by_test_id(f"retry-{work.failed[0]}").click()
    expect(app.get_by_test_id(f"retry-{work.failed[0]}")).to_have_count(0)
    assert work.desk.state_of(work.failed[0]) == "queued"


def test_the_app_shows_the_words_of_a_tool_that_refuses(page: Page, app: FrameLocator, work: Busy) -> None:
    failed = work.failed[1]
    page.evaluate("host.keepBack('show_dashboard')")
    work.desk.call("retry_task", task_id=failed)
    app.get_by_test_id(f"retry-{failed}").click()
    expect(app.get_by_test_id("toast")).to_contain_text(f"{failed} is queued")


def test_the_drill_down_opens_in_sight_in_a_tall_frame(app: FrameLocator) -> None:
    app.get_by_test_id("verdict-NYSE:XOM").click()
    drill = app.get_by_test_id("drill")
    drill.get_by_test_id("evidence-0").locator("summary").click()
    expect(drill.get_by_test_id("evidence-0").get_by_text("Source")).to_be_in_viewport()


def test_the_app_answers_its_teardown_and_asks_for_nothing_afterwards(
    host: AppsHost, open_page: OpenPage
) -> None:
    page = open_page("about:blank")
    page.clock.install()
    page.goto(host.url)
    expect(app_of(page).get_by_test_id("lane-ai_analysis")).to_be_visible()
    asked = len(heard(page))
    page.clock.fast_forward(POLLS)
    expect(app_of(page).get_by_test_id("lane-ai_analysis")).to_be_visible()
    page.wait_for_function("asked => host.received.length > asked", arg=asked)
    assert page.evaluate("host.tearDown()") == {"jsonrpc": "2.0", "id": "teardown", "result": {}}
    asked = len(heard(page))
    page.clock.fast_forward(POLLS)
    assert app_of(page).locator("body").evaluate("() => true")  # it has come so far
    assert len(heard(page)) == asked
