"""Serves a desk over HTTP for the conformance suite: our server, with the suite's fixtures added.

`python -m tests.conformance.serve HOME` prints its URL, and ends when its stdin does.
"""

import sys
from pathlib import Path

import anyio
import anyio.to_thread
import uvicorn
from mcp import Client
from mcp.server.mcpserver import MCPServer
from starlette.types import ASGIApp, Receive, Scope, Send

from server.app import build_server
from server.desk import Desk, open_desk
from server.http.app import LOOPBACK_NAMES, http_app
from server.http.listening import Address
from tests.conformance.changes import add_changing_lists
from tests.conformance.contents import add_notifying_tools, add_prompts, add_resources, add_tools
from tests.conformance.questions import add_asking_tools, add_resolving_tools
from tests.conformance.work import add_enqueuing_tools, with_handlers
from tests.server.desks import Agent, sample_settings

TOKEN = "the suite cannot send one"


def with_token(app: ASGIApp) -> ASGIApp:
    async def authorized(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {TOKEN}".encode())]
        await app(scope, receive, send)

    return authorized


def add_fixtures(mcp: MCPServer, desk: Desk) -> None:
    for add in (
        add_tools,
        add_notifying_tools,
        add_asking_tools,
        add_resolving_tools,
        add_resources,
        add_prompts,
    ):
        add(mcp)
    add_enqueuing_tools(mcp, desk)
    add_changing_lists(mcp, desk)


async def fill(mcp: MCPServer) -> None:
    """Some tasks and verdicts, so that the lists that the suite checks are not empty."""
    async with Client(mcp) as client:
        agent = Agent(client)
        asked = await agent.call("enqueue_ai_analysis", symbols=["NASDAQ:AAPL", "NASDAQ:MSFT"])
        done = await agent.call("get_task", task_id=asked["run_id"], wait_seconds=30, wait_for="run")
        assert done["run"]["stocks_done"] == 2, done


async def main(home: Path) -> None:
    async with open_desk(sample_settings(home), "conformance") as opened, anyio.create_task_group() as queues:
        desk = with_handlers(opened)
        await queues.start(desk.manager.run)
        mcp = build_server(desk)
        add_fixtures(mcp, desk)
        await fill(mcp)
        await serve_until_eof(with_token(http_app(mcp, TOKEN, LOOPBACK_NAMES)))
        queues.cancel_scope.cancel()


async def serve_until_eof(app: ASGIApp) -> None:
    listening = Address(port=0).listen()
    # A client may leave a stream open behind it.
    config = uvicorn.Config(app, lifespan="on", log_level="warning", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as serving:
        serving.start_soon(server.serve, [listening])
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)  # noqa: T201 (the test reads it)
        await anyio.to_thread.run_sync(sys.stdin.read)
        server.should_exit = True


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
