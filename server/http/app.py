"""The ASGI app of one desk."""

from collections.abc import Collection

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.dashboard.assembling import dashboard_csp, dashboard_html
from server.http.gate import HEALTH, PAGE, Gate, refusal

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
# Of protocol 2025-11-25; later ones have no sessions. A client that goes without a word leaves its session behind for
# half an hour.
MAX_SESSIONS = 200
LAST_WORD_SECONDS = 0.1


def http_app(mcp: MCPServer, token: str, hosts: Collection[str]) -> "EndableApp":
    """MCP at `/mcp`, and what `mcp.custom_route` has added, for holders of `token` that use one of `hosts` as its name.

    The dashboard at `/` is the same for everybody; what it shows it asks for at `/mcp`. The app runs once: its lifespan
    holds the sessions.
    """
    mcp.custom_route(HEALTH, methods=["GET"])(_say_healthy)
    mcp.custom_route(PAGE, methods=["GET"])(_show_dashboard)
    # The gate checks hosts, for the other routes too.
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    served = mcp.streamable_http_app(transport_security=unchecked, max_sessions=MAX_SESSIONS)
    return EndableApp(Gate(served, token, hosts))


async def _say_healthy(_: Request) -> Response:
    return PlainTextResponse("ok")


async def _show_dashboard(_: Request) -> Response:
    headers = {
        "content-security-policy": dashboard_csp(),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",  # the page of another version would speak with this one
    }
    return HTMLResponse(dashboard_html(), headers=headers)


class EndableApp:
    """`app`, whose open responses can all be ended: a client sees the end of its stream, and no broken connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: set[anyio.CancelScope] = set()

    def end_responses(self) -> None:
        for response in self._open:
            response.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        last: Message | None = None

        async def watched_send(message: Message) -> None:
            nonlocal last
            last = message
            await send(message)

        with anyio.CancelScope() as response:
            self._open.add(response)
            try:
                await self._app(scope, receive, watched_send)
            finally:
                self._open.remove(response)
        if response.cancelled_caught:
            # A client that reads nothing must not be waited for.
            with anyio.move_on_after(LAST_WORD_SECONDS):
                await _end(last, scope, receive, send)


async def _end(last: Message | None, scope: Scope, receive: Receive, send: Send) -> None:
    """End the response whose last message so far was this."""
    match last:
        case None:
            leaving = "Stockdesk ends here; its tasks go on when it is started again."
            await refusal(503, leaving)(scope, receive, send)
        case {"type": "http.response.start"} | {"more_body": True}:
            await send({"type": "http.response.body"})
        case _:
            pass
