"""Tells of resources that changed to those who subscribed to them, in both protocol versions."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup
from mcp import MCPError
from mcp.server.connection import Connection
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import (
    INVALID_PARAMS,
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionFilter,
    UnsubscribeRequestParams,
)

from server.desk import Desk
from server.resources import JSON, LONGEST_URI, NotYetError, listed_uris, not_found
from server.subscriptions import Context, News, Source, begin, follow

# Each is read after each ring.
MOST_URIS = 100
# Another value at every look, though nothing has happened.
CHANGE_BY_THEMSELVES = ("oldest_wait_seconds", "estimated_finish")


class ResourceWatch:
    """What can be read at some addresses."""

    def __init__(self, mcp: MCPServer, uris: list[str]) -> None:
        self._mcp = mcp
        self._uris = uris
        self._seen: dict[str, int | None] = {}

    @property
    def honoured(self) -> dict[str, Any]:
        return {"resourceSubscriptions": self._uris}

    async def news(self) -> list[News]:
        before, self._seen = self._seen, {uri: await _content(self._mcp, uri) for uri in self._uris}
        return [
            News("notifications/resources/updated", {"uri": uri})
            for uri, now in self._seen.items()
            if before.get(uri, now) != now
        ]


class ListWatch:
    """Which addresses are in the list."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._seen: set[str] | None = None

    @property
    def honoured(self) -> dict[str, Any]:
        return {"resourcesListChanged": True}

    async def news(self) -> list[News]:
        before, self._seen = self._seen, await self._desk.database.read(listed_uris)
        is_changed = before is not None and before != self._seen
        return [News("notifications/resources/list_changed", {})] * is_changed


def resource_sources(mcp: MCPServer, desk: Desk) -> list[Source]:
    async def resources(_: Context, asked: SubscriptionFilter) -> ResourceWatch | None:
        uris = list(dict.fromkeys(asked.resource_subscriptions or ()))
        if len(uris) > MOST_URIS:
            raise _too_many(len(uris))
        known = [uri for uri in uris if await _is_known(mcp, uri)]
        return ResourceWatch(mcp, known) if known else None

    async def the_list(_: Context, asked: SubscriptionFilter) -> ListWatch | None:
        return ListWatch(desk) if asked.resources_list_changed else None

    return [resources, the_list]


def _too_many(number: int) -> MCPError:
    return MCPError(
        INVALID_PARAMS,
        f"{number} resources are more than the {MOST_URIS} that can be watched; stockdesk://status changes with them.",
    )


async def _is_known(mcp: MCPServer, uri: str) -> bool:
    try:
        await _content(mcp, uri)
    except ResourceNotFoundError:
        return False
    except ResourceError:
        pass  # for now, which says nothing of later
    return True


async def _content(mcp: MCPServer, uri: str) -> int | None:
    """A hash of what lasts in what is read there; None while there is nothing yet.

    Raises:
        ResourceNotFoundError: there never will be.
        ResourceError: it cannot be read now.
    """
    if len(uri) > LONGEST_URI:
        raise ResourceNotFoundError(f"Unknown resource: {uri}")
    try:
        found = await mcp.read_resource(uri)
    except NotYetError:
        return None
    assert isinstance(found, list)  # none of ours asks its reader for input
    return hash(tuple(_lasting(each.content) if each.mime_type == JSON else each.content for each in found))


def _lasting(text: str | bytes) -> str:
    return json.dumps(json.loads(text, object_hook=_without_those_that_change))


def _without_those_that_change(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in CHANGE_BY_THEMSELVES}


# Protocol 2025-11-25: one request for each address, and what it asks for outlives it.


@asynccontextmanager
async def background_tasks(_: MCPServer) -> AsyncGenerator[TaskGroup]:
    """The lifespan of a server with `add_resource_subscriptions`: owns those who watch."""
    async with anyio.create_task_group() as tasks:
        yield tasks
        tasks.cancel_scope.cancel()


def add_resource_subscriptions(mcp: MCPServer, desk: Desk) -> None:
    server = mcp._lowlevel_server  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (no public way)
    bell = desk.manager.bell

    async def subscribe(ctx: Context, params: SubscribeRequestParams) -> EmptyResult:
        uri, connection = params.uri, _connection(ctx)
        watching = _watching(connection)
        if not await _is_known(mcp, uri):
            raise not_found(ctx, uri)
        watch, scope = ResourceWatch(mcp, [uri]), anyio.CancelScope()
        heard = await begin(bell, [watch])

        async def keep_watching() -> None:
            with scope:
                await follow(bell, heard, [watch], lambda news: connection.notify(*news))

        if len({*watching, uri}) > MOST_URIS:
            raise _too_many(len(watching) + 1)
        if uri not in watching:
            watching[uri] = scope
            ctx.lifespan_context.start_soon(keep_watching)
        return EmptyResult()

    async def unsubscribe(ctx: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        if scope := _watching(_connection(ctx)).pop(params.uri, None):
            scope.cancel()
        return EmptyResult()

    server.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)


def _connection(ctx: Context) -> Connection:
    return ctx.session._connection  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (no public way to its `state`)


def _watching(connection: Connection) -> dict[str, anyio.CancelScope]:
    """Who watches for this client, by address; ended when it leaves."""
    if "watching" not in connection.state:
        watching: dict[str, anyio.CancelScope] = {}
        connection.state["watching"] = watching

        def end_all() -> None:
            for scope in watching.values():
                scope.cancel()

        connection.exit_stack.callback(end_all)
    return connection.state["watching"]
