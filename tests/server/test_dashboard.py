"""What `show_dashboard` answers: for the page numbers, for everybody else words."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp import Client
from mcp.types import TextContent, TextResourceContents

from handlers.stocks import Exchange, Stock
from queues.holds import hold_queue
from queues.inspection import intervals
from queues.lifecycle import take_over
from queues.model import NewTask, QueueName
from queues.store import claim_next, enqueue
from server.app import build_server
from server.dashboard.assembling import dashboard_html
from server.dashboard.view import ATTEMPTS, DashboardView
from server.desk import Desk
from tests.server.desks import SAMPLE_DAY, Agent, csv_of
from tests.server.seeding import LONG, run_tasks, syncs, wordy_task

KO, JNJ = Stock("KO", Exchange.NYSE), Stock("JNJ", Exchange.NYSE)
PAGE = "ui://stockdesk/dashboard"
BAIT = "<img src=x onerror=alert(1)>"


@pytest.fixture(params=["auto", "legacy"])
async def client(desk: Desk, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    async with Client(build_server(desk), mode=request.param) as opened:
        yield opened


async def shown(client: Client) -> tuple[DashboardView, str]:
    result = await client.call_tool("show_dashboard", {})
    (text,) = result.content
    assert isinstance(text, TextContent)
    return DashboardView.model_validate(result.structured_content), text.text


async def test_a_host_of_2026_is_told_of_the_extension(agent: Agent) -> None:
    assert "io.modelcontextprotocol/ui" in (agent.client.server_capabilities.extensions or {})


async def test_a_host_finds_the_page_by_the_tool_and_reads_it(client: Client) -> None:
    [meta] = [tool.meta for tool in (await client.list_tools()).tools if tool.meta]
    assert meta["ui"] == {"resourceUri": PAGE}
    (page,) = (await client.read_resource(PAGE)).contents
    assert isinstance(page, TextResourceContents)
    assert (page.mime_type, page.text) == ("text/html;profile=mcp-app", dashboard_html())


async def test_a_desk_without_work_says_so(client: Client) -> None:
    view, text = await shown(client)
    assert (view.upcoming, view.recent, view.troubles, view.board.newest_at) == ([], [], [], None)
    assert view.day == SAMPLE_DAY
    assert "ai_analysis: idle; no tasks" in text
    assert "No stock has a verdict yet." in text


async def test_the_whole_desk_is_seen_as_the_other_tools_show_it(desk: Desk, client: Client) -> None:
    agent = Agent(client)
    await agent.call("enqueue_portfolio_review", csv_text=csv_of(KO, JNJ))
    await desk.manager.execute_queues()
    desk.database.write_now(lambda tx: hold_queue(tx, QueueName.AI_ANALYSIS, "user", "lunch"))
    await agent.call("enqueue_ai_analysis", symbols=["NYSE:KO", "NYSE:WMT"], force=True)
    view, text = await shown(client)
    status: dict[str, Any] = await agent.call("get_queue_status")
    verdicts = (await agent.call("get_verdicts"))["verdicts"]
    ran = desk.database.read_now(intervals)
    shown_status = view.status.model_dump(mode="json")
    for queue in (*status["queues"], *shown_status["queues"]):
        del queue["oldest_wait_seconds"]  # moves on between two calls
    assert shown_status == status
    assert [(bar.task_id, bar.started_at, bar.ended_at) for bar in view.recent] == [
        (each.task_id, each.started_at, each.ended_at) for each in ran
    ]
    assert [bar.title for bar in view.recent] == ["account main", *["NYSE:KO, NYSE:JNJ"] * 2]
    assert view.board.stocks == len(verdicts) == sum(view.board.actions.values())
    assert str(view.board.oldest_as_of) == min(verdict["as_of"] for verdict in verdicts)
    assert max(verdict["created_at"] for verdict in verdicts) in view.board.model_dump_json()
    waits = [(each.task_id, each.waiting_for and each.waiting_for.on) for each in view.upcoming]
    assert waits == [("fetch-4", "turn"), ("analysis-5", "tasks")]
    assert f"Next in ai_analysis: analysis-5 ({view.upcoming[1].title}), waits: the end of fetch-4" in text
    assert "ai_analysis: held; 1 queued, 1 completed" in text


async def test_a_failed_task_is_shown_with_the_beginning_of_its_error_as_it_is_stored(
    desk: Desk, client: Client
) -> None:
    await Agent(client).call("enqueue_data_fetch", symbols=["NSE:INFY"])
    await desk.manager.execute_queues()
    desk.database.write_now(lambda tx: tx.run("UPDATE tasks SET error = :bait", bait=BAIT + LONG * 9))
    view, text = await shown(client)
    (trouble,) = view.troubles
    assert (trouble.task_id, trouble.title, len(trouble.error)) == ("fetch-1", "NSE:INFY", 160)
    assert trouble.error.startswith(BAIT)
    assert f"Failed: fetch-1 (NSE:INFY): {BAIT}" in text


async def test_where_the_status_alone_is_long_the_oldest_attempts_are_left_out(
    desk: Desk, client: Client
) -> None:
    def seed(queues: list[QueueName]) -> None:
        words = [LONG[:70]] * 30
        epoch = desk.database.write_now(lambda tx: take_over(tx, "seed"))
        for queue in queues:
            new = NewTask(queue=queue, kind="work", payload={"words": words}, priority=9)
            desk.database.write_now(lambda tx, new=new: enqueue(tx, [new]))
            desk.database.write_now(lambda tx, queue=queue: claim_next(tx, queue, epoch))
            desk.database.write_now(lambda tx, queue=queue: hold_queue(tx, queue, "user", LONG * 3))

    desk.database.write_now(lambda tx: (wordy_task(tx), run_tasks(tx, *_many_syncs())))
    before, _ = await shown(client)
    assert len(before.recent) == ATTEMPTS
    seed(list(QueueName))
    view, text = await shown(client)
    assert 15_000 < len(view.model_dump_json()) < 20_000
    assert len(text) < 10_000
    assert 3 <= len(view.recent) < ATTEMPTS
    assert {bar.queue for bar in view.recent if bar.ended_at is None} == set(QueueName)


def _many_syncs() -> tuple[QueueName, list[NewTask], list[str]]:
    return QueueName.PORTFOLIO_SYNC, syncs(100), []
