"""A real `stockdesk serve --http`: what it answers, whom it refuses, what it never says, and how it ends."""

import signal
import ssl
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from anyio.abc import SocketStream
from mcp import MCPError
from typer.testing import CliRunner

from queues.model import TaskState
from server.cli import app
from tests.hosts.serve import PATIENCE_SECONDS, Serve, desk_environment, task_and_history
from tests.hosts.serve_http import Era, HttpServe, agent_at, open_session, rpc
from tests.server.desks import Agent
from tests.standins.claude_scripts import always
from tests.standins.messages_api import MessagesApi, Stalls

MCP = "io.modelcontextprotocol"
PROTOCOLS: dict[Era, str] = {"auto": "2026-07-28", "legacy": "2025-11-25"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("http")


@pytest.fixture(scope="module")
def serve(folder: Path) -> Iterator[HttpServe]:
    """For tests that leave it as they found it."""
    with HttpServe(desk_environment(folder, STOCKDESK_LOG_LEVEL="DEBUG")) as started:
        started.wait_for_stderr("This process leads")
        yield started


@pytest.fixture
async def browser(serve: HttpServe) -> AsyncIterator[httpx.AsyncClient]:
    async with serve.browser() as client:
        yield client


@pytest.mark.parametrize("era", PROTOCOLS)
async def test_a_client_of_each_era_works_with_the_desk(serve: HttpServe, era: Era) -> None:
    async with serve.agent(era) as agent:
        assert agent.client.protocol_version == PROTOCOLS[era]
        [fetch] = (await agent.call("enqueue_data_fetch", symbols=["JNJ"], exchange="NYSE", force=True))[
            "task_ids"
        ]
        answer = await agent.call("get_task", task_id=fetch, wait_seconds=30)
    assert answer["task"]["state"] == "completed"


async def test_clients_over_http_and_over_stdio_share_one_leader(serve: HttpServe, folder: Path) -> None:
    with Serve(desk_environment(folder)) as beside:
        beside.initialize()
        async with serve.agent() as one, serve.agent("legacy") as other:
            [task_id] = beside.call("enqueue_data_fetch", symbols=["KO"], exchange="NYSE")["task_ids"]
            for agent in (one, other):
                answer = await agent.call("get_task", task_id=task_id, wait_seconds=30)
                assert answer["task"]["state"] == "completed"
                leader = (await agent.call("get_queue_status"))["leader"]
                assert (leader["pid"], leader["is_this_process"]) == (serve.process.pid, True)
        assert beside.call("get_queue_status")["leader"]["pid"] == serve.process.pid
    _, history = task_and_history(folder, task_id)
    assert len(history) == 1


@pytest.mark.parametrize("era", PROTOCOLS)
@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, -32700),
        (b"[]", "application/json", 400, None),
        (b"{}", "text/plain", 400, None),
        (b" " * 5_000_000, "application/json", 413, None),
    ],
    ids=["no JSON", "no request", "another type", "too long"],
)
async def test_what_is_no_request_is_refused(
    browser: httpx.AsyncClient, era: Era, content: bytes, content_type: str, status: int, code: int | None
) -> None:
    headers = {"content-type": content_type, "mcp-protocol-version": PROTOCOLS[era]}
    answer = await browser.post("/mcp", content=content, headers=headers)
    assert answer.status_code == status
    assert code is None or answer.json()["error"]["code"] == code


