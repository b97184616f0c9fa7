"""No answer may overflow the context of the model that reads it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client

from handlers.ai_analysis import analysis_task
from handlers.stocks import Stock
from queues.database import Transaction
from queues.holds import hold_queue
from queues.model import QueueName
from queues.store import enqueue
from server.app import build_server
from server.desk import Desk, open_database
from server.settings import Settings
from tests.server.desks import Agent, sample_settings
from tests.server.seeding import LONG, fetches, hold_all, judge_all, know_all, many_stocks, run_tasks, syncs

LONGEST = 20_000
STOCKS = many_stocks(500)


@pytest.fixture(scope="module")
def full_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 holdings with prices and verdicts, and a thousand tasks of every state."""

    def seed(tx: Transaction) -> None:
        hold_all(tx, STOCKS)
        know_all(tx, STOCKS)
        judge_all(tx, STOCKS)
        listed = [{"stock": str(stock), "quantity": 1, "before": 0} for stock in STOCKS]
        run_tasks(tx, QueueName.PORTFOLIO_SYNC, syncs(20), listed)
        run_tasks(tx, QueueName.DATA_FETCHER, fetches(STOCKS), listed)
        enqueue(tx, fetches(STOCKS[::-1]))
        enqueue(tx, [analysis_task([stock]) for stock in STOCKS])
        for queue in QueueName:
            for source in ("user", "usage_limit", "sign_in"):
                hold_queue(tx, queue, source, LONG * 3)

    home = tmp_path_factory.mktemp("full")
    database = open_database(sample_settings(home))
    database.write_now(seed)
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


@pytest.mark.parametrize(
    "tool", ["get_queue_status", "list_tasks", "get_portfolio", "get_verdicts", "enqueue_data_fetch"]
)
async def test_an_answer_without_arguments_is_short(sized: Sized, tool: str) -> None:
    assert await sized(tool) <= LONGEST


@pytest.mark.parametrize("queue", list(QueueName))
async def test_tasks_of_every_queue_are_listed_in_short_pages(sized: Sized, queue: QueueName) -> None:
    assert await sized("list_tasks", queue=queue, limit=50) <= LONGEST


async def test_full_verdicts_come_in_short_pages(sized: Sized) -> None:
    assert await sized("get_verdicts", full=True) <= LONGEST


async def test_a_task_with_a_long_result_is_short(sized: Sized) -> None:
    page = await sized.agent.call("list_tasks", queue="portfolio_sync", state=["completed"], limit=1)
    assert await sized("get_task", task_id=page["tasks"][0]["id"]) <= LONGEST


async def test_an_analysis_of_500_stocks_is_answered_shortly_also_when_all_are_queued(sized: Sized) -> None:
    symbols = [str(stock) for stock in many_stocks(1000)[500:]]
    assert await sized("enqueue_ai_analysis", symbols=symbols) <= LONGEST
    assert await sized("enqueue_ai_analysis", symbols=symbols) <= LONGEST
    assert await sized("enqueue_portfolio_review") <= LONGEST


@pytest.mark.parametrize("tool", ["clear_queue", "release_queue", "hold_queue"])
async def test_what_touches_a_whole_queue_is_answered_shortly(sized: Sized, tool: str) -> None:
    arguments = {"reason": "x"} if tool == "hold_queue" else {}
    assert await sized(tool, queue="ai_analysis", **arguments) <= LONGEST


async def test_the_cancel_of_a_long_run_is_answered_shortly(sized: Sized) -> None:
    answer = await sized.agent.call(
        "enqueue_ai_analysis", symbols=[str(stock) for stock in many_stocks(1500)[500:]]
    )
    assert await sized("cancel_tasks", run_id=answer["run_id"]) <= LONGEST


async def test_pages_that_are_cut_short_show_everything_in_the_end(sized: Sized) -> None:
    seen: list[str] = []
    cursor = None
    while cursor is not None or not seen:
        page = await sized.agent.call("get_verdicts", limit=50, **({"cursor": cursor} if cursor else {}))
        seen += [verdict["stock"] for verdict in page["verdicts"]]
        cursor = page["next_cursor"]
    assert seen == [str(stock) for stock in STOCKS]


@pytest.mark.parametrize(
    ("tool", "rows", "key"), [("get_portfolio", "holdings", "stock"), ("list_tasks", "tasks", "id")]
)
async def test_every_row_is_on_exactly_one_page(sized: Sized, tool: str, rows: str, key: str) -> None:
    seen: list[str] = []
    page = await sized.agent.call(tool, limit=50)
    seen += [row[key] for row in page[rows]]
    while page["next_cursor"] is not None:
        page = await sized.agent.call(tool, limit=50, cursor=page["next_cursor"])
        seen += [row[key] for row in page[rows]]
    assert len(seen) == len(set(seen)) == page["total"]


def test_the_seeded_stocks_are_valid() -> None:
    assert all(len(stock.symbol) == 20 for stock in STOCKS)
    assert isinstance(STOCKS[0], Stock)
