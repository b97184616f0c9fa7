"""A small host of MCP Apps on loopback, for a real server: it shows the dashboard in a sandbox, as the spec asks.

The app's HTML, read as the resource that the tool names, is framed without an origin and under the policy that hosts
apply where an app declares no domains, less what that leaves to the host's own; the page in `apps_host.html` forwards
its tool calls. Tests find what the page heard in its `host`.

Also a program: `python tests/standins/apps_host.py URL TOKEN_FILE` prints its URL, serves until stdin ends.
Format: SEP-1865, MCP Apps 2026-01-26.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from tests.standins.serving import Serving

PAGE = Path(__file__).with_suffix(".html")
TOOL = "show_dashboard"
MIME_TYPE = "text/html;profile=mcp-app"
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; media-src data:;"
    " connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'none'"
)
PATIENCE_SECONDS = 30.0
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "stand-in", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {
        "extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": [MIME_TYPE]}}
    },
}


@dataclass(frozen=True, slots=True)
class HttpMcp:
    """A server of protocol 2026-07-28 over HTTP."""

    url: str
    token: str

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The whole answer, with `result` or `error`."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": method,
        }
        if name := params.get("name") or params.get("uri"):
            headers["Mcp-Name"] = name
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
        request = Request(self.url, json.dumps(message).encode(), headers)
        with build_opener(ProxyHandler({})).open(request, timeout=PATIENCE_SECONDS) as answer:
            text = answer.read().decode()
        # One event or more; the answer is the last.
        return json.loads(text[text.rindex("data: ") + 6 :] if text.startswith(("event:", "data:")) else text)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What the tool answers; fails where that is an error."""
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments})
        assert not answer["result"].get("isError"), answer
        return answer["result"]["structuredContent"]


class AppsHost(Serving):
    def __init__(self, mcp: HttpMcp) -> None:
        self.mcp = mcp
        super().__init__(_Server(self))

    def app(self) -> str:
        """The HTML of the app, which declares no domains."""
        tools = self.mcp.ask("tools/list", {})["result"]["tools"]
        [uri] = [tool["_meta"]["ui"]["resourceUri"] for tool in tools if tool["name"] == TOOL]
        [content] = self.mcp.ask("resources/read", {"uri": uri})["result"]["contents"]
        assert content["mimeType"] == MIME_TYPE
        assert "csp" not in content.get("_meta", {}).get("ui", {}), "the policy here allows no domain"
        return content["text"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: AppsHost) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = host


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        if self.path == "/view":
            self._send("text/html", self.server.host.app(), {"Content-Security-Policy": POLICY})
        else:
            self._send("text/html", PAGE.read_text("utf-8"), {})

    def do_POST(self) -> None:
        assert isinstance(self.server, _Server)
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.server.host.mcp.ask(message["method"], message["params"])
        self._send("application/json", json.dumps(answer), {})

    def _send(self, content_type: str, text: str, headers: Mapping[str, str]) -> None:
        body = text.encode()
        with suppress(ConnectionError):  # the page may have gone
            self.send_response(200)
            for name, value in {"Content-Type": f"{content_type}; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class calls it so)
        """Say nothing: a test's output is its own."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Show the dashboard of a server as a host of MCP Apps does.")
    parser.add_argument("url", help="of the server, as `stockdesk serve --http` prints it")
    parser.add_argument("token_file", type=Path, help="http-token in the home of the server")
    arguments = parser.parse_args()
    with AppsHost(HttpMcp(arguments.url, arguments.token_file.read_text("ascii").strip())) as host:
        sys.stdout.write(f"{host.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
