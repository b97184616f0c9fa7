"""Clients hear of what they subscribed to, and of nothing else."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client.subscriptions import ResourcesListChanged
from mcp.server.mcpserver import MCPServer

from queues import doorbell
from queues.clock import system_clock
from queues.errors import StorageError
from queues.holds import hold_queue
from queues.model import QueueName
from server import resource_updates, subscriptions
from server.app import build_server
from server.desk import Desk, open_desk
from server.resource_updates import ResourceWatch
from server.settings import Settings
from server.subscriptions import News, begin, end_streams, follow
from tests.handlers.claude import until
from tests.hosts.serve import PATIENCE_SECONDS, Serve, desk_environment
from tests.server.desks import Agent
from tests.server.subscribers import connected, subscribe, told_of, unsubscribe

MODES = ["auto", "legacy"]
STATUS = "stockdesk://status"
ANALYSES = "stockdesk://queues/ai_analysis"
UPDATED = "notifications/resources/updated"
LISTEN_TO_ANALYSES = {"notifications": {"resourceSubscriptions": [ANALYSES]}}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture
async def mcp(desk: Desk) -> AsyncIterator[MCPServer]:
    """A server in a process that hears what is committed."""
    async with anyio.create_task_group() as listening:
        await listening.start(desk.manager.bell.run)
        yield build_server(desk)
        listening.cancel_scope.cancel()


def hold(desk: Desk, queue: QueueName, until: datetime | None = None) -> None:
    desk.database.write_now(lambda tx: hold_queue(tx, queue, "user", "a test", until))


@pytest.mark.parametrize("mode", MODES)
async def test_a_subscriber_is_told_of_what_changed_and_of_nothing_else(
    desk: Desk, mcp: MCPServer, mode: str
) -> None:
    async with told_of(mcp, mode, ANALYSES, "stockdesk://queues/data_fetcher") as next_uri:
        hold(desk, QueueName.PORTFOLIO_SYNC)
        hold(desk, QueueName.AI_ANALYSIS)
        assert await next_uri() == ANALYSES
        hold(desk, QueueName.DATA_FETCHER)
        assert await next_uri() == "stockdesk://queues/data_fetcher"


@pytest.mark.parametrize("mode", MODES)
async def test_a_verdict_that_another_process_makes_is_told_to_who_waits_for_it(
    mcp: MCPServer, settings: Settings, mode: str
) -> None:
    async with (
        told_of(mcp, mode, "stockdesk://verdicts/KO", "stockdesk://tasks/analysis-2") as next_uri,
        open_desk(settings, "another") as other,
        Client(build_server(other)) as client,
    ):
        await Agent(client).call("enqueue_ai_analysis", symbols=["NYSE:KO"])
        assert await next_uri() == "stockdesk://tasks/analysis-2"
        await other.manager.execute_queues()
        while await next_uri() != "stockdesk://verdicts/KO":
            pass  # the analysis, on its way


@pytest.mark.parametrize("mode", MODES)
async def test_the_end_of_a_hold_is_told_though_nothing_is_committed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(doorbell, "IDLE_RECHECK", timedelta(milliseconds=10))
    monkeypatch.setattr(subscriptions, "LOOK_EVERY", timedelta())
    hold(desk, QueueName.AI_ANALYSIS, system_clock() + timedelta(hours=1))
    async with told_of(build_server(desk), mode, ANALYSES) as next_uri:
        monkeypatch.setattr(desk.database, "clock", lambda: system_clock() + timedelta(hours=2))
        assert await next_uri() == ANALYSES


async def test_time_that_passes_is_no_news(desk: Desk) -> None:
    mcp = build_server(desk)
    watch = ResourceWatch(mcp, [STATUS])
    async with Client(mcp) as client:
        await Agent(client).call("enqueue_data_fetch", symbols=["NYSE:KO"])
        await watch.news()
        shown = await client.read_resource(STATUS)
        while await client.read_resource(STATUS) == shown:
            pass  # until the oldest task has waited for longer
        assert await watch.news() == []


def test_a_process_tells_its_client_of_what_another_process_does(tmp_path: Path) -> None:
    environment = desk_environment(tmp_path)
    with Serve(environment) as other, Serve(environment) as older, Serve(environment) as newer:
        older.initialize().request("resources/subscribe", {"uri": ANALYSES})
        newer.send("subscriptions/listen", {**LISTEN_TO_ANALYSES, "_meta": ENVELOPE})
        until(lambda: "notifications/subscriptions/acknowledged" in methods(newer), PATIENCE_SECONDS)
        other.initialize().call("hold_queue", queue="ai_analysis", reason="a test")
        for told in (older, newer):
            until(lambda told=told: UPDATED in methods(told), PATIENCE_SECONDS)
            assert told.messages()[-1]["params"]["uri"] == ANALYSES


def methods(serve: Serve) -> list[str]:
    return [message["method"] for message in serve.messages() if "method" in message]


async def test_the_list_is_told_of_when_something_comes_into_it(desk: Desk, mcp: MCPServer) -> None:
    async with Client(mcp) as client, client.listen(resources_list_changed=True) as events:
        hold(desk, QueueName.AI_ANALYSIS)
        await Agent(client).call("enqueue_data_fetch", symbols=["NYSE:KO"])
        with anyio.fail_after(PATIENCE_SECONDS):
            assert await anext(events) == ResourcesListChanged()
        uris = [resource.uri for resource in (await client.list_resources()).resources]
        assert uris[-1] == "stockdesk://tasks/fetch-1"


async def test_only_what_can_come_to_be_is_promised(mcp: MCPServer) -> None:
    asked = [STATUS, STATUS, "stockdesk://tasks/sync-9", "stockdesk://verdicts/KO", "stockdesk://nope", "x:y"]
    async with (
        Client(mcp) as client,
        client.listen(tools_list_changed=True, resource_subscriptions=[*asked, "x" * 100_000]) as events,
    ):
        assert events.honored.resource_subscriptions == [STATUS, *asked[2:4]]
        assert events.honored.tools_list_changed
        assert events.honored.prompts_list_changed is None
        assert events.honored.resources_list_changed is None


@pytest.mark.parametrize(("mode", "lists"), [("auto", True), ("legacy", False)])
async def test_a_server_advertises_what_it_tells(mcp: MCPServer, mode: Any, *, lists: bool) -> None:
    async with Client(mcp, mode=mode) as client:
        resources = client.server_capabilities.resources
        assert resources is not None
        assert (resources.subscribe, resources.list_changed) == (True, lists)


async def test_more_than_can_be_watched_is_refused(mcp: MCPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_updates, "MOST_URIS", 1)
    refusal = "2 resources are more than the 1 that can be watched; stockdesk://status changes with them."
    async with Client(mcp, mode="legacy") as client:
        await subscribe(client.session, STATUS)
        await subscribe(client.session, STATUS)  # it has it already
        with pytest.raises(MCPError, match=refusal):
            await subscribe(client.session, ANALYSES)
        await unsubscribe(client.session, STATUS)
        await subscribe(client.session, ANALYSES)
    async with Client(mcp) as client:
        with pytest.raises(MCPError, match=refusal):
            async with client.listen(resource_subscriptions=[STATUS, ANALYSES]):
                pass


async def test_what_does_not_exist_cannot_be_subscribed_to(mcp: MCPServer) -> None:
    async with Client(mcp, mode="legacy") as client:
        with pytest.raises(MCPError, match="There is no resource 'stockdesk://nope'") as caught:
            await subscribe(client.session, "stockdesk://nope")
        assert caught.value.code == -32002


async def test_a_stream_that_its_client_left_makes_room_for_another(
    mcp: MCPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_STREAMS", 1)
    async with Client(mcp) as client:
        async with client.listen(resource_subscriptions=[STATUS]):
            with pytest.raises(MCPError, match="1 streams are open, which is the most"):
                async with client.listen(resource_subscriptions=[STATUS]):
                    pass
        async with client.listen(resource_subscriptions=[STATUS]):
            pass


async def test_when_the_server_ends_its_streams_clients_hear_that_it_was_meant(mcp: MCPServer) -> None:
    async with Client(mcp) as client, client.listen(resource_subscriptions=[STATUS]) as events:
        end_streams(mcp)
        with anyio.fail_after(PATIENCE_SECONDS):
            assert [event async for event in events] == []


async def test_who_unsubscribed_or_left_is_no_longer_watched_for(desk: Desk, mcp: MCPServer) -> None:
    """Over HTTP one server has many clients of 2025-11-25, one after the other."""
    server = mcp._lowlevel_server  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (as its transports do)
    async with server.lifespan(server) as tasks:
        async with connected(server, tasks) as session:
            await subscribe(session, STATUS)
            await subscribe(session, ANALYSES)
            assert watching() == 2
            await unsubscribe(session, STATUS)
            await unsubscribe(session, STATUS)  # it is none any more
            await anyio.wait_all_tasks_blocked()
            assert watching() == 1
        await anyio.wait_all_tasks_blocked()
        assert watching() == 0
    hold(desk, QueueName.AI_ANALYSIS)


class Looks:
    """Counts how often it is asked; at the second time the disk fails, later there is news."""

    honoured: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self.count = 0

    async def news(self) -> list[News]:
        self.count += 1
        if self.count == 2:
            raise StorageError("the disk is full")
        return [News("news", {})] if self.count > 2 else []


@pytest.mark.parametrize(("look_every", "looks"), [(timedelta(days=1), 2), (timedelta(), 6)])
async def test_changes_in_a_row_are_looked_at_together_and_a_failing_disk_ends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, look_every: timedelta, looks: int
) -> None:
    monkeypatch.setattr(subscriptions, "LOOK_EVERY", look_every)
    bell, watch, told = desk.manager.bell, Looks(), list[News]()

    async def tell(news: News) -> None:
        told.append(news)

    heard = await begin(bell, [watch])
    async with anyio.create_task_group() as following:
        following.start_soon(follow, bell, heard, [watch], tell)
        for _ in range(5):
            await anyio.wait_all_tasks_blocked()
            bell.ring_here()
        await anyio.wait_all_tasks_blocked()
        following.cancel_scope.cancel()
    assert (watch.count, len(told)) == (looks, looks - 2)


def watching() -> int:
    return sum("keep_watching" in str(task.name) for task in anyio.get_running_tasks())
