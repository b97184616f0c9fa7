"""The HTTP server of one process: what it prints, serves, and how it ends."""

import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager

import anyio
import uvicorn
from mcp.server.mcpserver import MCPServer

from server.app import build_server
from server.desk import Desk, make_folders
from server.http.app import LOOPBACK_NAMES, EndableApp, http_app
from server.http.listening import Address
from server.http.token import Token, obtain_token
from server.settings import Settings
from server.subscriptions import end_streams

# Half of the 1,024 files that a process may usually open.
MAX_CONNECTIONS = 500
# In a shutdown: for listeners to be told of it, and for short calls to be answered.
GRACE_SECONDS = 0.2
# For uvicorn to see its connections closed, after which it closes them. Whole seconds, and STOP_SECONDS must suffice.
CLOSING_SECONDS = 1


class HttpServer:
    def __init__(self, settings: Settings, address: Address, *, new_token: bool) -> None:
        """Listens from here on; clients that connect wait until `run` serves them. Says on stderr where that is.

        Raises:
            SettingsError: the address, the certificate or the token's file cannot be used.
        """
        self._tls = address.tls()
        self._socket = address.listen()
        make_folders(settings)
        token = obtain_token(settings.home, anew=new_token)
        self._token = token.value
        self._hosts = {*LOOPBACK_NAMES, address.host, *address.allowed_hosts}
        self._serving: tuple[MCPServer, EndableApp, uvicorn.Server] | None = None
        self._ended = anyio.Event()
        _announce(address.url(_port(self._socket)), token)

    async def run(self, desk: Desk) -> None:
        """Serve until the process ends."""
        mcp = build_server(desk)
        app = http_app(mcp, self._token, self._hosts)
        server = _Uvicorn(self._configuration(app))
        self._serving = mcp, app, server
        await server.serve([self._socket])
        self._ended.set()
        await anyio.sleep_forever()

    async def close(self) -> None:
        """Take no more connections and end those there are, each in its protocol's way where there is one."""
        if self._serving is None:
            return
        mcp, app, server = self._serving
        server.should_exit = True
        end_streams(mcp)
        await anyio.sleep(GRACE_SECONDS)
        app.end_responses()
        await self._ended.wait()

    def _configuration(self, app: EndableApp) -> uvicorn.Config:
        tls = self._tls
        return uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,  # ours takes its lines too
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=CLOSING_SECONDS,
            ssl_context_factory=None if tls is None else lambda _, __: tls,
        )


class _Uvicorn(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave them to the desk."""
        yield


def _port(listening: socket.socket) -> int:
    return listening.getsockname()[1]


def _announce(url: str, token: Token) -> None:
    page = url.removesuffix("mcp")
    lines = [f"Serving MCP at {url}"]
    if token.is_new:
        # In double quotes, which every shell knows; neither URL nor token holds what they do not protect.
        add = (
            f'claude mcp add --transport http stockdesk {url} --header "Authorization: Bearer {token.value}"'
        )
        lines += [
            f"Its bearer token is in {token.path}, and shown this once: {token.value}",
            f"Dashboard: {page}#token={token.value}",
            f"Claude Code: {add}",
        ]
    else:
        lines += [
            f"Its bearer token is in {token.path}; --new-token makes another one.",
            f"Dashboard: {page}",
        ]
    sys.stderr.write("\n".join(lines) + "\n")
