"""The report in a real browser: without a network, in both themes, at any width, on paper."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from server.report.html import html_of
from server.settings import Settings
from tests.pages.conftest import OpenPage, Scheme
from tests.pages.faults import found_by_axe, found_in_layout
from tests.server.desks import sample_settings
from tests.server.reports import BAIT, filled_home, gathered

# Made first: the event loop of a browser would be in the way.
pytestmark = pytest.mark.usefixtures("reviewed_home")

# Unfolded, and laid out as if all of it were on the screen.
OPEN_ALL = """() => {
    document.querySelectorAll("details").forEach(each => { each.open = true })
    document.querySelectorAll("article").forEach(each => { each.style.contentVisibility = "visible" })
}"""
# Where the line of the chart begins and ends on the screen, and the middle of the mark at its end.
ENDS = """chart => {
    const at = (path, length) => {
        const { x, y } = path.getPointAtLength(length).matrixTransform(path.getScreenCTM())
        return [x, y]
    }
    const line = chart.querySelector("path")
    const { left, right, top, bottom } = [...chart.querySelectorAll("circle")].at(-1).getBoundingClientRect()
    return {
        first: at(line, 0), last: at(line, line.getTotalLength()), mark: [(left + right) / 2, (top + bottom) / 2],
        benchmark: chart.querySelector("use").getBoundingClientRect().toJSON(),
        chart: chart.getBoundingClientRect().toJSON(),
    }
}"""


def written(settings: Settings, file: Path) -> str:
    """The address of the report of this home."""
    file.write_text(html_of(gathered(settings)), "utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report of few stocks, and of texts that try to be markup."""
    folder = tmp_path_factory.mktemp("report")
    return written(filled_home(folder / "home"), folder / "report.html")


def test_it_opens_without_a_network_and_asks_for_nothing(open_page: OpenPage, address: str) -> None:
    page = open_page("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    page.goto(address)
    page.evaluate(OPEN_ALL)
    expect(page.get_by_role("heading", name="Portfolio report, 2022-12-28")).to_be_visible()
    assert page.get_by_text(BAIT).count() > 20
    assert page.locator("script, img, iframe").count() == 0
    assert asked == [address]


def test_both_lines_of_a_chart_are_drawn_where_their_numbers_say(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    drawn: dict[str, Any] = page.locator(".chart").evaluate(ENDS)
    assert drawn["last"] == pytest.approx(drawn["mark"], abs=0.5)
    benchmark, chart = drawn["benchmark"], drawn["chart"]
    assert benchmark["left"] == pytest.approx(drawn["first"][0], abs=1)
    assert benchmark["top"] - 1 <= drawn["first"][1] <= benchmark["bottom"] + 1
    for side, least in (("left", chart["left"]), ("top", chart["top"])):
        assert benchmark[side] >= least
    assert benchmark["bottom"] <= chart["bottom"]


def test_a_number_of_the_evidence_leads_to_its_fact(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    fact = page.locator("tr#f3")
    expect(fact).to_be_hidden()
    page.locator("tr[data-fact=f3] a").first.click()
    expect(fact).to_be_visible()
    expect(fact).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(open_page: OpenPage, address: str, axe: str, scheme: Scheme) -> None:
    page = open_page(address, scheme=scheme, first=axe)
    page.evaluate(OPEN_ALL)
    assert found_by_axe(page) == []


@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_is_cut_off_and_nothing_overlaps(open_page: OpenPage, address: str, width: int) -> None:
    page = open_page(address, width=width)
    page.evaluate(OPEN_ALL)
    assert found_in_layout(page) == []


def test_paper_is_white_and_shows_what_is_folded_on_the_screen(open_page: OpenPage, address: str) -> None:
    page = open_page(address, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("tr#f3").bounding_box() is not None
    assert brightness(page, "color") < 100
    assert brightness(page, "backgroundColor") in (0, 255)
    assert len(re.findall(rb"/Type /Page\b", page.pdf(prefer_css_page_size=True))) > 1


def brightness(page: Page, of: str) -> float:
    """0 is black, 255 white; what is transparent counts as black."""
    numbers = page.evaluate("of => getComputedStyle(document.body)[of].match(/[\\d.]+/g).map(Number)", of)
    return sum(numbers[:3]) / 3


def test_the_sample_looks_like_this(
    open_page: OpenPage, reviewed_home: Path, pictures: Path, tmp_path: Path
) -> None:
    page = open_page(written(sample_settings(reviewed_home), tmp_path / "report.html"), width=1200)
    page.screenshot(path=pictures / "report.png")
    stock = page.locator("article").first
    stock.screenshot(path=pictures / "report-stock.png")
    expect(stock.get_by_role("img")).to_be_visible()
