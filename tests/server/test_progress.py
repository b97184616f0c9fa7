"""While get_task waits, its client hears how far the work is, and may stop waiting."""

from datetime import timedelta
from typing import Any

import anyio
import pytest
from mcp import Client

from queues.context import store_progress
from queues.lifecycle import take_over
from queues.model import Progress, QueueName, Task
from queues.outcome import Completed
from queues.store import claim_next, find_task, record
from server import inspection
from server.app import build_server
from server.desk import Desk
from tests.server.desks import Agent
from tests.server.test_tools_control import start, two_sessions

ERAS = pytest.mark.parametrize("era", ["auto", "legacy"])
Report = tuple[float, float | None, str | None]


class Listener:
    """A client's ear for progress; `reports` is all that it heard."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self._heard = anyio.Event()

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.reports.append((progress, total, message))
        self._heard.set()
        self._heard = anyio.Event()

    async def hear(self, count: int) -> None:
        """Return once so many reports have come."""
        with anyio.fail_after(30):
            while len(self.reports) < count:
                await self._heard.wait()


async def wait_for_task(client: Client, listener: Listener, **arguments: Any) -> dict[str, Any] | None:
    result = await client.call_tool("get_task", {"wait_seconds": 50, **arguments}, progress_callback=listener)
    assert not result.is_error
    return result.structured_content


@ERAS
async def test_each_change_of_the_task_is_reported_until_it_ends_and_nothing_after(
    desk: Desk, era: Any
) -> None:
    listener = Listener()
    async with Client(build_server(desk), mode=era) as client, anyio.create_task_group() as tasks:
        await two_sessions(Agent(client))
        await tasks.start(desk.manager.bell.run)
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(lambda: wait_for_task(client, listener, task_id="fetch-1"))
            await listener.hear(1)
            claimed = claim(desk)
            await listener.hear(2)
            desk.database.write_now(lambda tx: store_progress(tx, claimed, Progress(1, 2, "NYSE:KO is in")))
            await listener.hear(3)
            desk.database.write_now(lambda tx: record(tx, claimed, Completed({}), timedelta()))
        await Agent(client).call("hold_queue", queue="data_fetcher", reason="a change after the answer")
        tasks.cancel_scope.cancel()
    assert listener.reports == [
        (0, None, "fetch-1 is queued, waits for its turn in data_fetcher"),
        (0.001, None, "fetch-1 is running"),
        (1, 2, "fetch-1: NYSE:KO is in"),
    ]


@ERAS
async def test_a_run_is_reported_by_its_tasks_and_stocks(desk: Desk, era: Any) -> None:
    listener = Listener()
    async with Client(build_server(desk), mode=era) as client, anyio.create_task_group() as tasks:
        await two_sessions(Agent(client))
        await tasks.start(desk.manager.run)
        await wait_for_task(client, listener, task_id="fetch-1", wait_for="run")
        tasks.cancel_scope.cancel()
    assert listener.reports[0] == (0, 4, "0 of 4 stocks done, 0 of 4 tasks ended")
    heard = [progress for progress, _, _ in listener.reports]
    assert heard == sorted(set(heard))
    assert {total for _, total, _ in listener.reports} == {4}


async def test_where_nothing_changes_signs_of_life_come_and_exceed_each_other(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "REPORT_EVERY", timedelta(milliseconds=1))
    await two_sessions(agent)
    listener = Listener()
    async with anyio.create_task_group() as waiting:
        waiting.start_soon(lambda: wait_for_task(agent.client, listener, task_id="fetch-1"))
        await listener.hear(5)
        waiting.cancel_scope.cancel()
    assert [round(progress, 3) for progress, _, _ in listener.reports[:5]] == [0, 0.001, 0.002, 0.003, 0.004]


@ERAS
async def test_a_client_that_stops_waiting_ends_the_wait_at_once_and_not_the_task(
    desk: Desk, era: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, ended = anyio.Event(), anyio.Event()
    wait = desk.manager.bell.wait

    async def watched(heard: anyio.Event, at_most: timedelta | None = None) -> None:
        began.set()
        try:
            await wait(heard, at_most)
        finally:
            ended.set()

    monkeypatch.setattr(desk.manager.bell, "wait", watched)
    listener = Listener()
    async with Client(build_server(desk), mode=era) as client:
        await two_sessions(Agent(client))
        start(desk, QueueName.DATA_FETCHER)
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(lambda: wait_for_task(client, listener, task_id="fetch-1"))
            with anyio.fail_after(30):
                await began.wait()
            waiting.cancel_scope.cancel()
        with anyio.fail_after(30):
            await ended.wait()
        task = (await Agent(client).call("get_task", task_id="fetch-1"))["task"]
    assert task["state"] == "running"
    assert desk.database.read_now(lambda tx: find_task(tx, "fetch-1")).cancel_requested is None


def claim(desk: Desk) -> Task:
    claimed = desk.database.write_now(
        lambda tx: claim_next(tx, QueueName.DATA_FETCHER, take_over(tx, "test"))
    )
    assert claimed is not None
    return claimed
