"""Clients of both protocol versions that subscribe."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup
from mcp import Client, ClientSession
from mcp.client.subscriptions import ResourceUpdated
from mcp.server.mcpserver import MCPServer
from mcp.server.runner import serve_loop
from mcp.shared.memory import create_client_server_memory_streams
from mcp.types import EmptyResult, SubscribeRequest, SubscribeRequestParams, UnsubscribeRequest
from mcp.types import UnsubscribeRequestParams as Unsubscribed

from tests.hosts.serve import PATIENCE_SECONDS

NextUri = Callable[[], Awaitable[str]]


@asynccontextmanager
async def told_of(mcp: MCPServer, mode: Any, *uris: str) -> AsyncGenerator[NextUri]:
    """A client that has subscribed; gives what it is told next."""
    send, receive = anyio.create_memory_object_stream[str](100)

    async def hear(message: Any) -> None:
        send.send_nowait(message.params.uri)

    with anyio.fail_after(PATIENCE_SECONDS):
        if mode == "legacy":
            async with send, receive, Client(mcp, mode=mode, message_handler=hear) as client:
                for uri in uris:
                    await subscribe(client.session, uri)
                yield receive.receive
        else:
            async with (
                send,
                receive,
                Client(mcp, mode=mode) as client,
                client.listen(resource_subscriptions=uris) as events,
            ):

                async def next_uri() -> str:
                    event = await anext(events)
                    assert isinstance(event, ResourceUpdated)
                    return event.uri

                yield next_uri


async def subscribe(session: ClientSession, uri: str) -> None:
    request = SubscribeRequest(params=SubscribeRequestParams(uri=uri))
    assert await session.send_request(request, EmptyResult) == EmptyResult()


async def unsubscribe(session: ClientSession, uri: str) -> None:
    request = UnsubscribeRequest(params=Unsubscribed(uri=uri))
    assert await session.send_request(request, EmptyResult) == EmptyResult()


@asynccontextmanager
async def connected(server: Any, tasks: TaskGroup) -> AsyncGenerator[ClientSession]:
    async with (
        create_client_server_memory_streams() as ((from_server, to_server), (from_client, to_client)),
        anyio.create_task_group() as serving,
    ):
        serving.start_soon(lambda: serve_loop(server, from_client, to_client, lifespan_state=tasks))
        async with ClientSession(from_server, to_server) as session:
            await session.initialize()
            yield session
