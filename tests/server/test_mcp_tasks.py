"""The Tasks extension: handles of work that outlive the request, the client and the server."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import apsw
import pytest
from mcp import Client
from mcp.client.extension import advertise
from mcp.types import INTERNAL_ERROR, METHOD_NOT_FOUND, MISSING_REQUIRED_CLIENT_CAPABILITY, CallToolResult

from handlers.stocks import Exchange, Stock
from queues.clock import system_clock
from queues.context import store_progress
from queues.database import Database
from queues.errors import StorageError
from queues.lifecycle import take_over
from queues.model import Progress, QueueName, TaskState
from queues.store import claim_next, find_task
from server.app import build_server
from server.change_views import EnqueueView
from server.desk import Desk, migrations, open_desk
from server.mcp_tasks import LONGEST_TTL, TASKS, TOOLS
from server.settings import Settings
from tests.server.desks import Agent, sample_settings
from tests.server.mcp_tasks import AAPL, JPM, KO, MSFT, TaskAgent, analyse, task_client

UNKNOWN = "There is no MCP task of this id, or its time is over; list_tasks shows what was enqueued."


@pytest.fixture
async def host(desk: Desk) -> AsyncIterator[TaskAgent]:
    async with task_client(desk) as client:
        yield TaskAgent(client)


def stored(desk: Desk) -> int:
    return desk.database.read_now(lambda tx: tx.rows("SELECT count(*) FROM mcp_tasks"))[0][0]


def at(desk: Desk, span: timedelta) -> Desk:
    """The desk, as a process sees it whose clock is ahead by `span`."""
    ahead = Database(desk.database.path, migrations(), clock=lambda: system_clock() + span)
    return replace(desk, database=ahead)


async def test_a_client_that_declares_the_extension_gets_a_handle_that_says_how_far_the_work_is(
    desk: Desk, host: TaskAgent
) -> None:
    handle = await host.handle("enqueue_ai_analysis", symbols=["NASDAQ:AAPL", "NASDAQ:MSFT"])
    assert handle.pop("statusMessage").startswith("2 tasks enqueued, 1 of them an analysis session.")
    assert handle["status"] == "working"
    assert len(handle["taskId"]) == 32  # 192 bits
    assert timedelta(milliseconds=handle["ttlMs"]) == LONGEST_TTL

    told = await host.get(handle["taskId"])
    assert told.pop("statusMessage") == (
        "0 of 2 tasks ended, 0 of 2 stocks done. fetch-1 waits for its turn in data_fetcher."
    )
    assert told == handle

    epoch = desk.database.write_now(lambda tx: take_over(tx, "test"))
    fetch = desk.database.write_now(lambda tx: claim_next(tx, QueueName.DATA_FETCHER, epoch))
    assert fetch is not None
    desk.database.write_now(lambda tx: store_progress(tx, fetch, Progress(1, 2, "NASDAQ:AAPL")))
    told = await host.get(handle["taskId"])
    assert told["statusMessage"] == "0 of 2 tasks ended, 0 of 2 stocks done. fetch-1 runs: NASDAQ:AAPL."
    assert told["lastUpdatedAt"] > handle["lastUpdatedAt"]


async def test_a_handle_says_what_keeps_its_work_from_starting(host: TaskAgent, agent: Agent) -> None:
    await agent.call("hold_queue", queue="data_fetcher", reason="the network is metered")
    told = await host.get(await analyse(host, AAPL))
    waits = "fetch-1 waits for the hold of data_fetcher (user): the network is metered."
    assert told["statusMessage"].endswith(waits)


async def test_at_the_end_of_the_work_the_handle_holds_the_result_that_the_tool_promises(
    desk: Desk, host: TaskAgent
) -> None:
    task_id = await analyse(host, AAPL, MSFT)
    await desk.manager.execute_queues()
    told = await host.get(task_id)
    result = told["result"]
    answer = EnqueueView.model_validate(result["structuredContent"])
    assert EnqueueView.model_validate_json(result["content"][0]["text"]) == answer
    assert (told["status"], result["isError"], answer.run_id) == ("completed", False, "fetch-1")
    assert answer.message == "2 of 2 tasks completed, 2 of 2 stocks done. get_verdicts shows the verdicts."


@pytest.mark.parametrize(
    ("client", "code"),
    [
        ({}, MISSING_REQUIRED_CLIENT_CAPABILITY),
        ({"mode": "legacy"}, METHOD_NOT_FOUND),
        ({"mode": "legacy", "extensions": [advertise(TASKS)]}, METHOD_NOT_FOUND),
    ],
    ids=["does not declare it", "of 2025", "of 2025 that declares it"],
)
async def test_any_other_client_gets_the_plain_answer_and_no_look_at_a_handle(
    desk: Desk, host: TaskAgent, client: dict[str, Any], code: int
) -> None:
    task_id = await analyse(host, AAPL)
    async with Client(build_server(desk), **client) as other:
        answer = await Agent(other).call("enqueue_data_fetch", symbols=["NYSE:KO"])
        assert answer["run_id"] == "fetch-3"
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            assert (await TaskAgent(other).refused(method, task_id)).code == code
    assert stored(desk) == 1


async def test_every_tool_that_enqueues_can_be_answered_with_a_handle(agent: Agent) -> None:
    tools = (await agent.client.list_tools()).tools
    assert {tool.name for tool in tools if tool.name.startswith("enqueue_")} == TOOLS


async def test_what_is_refused_or_enqueues_nothing_is_answered_without_a_handle(
    desk: Desk, host: TaskAgent
) -> None:
    call = host.client.session.call_tool
    refused = await call("enqueue_portfolio_review", {}, allow_claimed=True)
    assert isinstance(refused, CallToolResult)
    assert refused.is_error
    assert isinstance(await call("get_queue_status", {}, allow_claimed=True), CallToolResult)
    assert stored(desk) == 0


async def test_where_no_handle_can_be_stored_the_answer_is_the_plain_one_and_where_none_can_be_read_an_error(
    desk: Desk, host: TaskAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("The disk is full.")

    task_id = await analyse(host, AAPL)
    monkeypatch.setattr("server.mcp_tasks.create_mcp_task", full)
    answer = await Agent(host.client).call("enqueue_data_fetch", symbols=["NYSE:KO"])
    assert desk.database.read_now(lambda tx: find_task(tx, answer["run_id"])).state is TaskState.QUEUED

    monkeypatch.setattr("server.mcp_tasks.find_mcp_task", full)
    error = await host.refused("tasks/update", task_id)
    assert (error.code, error.message) == (INTERNAL_ERROR, "The disk is full.")


async def test_a_handle_survives_its_server_and_is_good_in_every_other_one(settings: Settings) -> None:
    async with open_desk(settings, "one") as desk, task_client(desk) as client:
        task_id = await analyse(TaskAgent(client), AAPL)
    async with (
        open_desk(settings, "two") as desk,
        open_desk(settings, "three") as other,
        task_client(desk) as client,
        task_client(other) as later,
    ):
        assert (await TaskAgent(client).get(task_id))["status"] == "working"
        await desk.manager.execute_queues()
        assert (await TaskAgent(later).get(task_id))["status"] == "completed"


async def test_a_run_with_a_failed_task_ends_as_an_error_that_names_the_next_step_and_stays_one(
    desk: Desk, host: TaskAgent, agent: Agent
) -> None:
    task_id = await analyse(host, Stock("NOPE", Exchange.NYSE))
    await desk.manager.execute_queues()
    told = await host.get(task_id)
    assert (told["status"], told["result"]["isError"]) == ("completed", True)
    assert told["result"]["content"] == [{"type": "text", "text": told["statusMessage"]}]
    assert "1 failed, first fetch-1: No prices for NYSE:NOPE:" in told["statusMessage"]
    assert 'retry_task(run_id="fetch-1") tries again. 1 cancelled.' in told["statusMessage"]

    await agent.call("retry_task", run_id="fetch-1")
    assert await host.get(task_id) == told


async def test_cancelling_a_handle_cancels_the_run_that_it_began_and_no_other(
    desk: Desk, host: TaskAgent, agent: Agent
) -> None:
    task_id, other_id = await analyse(host, AAPL, MSFT), await analyse(host, JPM, KO)
    for _ in range(2):
        assert await host.ask("tasks/cancel", task_id) == {}
    told = await host.get(task_id)
    assert (told["status"], "result" in told) == ("cancelled", False)
    assert told["statusMessage"] == "Cancelled on request; what others asked for goes on."
    assert (await host.get(other_id))["status"] == "working"
    error = (await agent.call("get_task", task_id="analysis-2"))["task"]["error"]
    assert error == "Cancelled on request: its MCP task was cancelled"

    await desk.manager.execute_queues()
    ended = await host.get(other_id)
    assert await host.ask("tasks/cancel", other_id) == {}
    assert await host.get(other_id) == ended


async def test_work_that_is_cancelled_by_other_means_ends_its_handle_as_cancelled(
    host: TaskAgent, agent: Agent
) -> None:
    task_id = await analyse(host, AAPL)
    await agent.call("cancel_tasks", task_ids=["analysis-2", "fetch-1"], reason="too dear")
    told = await host.get(task_id)
    assert told["status"] == "cancelled"
    assert told["statusMessage"].endswith("first fetch-1: Cancelled on request: too dear")


async def test_input_that_nobody_asked_for_is_acknowledged_and_ignored(host: TaskAgent) -> None:
    task_id = await analyse(host, AAPL)
    before = await host.get(task_id)
    assert await host.ask("tasks/update", task_id, inputResponses={"name": {"action": "accept"}}) == {}
    assert await host.get(task_id) == before


async def test_an_id_that_stands_for_nothing_is_refused_with_a_next_step(host: TaskAgent) -> None:
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        error = await host.refused(method, "fetch-1")
        assert (error.code, error.message) == (-32602, UNKNOWN)


async def test_a_handle_lives_as_long_as_it_said_and_its_work_longer(desk: Desk, host: TaskAgent) -> None:
    task_id = await analyse(host, AAPL)
    nearly, over = (at(desk, LONGEST_TTL + span) for span in (-timedelta(minutes=1), timedelta(0)))
    async with task_client(nearly) as client:
        assert (await TaskAgent(client).get(task_id))["status"] == "working"
    async with task_client(over) as client:
        late = TaskAgent(client)
        assert (await late.refused("tasks/get", task_id)).message == UNKNOWN
        assert stored(desk) == 1
        await analyse(late, KO)  # forgets the other
    assert stored(desk) == 1
    assert desk.database.read_now(lambda tx: find_task(tx, "fetch-1")).state is TaskState.QUEUED
    nearly.database.close()
    over.database.close()


async def test_no_handle_outlives_the_work_that_the_desk_keeps(settings: Settings) -> None:
    short = sample_settings(settings.home, retention_days=1)
    async with open_desk(short, "test") as desk, task_client(desk) as client:
        handle = await TaskAgent(client).handle("enqueue_data_fetch", symbols=["NYSE:KO"])
    assert timedelta(milliseconds=handle["ttlMs"]) == timedelta(days=1)


async def test_an_ending_that_was_told_cannot_be_changed(desk: Desk, host: TaskAgent) -> None:
    await host.ask("tasks/cancel", await analyse(host, AAPL))
    with pytest.raises(apsw.ConstraintError, match="the MCP task has ended"):
        desk.database.write_now(lambda tx: tx.run("UPDATE mcp_tasks SET expires_at = expires_at + 1"))
