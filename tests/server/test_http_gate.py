"""Who may speak to a server over HTTP: checked before anything reads a body, on every route."""

import httpx
import pytest
from starlette.responses import PlainTextResponse

from server.http.gate import HEALTH, PAGE, Gate

TOKEN = "the-token-of-this-home"
BEARER = {"authorization": f"Bearer {TOKEN}"}


async def ask(path: str = "/any/route", **headers: str) -> httpx.Response:
    gate = Gate(PlainTextResponse("let in"), TOKEN, ["127.0.0.1", "localhost", "::1", "Desk.example"])
    transport = httpx.ASGITransport(gate)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:7853") as client:
        return await client.get(path, headers=httpx.Headers(headers, encoding="latin-1"))


def sentence(answer: httpx.Response) -> str:
    """The message of a refusal, as an MCP client shows it."""
    assert TOKEN not in answer.text
    body = answer.json()
    assert (body["jsonrpc"], body["id"], body["error"]["code"]) == ("2.0", None, -32600)
    return body["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost"},
        {"host": "LocalHost:1"},
        {"host": "127.0.0.1:7853"},
        {"host": "[::1]:7853"},
        {"host": "desk.example"},
        {"origin": "http://localhost:6274"},
        {"origin": "https://desk.example"},
        {"authorization": f"bearer  {TOKEN}"},
    ],
    ids=str,
)
async def test_a_client_with_the_token_is_let_in_by_every_name_of_the_server(headers: dict[str, str]) -> None:
    assert (await ask(**BEARER | headers)).text == "let in"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "localhost.", "[::1", "", "::1"],
)
async def test_a_name_that_somebody_else_had_resolved_to_this_machine_is_refused(host: str) -> None:
    answer = await ask(**BEARER, host=host)
    assert answer.status_code == 421
    assert f"not known as {host!r}" in sentence(answer)
    assert "--allowed-host" in sentence(answer)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost.evil.example:7853",
        "http://evil.example/localhost",
        "chrome-extension://localhost",
        "http://[",
        "null",
        "",
    ],
)
async def test_a_foreign_web_page_is_refused_even_with_the_token(origin: str) -> None:
    answer = await ask(**BEARER, origin=origin)
    assert answer.status_code == 403
    assert f"Web pages of {origin!r}" in sentence(answer)


async def test_a_request_without_a_token_is_told_where_it_is() -> None:
    answer = await ask()
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="stockdesk"'
    assert "token is missing; send it as the header 'Authorization: Bearer TOKEN'" in sentence(answer)


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer ü"],
)
async def test_another_token_is_refused(authorization: str) -> None:
    answer = await ask(authorization=authorization)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="stockdesk", error="invalid_token"'
    assert "not the one of this home" in sentence(answer)


async def test_a_token_in_the_address_does_not_count() -> None:
    assert (await ask(f"/any?token={TOKEN}&access_token={TOKEN}")).status_code == 401


@pytest.mark.parametrize("path", [HEALTH, PAGE])
async def test_a_watchdog_and_a_page_without_data_need_no_token_but_the_right_name(path: str) -> None:
    assert (await ask(path)).text == "let in"
    assert (await ask(path, host="evil.example")).status_code == 421
    assert (await ask(path, origin="http://evil.example")).status_code == 403
    assert (await ask(f"{path}more")).status_code == 401
