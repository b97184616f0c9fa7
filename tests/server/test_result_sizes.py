"""No answer may overflow the context of the model that reads it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from handlers.ai_analysis import analysis_task
from handlers.stocks import Stock
from queues.database import Transaction
from queues.holds import hold_queue
from queues.inspection import TaskFilter, list_tasks
from queues.model import QueueName
from queues.store import enqueue
from server.app import build_server
from server.desk import Desk, open_database
from server.settings import Settings
from tests.server.desks import Agent, csv_of, sample_settings
from tests.server.seeding import (
    LONG,
    fetches,
    hold_all,
    judge_all,
    know_all,
    many_stocks,
    run_tasks,
    syncs,
    wordy_task,
)
from tests.server.test_tools_described import TOOLS

LONGEST = 20_000
STOCKS = many_stocks(500)
OTHERS = [str(stock) for stock in many_stocks(1000)[500:]]
WORDY, ENDED_RUN, QUEUED_RUN = "sync-1", "sync-3", "sync-4003"
# Each tool with no more arguments than it needs, on the most that it can meet.
LEAST: dict[str, dict[str, Any]] = {
    "enqueue_portfolio_review": {},
    "enqueue_portfolio_sync": {"csv_text": csv_of(*STOCKS)},
    "enqueue_data_fetch": {},
    "enqueue_ai_analysis": {"symbols": OTHERS},
    "find_stocks": {"query": "bank"},
    "get_queue_status": {},
    "list_tasks": {},
    "get_task": {"task_id": WORDY},
    "show_dashboard": {},
    "cancel_tasks": {"run_id": QUEUED_RUN, "confirm": True},
    "retry_task": {"run_id": ENDED_RUN},
    "hold_queue": {"queue": "ai_analysis", "reason": "x"},
    "release_queue": {"queue": "ai_analysis"},
    "clear_queue": {"queue": "portfolio_sync", "confirm": True},
    "remove_account": {"account": "main", "confirm": True},
    "get_portfolio": {},
    "get_verdicts": {},
    "get_track_record": {},
    "get_spend": {},
    "list_schedules": {},
    "set_schedule": {
        "name": "x",
        "queue": "data_fetcher",
        "cron": "45 8 * * 1-5",
        "timezone": "Asia/Kolkata",
    },
    "delete_schedule": {"name": "x"},
}


@pytest.fixture(scope="module")
def full_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 holdings with prices and verdicts, and ten thousand tasks of every state."""

    def seed(tx: Transaction) -> None:
        assert wordy_task(tx) == WORDY
        hold_all(tx, STOCKS)
        know_all(tx, STOCKS)
        judge_all(tx, STOCKS)
        listed = [{"stock": str(stock), "quantity": 1, "before": 0} for stock in STOCKS]
        run_tasks(tx, QueueName.PORTFOLIO_SYNC, syncs(4000), [])
        enqueue(tx, syncs(5000))
        run_tasks(tx, QueueName.DATA_FETCHER, fetches(STOCKS), listed)
        enqueue(tx, fetches(STOCKS[::-1]))
        enqueue(tx, [analysis_task([stock]) for stock in [*STOCKS, *many_stocks(900)[500:]]])
        for queue in QueueName:
            for source in ("user", "usage_limit", "sign_in"):
                hold_queue(tx, queue, source, LONG * 3)

    home = tmp_path_factory.mktemp("full")
    database = open_database(sample_settings(home))
    database.write_now(seed)
    assert database.read_now(lambda tx: list_tasks(tx, TaskFilter(), limit=1)[1]) >= 10_000
    database.close()
    return home


@pytest.fixture
def settings(full_home: Path, tmp_path: Path) -> Settings:
    """A copy for each test."""
    shutil.copytree(full_home, tmp_path / "home")
    return sample_settings(tmp_path / "home")


@pytest.fixture
async def sized(desk: Desk) -> AsyncIterator["Sized"]:
    async with Client(build_server(desk)) as client:
        yield Sized(client)


class Sized:
    """Calls a tool and gives the length of the longer form in which the answer is sent."""

    def __init__(self, client: Client) -> None:
        self.agent = Agent(client)

    async def __call__(self, tool: str, **arguments: object) -> int:
        result = await self.agent.client.call_tool(tool, arguments)
        assert not result.is_error
        return max(len(str(result.structured_content)), len(result.model_dump_json(include={"content"})))


@pytest.mark.parametrize("tool", TOOLS)
async def test_the_answer_of_every_tool_is_short_at_its_default_arguments(sized: Sized, tool: str) -> None:
    if tool == "delete_schedule":
        await sized("set_schedule", **LEAST["set_schedule"])
    assert await sized(tool, **LEAST[tool]) <= LONGEST


async def test_a_page_is_short_however_much_is_asked_for(sized: Sized) -> None:
    for queue in QueueName:
        assert await sized("list_tasks", queue=queue, limit=50) <= LONGEST
    assert await sized("list_tasks", state=["completed", "failed"], limit=50) <= LONGEST
    assert await sized("get_portfolio", limit=50) <= LONGEST
    assert await sized("get_verdicts", limit=50) <= LONGEST
    assert await sized("get_verdicts", limit=50, full=True) <= LONGEST
    everything = [*OTHERS, *map(str, STOCKS)]
    assert await sized("get_verdicts", symbols=everything) <= LONGEST
    assert await sized("enqueue_data_fetch", symbols=everything) <= LONGEST


async def test_a_request_of_which_all_is_queued_already_is_answered_shortly(sized: Sized) -> None:
    assert await sized("enqueue_ai_analysis", symbols=[str(stock) for stock in STOCKS], force=True) <= LONGEST


async def test_pages_that_are_cut_short_show_everything_in_the_end(sized: Sized) -> None:
    seen: list[str] = []
    cursor = None
    while cursor is not None or not seen:
        page = await sized.agent.call("get_verdicts", limit=50, **({"cursor": cursor} if cursor else {}))
        seen += [verdict["stock"] for verdict in page["verdicts"]]
        cursor = page["next_cursor"]
    assert seen == [str(stock) for stock in STOCKS]


@pytest.mark.parametrize(
    ("tool", "arguments", "rows", "key"),
    [
        ("get_portfolio", {}, "holdings", "stock"),
        ("list_tasks", {"queue": "data_fetcher"}, "tasks", "id"),
    ],
)
async def test_every_row_is_on_exactly_one_page(
    sized: Sized, tool: str, arguments: dict[str, Any], rows: str, key: str
) -> None:
    seen: list[str] = []
    page = await sized.agent.call(tool, limit=50, **arguments)
    seen += [row[key] for row in page[rows]]
    while page["next_cursor"] is not None:
        page = await sized.agent.call(tool, limit=50, cursor=page["next_cursor"], **arguments)
        seen += [row[key] for row in page[rows]]
    assert len(seen) == len(set(seen)) == page["total"]


def test_the_seeded_stocks_are_valid() -> None:
    assert all(len(stock.symbol) == 20 for stock in STOCKS)
    assert isinstance(STOCKS[0], Stock)