async def test_a_body_without_a_length_is_bounded_too(browser: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 65_536

    assert (await browser.post("/mcp", content=chunks())).status_code == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer wrong"}, 401),
        ({"host": "evil.example"}, 421),
        ({"origin": "http://evil.example"}, 403),
    ],
    ids=["another token", "another host", "a foreign page"],
)
@pytest.mark.parametrize("path", ["/mcp", "/nothing"])
async def test_the_gate_stands_before_every_route(
    browser: httpx.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    assert (await browser.get(path, headers=headers)).status_code == status


async def test_the_dashboard_follows_the_desk_with_requests_that_need_no_session(
    browser: httpx.AsyncClient,
) -> None:
    """Those of server/dashboard/page/client.js."""
    browser.headers["origin"] = str(browser.base_url).rstrip("/")
    listen = {"notifications": {"resourceSubscriptions": ["stockdesk://status"]}}
    async with (
        within_patience(),
        browser.stream("POST", "/mcp", **stateless("subscriptions/listen", listen)) as news,
    ):
        lines = news.aiter_lines()
        await line_with(lines, '"notifications/subscriptions/acknowledged"')
        for tool, more in (("hold_queue", {"reason": "lunch"}), ("release_queue", {})):
            call = {"name": tool, "arguments": {"queue": "portfolio_sync", **more}}
            answer = await browser.post("/mcp", **stateless("tools/call", call))
            assert answer.json()["result"]["isError"] is False
            await line_with(lines, '"notifications/resources/updated"')


def stateless(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The headers and the body of a request of protocol 2026-07-28."""
    name = {"mcp-name": params["name"]} if "name" in params else {}
    meta: dict[str, Any] = {f"{MCP}/protocolVersion": "2026-07-28", f"{MCP}/clientCapabilities": {}}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method, **name}
    return {"headers": headers, "json": rpc(method, {**params, "_meta": meta})}


async def line_with(lines: AsyncIterator[str], words: str) -> None:
    async for line in lines:
        if words in line:
            return
    pytest.fail(f"the stream ended without {words}")


async def test_a_client_is_shown_why_it_is_refused(serve: HttpServe) -> None:
    with pytest.raises(BaseExceptionGroup) as refused:
        async with agent_at(serve.url, "another-token", "legacy"):
            pass
    assert refused.group_contains(MCPError, match="token is not the one of this home")


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi(always(Stalls())) as standin:
        yield standin


async def test_a_signal_ends_all_that_is_open_in_order_and_the_task_waits_for_its_next_run(
    tmp_path: Path, api: MessagesApi
) -> None:
    with HttpServe(desk_environment(tmp_path, api.url)) as serve:
        async with within_patience(), serve.agent() as agent, serve.browser() as browser:
            answer = await agent.call("enqueue_ai_analysis", symbols=["AAPL", "MSFT"], exchange="NASDAQ")
            [task_id] = [task_id for task_id in answer["task_ids"] if task_id.startswith("analysis-")]
            await anyio.to_thread.run_sync(api.wait_for_requests, 1)
            await open_session(browser)
            wait = rpc(
                "tools/call", {"name": "get_task", "arguments": {"task_id": task_id, "wait_seconds": 50}}
            )
            async with (
                agent.client.listen(resource_subscriptions=["stockdesk://status"]) as changes,
                browser.stream("GET", "/mcp") as events,
                browser.stream("POST", "/mcp", json=wait) as answer_to_come,
                half_a_request(serve) as unfinished,
                anyio.create_task_group() as streams,
            ):
                streams.start_soon(read_to_the_end, changes)
                streams.start_soon(read_to_the_end, events.aiter_raw())
                streams.start_soon(read_to_the_end, answer_to_come.aiter_raw())
                streams.start_soon(refused_by_the_end, agent, task_id)
                await agent.call("get_queue_status")  # the call before has begun
                serve.process.send_signal(signal.SIGTERM)
                assert b" 503 " in (await unfinished.receive()).splitlines()[0]
        assert await anyio.to_thread.run_sync(serve.ended) == 0
        assert f"Leaving on SIGTERM; interrupted: {task_id}" in serve.stderr
        assert "Traceback" not in serve.stderr
    task, history = task_and_history(tmp_path, task_id)
    assert (task.state, task.attempt, task.claim) == (TaskState.QUEUED, 0, 1)
    assert [attempt.outcome for attempt in history] == ["interrupted"]


@asynccontextmanager
async def within_patience() -> AsyncGenerator[None]:
    """A stream that never ends is a failure, and no test that never ends."""
    with anyio.fail_after(PATIENCE_SECONDS):
        yield


async def read_to_the_end(stream: AsyncIterator[object]) -> None:
    """Raises where it breaks instead."""
    async for _ in stream:
        pass


async def refused_by_the_end(agent: Agent, task_id: str) -> None:
    with pytest.raises(MCPError, match="its tasks go on when it is started again"):
        await agent.call("get_task", task_id=task_id, wait_seconds=50)


@asynccontextmanager
async def half_a_request(serve: HttpServe) -> AsyncGenerator[SocketStream]:
    address = httpx.URL(serve.url)
    assert address.port is not None
    async with await anyio.connect_tcp(address.host, address.port) as stream:
        head = f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {serve.token}\r\n"
        await stream.send(f"{head}Content-Length: 100\r\n\r\nhalf of it".encode())
        yield stream


async def test_the_token_is_shown_once_and_stands_nowhere_else(tmp_path: Path) -> None:
    environment = desk_environment(tmp_path, STOCKDESK_LOG_LEVEL="DEBUG")
    with HttpServe(environment) as first:
        token = first.token
        async with first.browser() as browser, first.agent() as agent:
            await browser.get("/mcp", headers={"authorization": f"bearer {token}x"})
            await browser.post("/mcp", content=b"{", params={"token": token})
            status = await agent.call("get_queue_status")
        first.process.send_signal(signal.SIGINT)
        assert await anyio.to_thread.run_sync(first.ended) == 0
        assert f"shown this once: {token}\n" in first.stderr
        assert f"Dashboard: {first.url.removesuffix('mcp')}#token={token}\n" in first.stderr
        logged = first.stderr.partition('--header "Authorization: Bearer ')[2].partition("\n")[2]
        assert "Refused a request" in logged
        assert "Leaving on SIGINT" in logged
    with HttpServe(environment) as second:
        assert second.token == token
        second.wait_for_stderr("Dashboard: http")
        said = second.stderr
    assert "--new-token makes another one" in said
    files = [path for path in (tmp_path / "desk").rglob("*") if path.is_file() and path.name != "http-token"]
    assert not [path for path in files if token.encode() in path.read_bytes()]
    assert token not in logged + said + str(status)


@pytest.fixture
def certificate(tmp_path: Path, require_program: Callable[[str, str], Path]) -> Path:
    """Of localhost; its key is in `key.pem` beside it."""
    openssl = require_program("openssl", "apt-get install openssl")
    make = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    files = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    subprocess.run([openssl, *make.split(), *files], check=True, capture_output=True)
    return tmp_path / "cert.pem"


async def test_other_machines_reach_it_over_tls_by_the_name_it_was_given(
    tmp_path: Path, certificate: Path
) -> None:
    options = ["--host", "0.0.0.0", "--allowed-host", "localhost", "--tls-cert", str(certificate)]
    options += ["--tls-key", str(certificate.with_name("key.pem"))]
    with HttpServe(desk_environment(tmp_path), *options) as serve:
        assert serve.url.startswith("https://localhost:")
        trusted = ssl.create_default_context(cafile=certificate)
        async with agent_at(serve.url, serve.token, tls=trusted) as agent:
            assert (await agent.call("get_queue_status"))["queues"]
        async with httpx.AsyncClient(verify=trusted, trust_env=False) as browser:
            assert (await browser.get(serve.url, headers={"host": "evil.example"})).status_code == 421
        serve.process.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(serve.ended) == 0


@pytest.mark.parametrize("options", [["--port", "1"], ["--new-token"], ["--allow-insecure"]], ids=str)
def test_an_option_of_http_without_http_is_no_server_over_stdio(
    options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.serving.serve_stdio", None)
    ended = CliRunner().invoke(app, ["serve", *options])
    assert ended.exit_code == 1
    assert "add --http" in ended.stderr


def test_an_address_that_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["serve", "--http", "--host", "0.0.0.0"])
    assert ended.exit_code == 1
    assert "without TLS whoever is on the way reads the token" in ended.stderr
    assert not (tmp_path / "home").exists()
