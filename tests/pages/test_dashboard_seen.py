"""How the page is seen and used: in both themes, at any width, by keyboard, by what a screen reader is told."""

from pathlib import Path
from typing import Protocol

import pytest
from playwright.sync_api import Page, expect

from tests.pages.conftest import OpenPage, Scheme
from tests.pages.faults import found_by_axe, found_in_layout
from tests.pages.homes import UNKNOWN, Busy

# The nearest name, for what is focused in a row has none of its own.
FOCUSED = "document.activeElement.closest('[data-testid]')?.dataset.testid"


class OpenDesk(Protocol):
    def __call__(self, *, width: int = ..., scheme: Scheme = ..., first: str = ...) -> Page: ...


@pytest.fixture
def open_desk(work: Busy, open_page: OpenPage) -> OpenDesk:
    """Its verdicts are there when it returns."""

    def open_(*, width: int = 1440, scheme: Scheme = "light", first: str = "") -> Page:
        page = open_page(work.desk.signed_in, width=width, scheme=scheme, first=first)
        expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
        expect(page.get_by_test_id("verdict-NYSE:XOM")).to_be_attached()
        return page

    return open_


@pytest.mark.parametrize(
    ("names", "width", "scheme"),
    [
        (("dashboard-360", "drill-down-360"), 360, "light"),
        (("dashboard-light", "drill-down"), 1440, "light"),
        (("dashboard-dark", "drill-down-dark"), 1440, "dark"),
    ],
)
def test_no_fault_is_seen_or_read_on_the_page_nor_in_its_dialogs(
    open_desk: OpenDesk, axe: str, names: tuple[str, str], width: int, scheme: Scheme, pictures: Path
) -> None:
    page = open_desk(width=width, scheme=scheme, first=axe)
    page.screenshot(path=pictures / f"{names[0]}.png", full_page=True)
    assert faults(page) == []
    page.get_by_test_id("verdict-NYSE:XOM").get_by_role("button").click()
    evidence = page.get_by_test_id("evidence-0")
    evidence.locator("summary").click()
    expect(evidence.get_by_text("bundled sample, adjusted closes (skfolio)", exact=True)).to_be_visible()
    page.screenshot(path=pictures / f"{names[1]}.png")
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name=UNKNOWN[-1]).click()
    expect(page.get_by_test_id("drill").get_by_role("table")).to_be_visible()
    assert faults(page) == []


def faults(page: Page) -> list[str]:
    return [*found_in_layout(page), *found_by_axe(page)]


def test_a_queue_is_held_and_released_by_keyboard_alone(open_desk: OpenDesk) -> None:
    page = open_desk()
    tab_to(page, "hold-ai_analysis")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("release-ai_analysis")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_test_id("hold-ai_analysis")).to_be_focused()


def test_a_dialog_is_opened_and_left_by_keyboard_and_gives_the_focus_back(
    open_desk: OpenDesk, work: Busy
) -> None:
    page = open_desk()
    for opener, dialog in ((f"cancel-{work.queued}", "confirm"), ("verdict-NASDAQ:AAPL", "drill")):
        tab_to(page, opener)
        page.keyboard.press("Enter")
        expect(page.get_by_test_id(dialog)).to_be_visible()
        assert page.evaluate("document.activeElement.closest('dialog')?.dataset.testid") == dialog
        page.keyboard.press("Escape")
        expect(page.get_by_test_id(dialog)).to_be_hidden()
        assert page.evaluate(FOCUSED) == opener
    assert work.desk.state_of(work.queued) == "queued"


def tab_to(page: Page, testid: str) -> None:
    seen: list[str] = []
    while page.evaluate(FOCUSED) != testid:
        assert len(seen) < 100, f"Tab reaches {seen}"
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUSED))
