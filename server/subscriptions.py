"""Streams on which a client of 2026-07-28 hears of changes: `subscriptions/listen`.

Every process hears each commit of the home, and no commit says what it changed. So a stream looks after each ring at
what its client asked for, and tells what is no longer the same. Without streams nothing looks.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, Never, Protocol, TypeAlias, cast

import anyio
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    Notification,
    ServerNotification,
    SubscriptionFilter,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)

from queues.doorbell import Doorbell
from queues.errors import EngineError
from server.desk import Desk

log = logging.getLogger(__name__)

# A running session may report progress several times a second; nobody reads so fast.
LOOK_EVERY = timedelta(seconds=0.5)
# Each looks after each ring.
MOST_STREAMS = 100

Context: TypeAlias = ServerRequestContext[Any, Any]


class News(NamedTuple):
    """One notification, its `params` as they are written on the wire."""

    method: str
    params: dict[str, Any]


class Watch(Protocol):
    """What one client asked of one source."""

    @property
    def honoured(self) -> Mapping[str, Any]:
        """What of the filter it promises to tell, as it is written on the wire."""
        ...

    async def news(self) -> Sequence[News]:
        """What has changed since the call before; nothing at the first one."""
        ...


Source: TypeAlias = Callable[[Context, SubscriptionFilter], Awaitable[Watch | None]]
"""Gives the watch over what of a filter is its own; None where nothing is."""
Tell: TypeAlias = Callable[[News], Awaitable[None]]


def add_subscriptions(mcp: MCPServer, desk: Desk, sources: Sequence[Source]) -> None:
    server = mcp._lowlevel_server  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (the SDK's own knows no sources)
    server.add_request_handler(
        "subscriptions/listen", SubscriptionsListenRequestParams, ListenStreams(desk.manager.bell, sources)
    )


def end_streams(mcp: MCPServer) -> None:
    """Begin to end every stream of this server; each client hears that it was meant so."""
    server = mcp._lowlevel_server  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (no public way)
    entry = server.get_request_handler("subscriptions/listen")
    if entry is not None and isinstance(entry.handler, ListenStreams):
        entry.handler.close()


class ListenStreams:
    """Serves `subscriptions/listen`: a call lasts as long as its stream."""

    def __init__(self, bell: Doorbell, sources: Sequence[Source]) -> None:
        self._bell = bell
        self._sources = sources
        self._open: set[anyio.CancelScope] = set()

    async def __call__(
        self, ctx: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        if ctx.request_id is None:
            raise MCPError(INVALID_REQUEST, "subscriptions/listen is a request; send it with an id.")
        if len(self._open) >= MOST_STREAMS:
            raise MCPError(
                INTERNAL_ERROR, f"{MOST_STREAMS} streams are open, which is the most; end one first."
            )
        meta = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        with anyio.CancelScope() as scope:
            self._open.add(scope)
            try:
                await self._stream(ctx, params.notifications, meta)
            finally:
                self._open.remove(scope)
        return SubscriptionsListenResult(_meta=meta)

    def close(self) -> None:
        for scope in self._open:
            scope.cancel()

    async def _stream(self, ctx: Context, asked: SubscriptionFilter, meta: dict[str, Any]) -> Never:
        async def tell(news: News) -> None:
            stamped = Notification[dict[str, Any], str](
                method=news.method, params={**news.params, "_meta": meta}
            )
            # It names all that the core knows of; extensions have more.
            await ctx.session.send_notification(cast("ServerNotification", stamped), ctx.request_id)

        found = [await source(ctx, asked) for source in self._sources]
        watches = [watch for watch in found if watch is not None]
        heard = await begin(self._bell, watches)
        await tell(
            News("notifications/subscriptions/acknowledged", {"notifications": _honoured(asked, watches)})
        )
        await follow(self._bell, heard, watches, tell)


def _honoured(asked: SubscriptionFilter, watches: Sequence[Watch]) -> dict[str, Any]:
    # Tools and prompts stay the same while a server lives: to promise news of them costs nothing.
    honoured: dict[str, Any] = {}
    if asked.tools_list_changed:
        honoured["toolsListChanged"] = True
    if asked.prompts_list_changed:
        honoured["promptsListChanged"] = True
    for watch in watches:
        honoured |= watch.honoured
    return honoured


async def begin(bell: Doorbell, watches: Sequence[Watch]) -> anyio.Event:
    """Let the watches see what is there now; returns the event that tells of whatever changes from here on."""
    heard = bell.next_ring()
    await _look(watches)
    return heard


async def follow(bell: Doorbell, heard: anyio.Event, watches: Sequence[Watch], tell: Tell) -> Never:
    """Tell of changes until cancelled, at the latest after the bell's recheck where time alone brings them."""
    while True:
        await bell.wait(heard)
        heard = bell.next_ring()
        for news in await _look(watches):
            await tell(news)
        await anyio.sleep(LOOK_EVERY.total_seconds())


async def _look(watches: Sequence[Watch]) -> list[News]:
    found: list[News] = []
    for watch in watches:
        try:
            found += await watch.news()
        except (EngineError, ResourceError) as error:
            log.warning("Subscribers hear later of what has changed: %s", error)
    return found
