"""Who may see the desk in a browser, and what the page does when its server goes away."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.pages.conftest import OpenPage
from tests.pages.homes import Served, served


@pytest.fixture(scope="module")
def desk(folder: Path) -> Iterator[Served]:
    with served(folder) as started:
        yield started


def sees_the_desk(page: Page) -> None:
    expect(page.get_by_test_id("verdict-NYSE:XOM")).to_be_attached()
    expect(page.get_by_test_id("sign-in")).to_be_hidden()


def is_asked_for_the_token(page: Page) -> None:
    expect(page.get_by_test_id("sign-in")).to_be_visible()
    expect(page.get_by_test_id("lane-ai_analysis")).to_be_hidden()
    expect(page.get_by_test_id("connection")).to_have_text("not signed in")


def test_the_token_is_asked_for_and_kept_for_this_tab_alone(desk: Served, open_page: OpenPage) -> None:
    page = open_page(desk.address, offline=True)
    is_asked_for_the_token(page)
    field = page.get_by_label("Token")
    field.fill("wrong")
    field.press("Enter")
    expect(page.get_by_text("That is not the token of this home")).to_be_visible()
    is_asked_for_the_token(page)
    field.fill(f"Bearer {desk.mcp.token}")
    field.press("Enter")
    sees_the_desk(page)
    page.reload()
    sees_the_desk(page)
    assert page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
    another = page.context.new_page()
    another.goto(desk.address)
    is_asked_for_the_token(another)


def test_a_token_in_the_address_signs_in_and_leaves_the_address_until_one_signs_out(
    desk: Served, open_page: OpenPage
) -> None:
    page = open_page(desk.signed_in)
    sees_the_desk(page)
    assert page.url == desk.address
    page.get_by_test_id("sign-out").click()
    is_asked_for_the_token(page)
    page.reload()
    is_asked_for_the_token(page)


def test_a_wrong_token_in_the_address_is_asked_for_again(desk: Served, open_page: OpenPage) -> None:
    page = open_page(f"{desk.address}#token=wrong", offline=True)
    is_asked_for_the_token(page)
    assert page.url == desk.address


def test_a_page_whose_server_has_gone_says_so_and_goes_on_when_it_is_back(
    folder: Path, desk: Served, open_page: OpenPage
) -> None:
    port = urlsplit(desk.address).port
    assert port is not None
    page = open_page(desk.signed_in, offline=True)
    sees_the_desk(page)
    connection = page.get_by_test_id("connection")
    expect(connection).to_have_attribute("data-state", "live")
    desk.serve.process.kill()
    expect(connection).to_have_attribute("data-state", "lost")
    page.get_by_test_id("hold-ai_analysis").click()
    expect(page.get_by_test_id("toast")).to_contain_text("The server cannot be reached")
    with served(folder, port=port) as back:
        expect(connection).to_have_attribute("data-state", "live")
        expect(page.get_by_test_id("toast")).to_be_empty()
        expect(page.get_by_test_id("leader")).to_contain_text(f"pid {back.serve.process.pid}")
