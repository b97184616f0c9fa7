"""What stands before every request over HTTP: under which name it comes, from which web page, and with which token."""

import logging
from collections.abc import Collection
from hmac import compare_digest
from urllib.parse import urlsplit

from mcp.types import INVALID_REQUEST, ErrorData, JSONRPCError
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

# For whoever watches whether the process serves; it says nothing else.
HEALTH = "/healthz"
# The dashboard, which is the same for everybody and holds no data.
PAGE = "/"
SHOWN_CHARACTERS = 80


class Gate:
    """Lets a request pass to `app` if it is for one of `hosts`, from no web page of another one, with the token.

    The first two keep out a web page that has its own name resolved to this machine (DNS rebinding). Ports do not
    count: a tunnel changes them.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Collection[str]) -> None:
        self._app = app
        self._authorization = f"Bearer {token}".encode()
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = None if scope["type"] == "lifespan" else self._refuse(scope["path"], Headers(scope=scope))
        if refused is not None:
            log.info("Refused a request of %s (%d)", scope.get("client"), refused.status_code)
        await (refused or self._app)(scope, receive, send)

    def _refuse(self, path: str, headers: Headers) -> Response | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if _hostname(f"//{host}") not in self._hosts:
            return refusal(
                421,
                f"This server is not known as {host[:SHOWN_CHARACTERS]!r}; use the address it printed at its start, or "
                "start it with --allowed-host and that name.",
            )
        if origin is not None and _hostname(origin) not in self._hosts:
            return refusal(
                403,
                f"Web pages of {origin[:SHOWN_CHARACTERS]!r} may not call this server; if they are yours, start it "
                "with --allowed-host and their host's name.",
            )
        return None if path in (HEALTH, PAGE) or self._knows(headers) else _unauthorized(headers)

    def _knows(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = f"{scheme.capitalize()} {token.strip()}".encode()
        return compare_digest(given, self._authorization)


def _hostname(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:  # half a bracket
        return None
    return parts.hostname if parts.scheme in ("", "http", "https") else None


def _unauthorized(headers: Headers) -> Response:
    # RFC 6750, section 3.1: no error code where no token was given.
    was_given = "authorization" in headers
    challenge = 'Bearer realm="stockdesk"' + (', error="invalid_token"' if was_given else "")
    return refusal(
        401,
        f"The bearer token is {'not the one of this home' if was_given else 'missing'}; send it as the header "
        "'Authorization: Bearer TOKEN'. It is in the file http-token of the home that this server serves.",
        {"www-authenticate": challenge},
    )


def refusal(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """A JSON-RPC error, whose message MCP clients show."""
    error = JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=INVALID_REQUEST, message=sentence))
    content = error.model_dump_json(by_alias=True, exclude_unset=True)
    return Response(content, status, headers, media_type="application/json")
