"""A real `stockdesk serve --http` on a free port of loopback, and its clients."""

import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import httpx
import httpx2  # the SDK's own
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.hosts.serve import INITIALIZE, PATIENCE_SECONDS, Serve
from tests.server.desks import Agent

Era: TypeAlias = Literal["auto", "legacy"]

ACCEPTED = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


class HttpServe(Serve):
    def __init__(self, environment: Mapping[str, str], *options: str) -> None:
        super().__init__(environment, options=["--http", "--port", "0", *options])
        self.close_stdin()  # which means nothing to it
        self._token_file = Path(environment["STOCKDESK_HOME"]) / "http-token"

    @cached_property
    def url(self) -> str:
        self.wait_for_stderr("bearer token is in")
        found = re.search(r"Serving MCP at (\S+)", self.stderr)
        assert found, self.stderr
        return found[1]

    @cached_property
    def token(self) -> str:
        assert self.url  # so it has made its token
        return self._token_file.read_text("ascii").strip()

    def browser(self) -> httpx.AsyncClient:
        """For requests that no MCP client sends."""
        return httpx.AsyncClient(
            base_url=self.url.removesuffix("/mcp"),
            headers={"authorization": f"Bearer {self.token}", **ACCEPTED},
            timeout=PATIENCE_SECONDS,
            trust_env=False,
        )

    def agent(self, mode: Era = "auto") -> AbstractAsyncContextManager[Agent]:
        return agent_at(self.url, self.token, mode)


@asynccontextmanager
async def agent_at(
    url: str, token: str, mode: Era = "auto", tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Agent]:
    http = httpx2.AsyncClient(
        headers={"authorization": f"Bearer {token}"},
        timeout=PATIENCE_SECONDS,
        trust_env=False,
        verify=True if tls is None else tls,
    )
    async with http, Client(streamable_http_client(url, http_client=http), mode=mode) as client:
        yield Agent(client)


def rpc(method: str, params: Mapping[str, Any], *, number: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


async def open_session(browser: httpx.AsyncClient) -> None:
    """Of protocol 2025-11-25; the requests that follow belong to it."""
    answer = await browser.post("/mcp", json=rpc("initialize", INITIALIZE))
    browser.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
    browser.headers["mcp-protocol-version"] = "2025-11-25"
    await browser.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
