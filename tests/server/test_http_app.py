from collections.abc import AsyncIterator

import httpx
import pytest

from server.app import build_server
from server.dashboard.assembling import dashboard_csp, dashboard_html
from server.desk import Desk
from server.http import app
from tests.hosts.serve import INITIALIZE
from tests.hosts.serve_http import ACCEPTED, rpc

TOKEN = "the-token-of-this-home"


@pytest.fixture
async def browser(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """Of an app that holds two sessions at most."""
    monkeypatch.setattr(app, "MAX_SESSIONS", 2)
    mcp = build_server(desk)
    transport = httpx.ASGITransport(app.http_app(mcp, TOKEN, app.LOOPBACK_NAMES))
    headers = {"authorization": f"Bearer {TOKEN}", **ACCEPTED}
    async with (
        mcp.session_manager.run(),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client,
    ):
        yield client


async def test_a_client_too_many_is_refused_until_another_ends_its_session(
    browser: httpx.AsyncClient,
) -> None:
    async def initialize() -> httpx.Response:
        return await browser.post("/mcp", json=rpc("initialize", INITIALIZE))

    first, second, third = [await initialize() for _ in range(3)]
    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 503]
    session = {"mcp-session-id": first.headers["mcp-session-id"]}
    assert (await browser.delete("/mcp", headers=session)).status_code == 200
    assert (await initialize()).status_code == 200


async def test_a_watchdog_is_told_nothing_but_that_it_serves(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/healthz", headers={"authorization": ""})
    assert (answer.status_code, answer.text) == (200, "ok")


async def test_a_browser_gets_the_page_and_no_data_before_it_has_the_token(
    browser: httpx.AsyncClient,
) -> None:
    page = await browser.get("/", headers={"authorization": ""})
    assert (page.status_code, page.text) == (200, dashboard_html())
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == dashboard_csp()
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "set-cookie" not in page.headers
    assert TOKEN not in page.text


@pytest.mark.parametrize(("path", "status"), [("/", 405), ("/mcp", 401)])
async def test_a_page_of_another_local_server_gets_no_leave_to_call(
    browser: httpx.AsyncClient, path: str, status: int
) -> None:
    """Its preflight comes without the token, as browsers send it."""
    headers = {
        "authorization": "",
        "origin": "http://localhost:6274",
        "access-control-request-method": "POST",
    }
    answer = await browser.options(path, headers=headers)
    assert answer.status_code == status
    assert not [name for name in answer.headers if name.startswith("access-control-")]
