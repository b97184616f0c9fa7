"""`notifications/tasks`: whoever has the id of an MCP task can listen to it."""

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, MISSING_REQUIRED_CLIENT_CAPABILITY

from server.app import build_server
from server.desk import Desk, open_desk
from server.mcp_tasks.listening import MOST_WATCHED, TaskWatch
from server.settings import Settings
from tests.server.mcp_tasks import Raw, TaskAgent, listen_request, listening, task_client


async def fetch(host: TaskAgent, symbol: str) -> str:
    return (await host.handle("enqueue_data_fetch", symbols=[symbol]))["taskId"]


async def test_a_listener_hears_what_tasks_get_would_tell_when_another_process_has_changed_it(
    desk: Desk, settings: Settings
) -> None:
    async with open_desk(settings, "other") as other, task_client(other) as client:
        host = TaskAgent(client)
        await fetch(host, "NYSE:KO")
        task_id = await fetch(host, "NYSE:KO")  # meets that work, so its end changes no task
        async with listening(desk, task_id, "nobody's") as heard:
            assert await heard.receive() == {"taskIds": [task_id]}
            await host.ask("tasks/cancel", task_id)
            told = await heard.receive()
            assert told["status"] == "cancelled"
            assert told == await host.get(task_id)


async def test_only_changes_are_told_and_an_ending_once(desk: Desk) -> None:
    async with task_client(desk) as client:
        host = TaskAgent(client)
        task_id = await fetch(host, "NYSE:KO")
        watch = TaskWatch(desk, [task_id])
        await watch.news()
        await fetch(host, "NYSE:JPM")
        assert await watch.news() == []
        await host.ask("tasks/cancel", task_id)
        [news] = await watch.news()
        assert (news.method, news.params) == ("notifications/tasks", await host.get(task_id))
        assert await watch.news() == []


async def test_one_stream_watches_no_more_than_a_hundred(desk: Desk) -> None:
    watch = TaskWatch(desk, [f"{number}" for number in range(MOST_WATCHED + 1)])
    assert len(watch.honoured["taskIds"]) == MOST_WATCHED


async def test_a_client_that_does_not_declare_the_extension_cannot_listen(desk: Desk) -> None:
    async with Client(build_server(desk)) as client:
        with pytest.raises(MCPError) as refusal:
            await client.session.send_request(listen_request(["x"]), Raw)
    assert refusal.value.code == MISSING_REQUIRED_CLIENT_CAPABILITY


@pytest.mark.parametrize("nonsense", ["x", [1]])
async def test_ids_that_are_none_are_refused(desk: Desk, nonsense: object) -> None:
    async with task_client(desk) as client:
        with pytest.raises(MCPError, match="taskIds must be a list of the ids") as refusal:
            await client.session.send_request(listen_request(nonsense), Raw)
    assert refusal.value.code == INVALID_PARAMS
