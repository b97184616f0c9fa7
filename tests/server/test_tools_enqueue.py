from pathlib import Path

import pytest

from handlers.freshness import expected_session
from handlers.prices import log_fetched
from handlers.stocks import Exchange, Stock
from queues.inspection import TaskFilter, intervals, overlaps
from queues.inspection import list_tasks as all_tasks
from queues.model import QueueName, Task
from server.desk import Desk
from server.settings import Settings
from tests.server.desks import Agent, counts, csv_of, kite_csv, sample_settings

AAPL, MSFT, JPM, KO, XOM = (
    Stock("AAPL", Exchange.NASDAQ),
    Stock("MSFT", Exchange.NASDAQ),
    Stock("JPM", Exchange.NYSE),
    Stock("KO", Exchange.NYSE),
    Stock("XOM", Exchange.NYSE),
)


def tasks(desk: Desk, queue: QueueName) -> list[Task]:
    found, _ = desk.database.read_now(lambda tx: all_tasks(tx, TaskFilter(queue=queue), limit=500))
    return found[::-1]


async def sync(desk: Desk, agent: Agent, *stocks: Stock, account: str = "main", quantity: int = 10) -> None:
    await agent.call("enqueue_portfolio_sync", csv_text=csv_of(*stocks, quantity=quantity), account=account)
    await desk.manager.execute_queues()


async def test_an_analysis_answers_at_once_with_its_sessions_and_their_fetches(
    desk: Desk, agent: Agent
) -> None:
    symbols = [str(stock) for stock in (AAPL, MSFT, JPM, KO, XOM)]
    answer = await agent.call("enqueue_ai_analysis", symbols=symbols)
    assert (answer["tasks"], answer["sessions"]) == (4, 2)
    assert answer["message"].startswith("4 tasks enqueued, 2 of them analysis sessions.")
    assert "while this client or `stockdesk worker` is open" in answer["message"]
    assert answer["task_ids"] == ["fetch-1", "analysis-2", "fetch-3", "analysis-4"]
    assert answer["run_id"] == "fetch-1"
    assert [task.payload["stocks"] for task in tasks(desk, QueueName.AI_ANALYSIS)] == [
        symbols[:2],
        symbols[2:],
    ]


async def test_an_analysis_on_an_empty_desk_ends_with_a_verdict_of_each_stock(
    desk: Desk, agent: Agent
) -> None:
    await agent.call("enqueue_ai_analysis", symbols=["AAPL", "MSFT"], exchange="nasdaq")
    await desk.manager.execute_queues()
    page = await agent.call("get_verdicts")
    assert [verdict["stock"] for verdict in page["verdicts"]] == ["NASDAQ:AAPL", "NASDAQ:MSFT"]


async def test_asking_for_the_same_analysis_twice_makes_one(desk: Desk, agent: Agent) -> None:
    first = await agent.call("enqueue_ai_analysis", symbols=["NASDAQ:AAPL", "NASDAQ:MSFT"])
    again = await agent.call("enqueue_ai_analysis", symbols=["NASDAQ:MSFT", "NASDAQ:AAPL"])
    assert (again["tasks"], again["run_id"]) == (0, first["run_id"])
    assert again["already_queued"] == dict.fromkeys(["NASDAQ:MSFT", "NASDAQ:AAPL"], first["task_ids"][1])
    assert again["message"].startswith("Nothing new was enqueued.")
    assert len(tasks(desk, QueueName.AI_ANALYSIS)) == 1


async def test_stocks_with_fresh_prices_are_analysed_without_a_fetch(desk: Desk, agent: Agent) -> None:
    for stock in (AAPL, MSFT):
        through = expected_session(desk.clock(), stock.exchange)
        desk.database.write_now(lambda tx, s=stock, day=through: log_fetched(tx, s, "sample", day, "fetch-0"))
    answer = await agent.call("enqueue_ai_analysis", symbols=[str(AAPL), str(MSFT)])
    assert answer["task_ids"] == ["analysis-1"]


async def test_the_priority_of_an_analysis_is_stored_with_all_its_tasks(desk: Desk, agent: Agent) -> None:
    answer = await agent.call("enqueue_ai_analysis", symbols=[str(AAPL)], priority=9)
    for task_id in answer["task_ids"]:
        assert (await agent.call("get_task", task_id=task_id))["task"]["priority"] == 9
    assert len(tasks(desk, QueueName.DATA_FETCHER)) == 1


async def test_a_more_urgent_request_makes_what_covers_it_as_urgent(desk: Desk, agent: Agent) -> None:
    await agent.call("enqueue_ai_analysis", symbols=[str(JPM), str(KO)])
    first = await agent.call("enqueue_ai_analysis", symbols=[str(AAPL)])
    again = await agent.call("enqueue_ai_analysis", symbols=[str(AAPL)], priority=50)
    assert again["message"].startswith(
        "Nothing new was enqueued. Raised to priority 50: fetch-3, analysis-4."
    )
    assert (again["run_id"], again["already_queued"]) == (first["run_id"], {str(AAPL): "analysis-4"})
    later = await agent.call("enqueue_ai_analysis", symbols=[str(AAPL)], priority=-5)
    assert "Raised" not in later["message"]
    await desk.manager.execute_queues()
    started = [each.task_id for each in desk.database.read_now(intervals)]
    assert started.index("fetch-3") < started.index("fetch-1")


async def test_a_fetch_of_symbols_brings_their_prices(desk: Desk, agent: Agent) -> None:
    answer = await agent.call("enqueue_data_fetch", symbols=["NYSE:KO", "NYSE:NOSUCH"])
    await desk.manager.execute_queues()
    result = (await agent.call("get_task", task_id=answer["run_id"]))["task"]["result"]
    assert [(line["stock"], line["status"]) for line in result["stocks"]] == [
        ("NYSE:KO", "fetched"),
        ("NYSE:NOSUCH", "missing"),
    ]
    assert "does not hold NYSE:NOSUCH" in result["stocks"][1]["reason"]


async def test_fresh_prices_are_fetched_again_only_by_force(desk: Desk, agent: Agent) -> None:
    statuses: list[str] = []
    for force in (False, False, True):
        answer = await agent.call("enqueue_data_fetch", symbols=[str(KO)], force=force)
        await desk.manager.execute_queues()
        detail = await agent.call("get_task", task_id=answer["run_id"])
        statuses.append(detail["task"]["result"]["stocks"][0]["status"])
    assert statuses == ["fetched", "fresh", "fetched"]


async def test_a_fetch_without_symbols_is_of_everything_held(desk: Desk, agent: Agent) -> None:
    await sync(desk, agent, AAPL, KO)
    answer = await agent.call("enqueue_data_fetch")
    detail = await agent.call("get_task", task_id=answer["run_id"])
    assert detail["task"]["payload"]["stocks"] == [str(AAPL), str(KO)]


async def test_a_fetch_of_nothing_says_what_to_do_first(desk: Desk, agent: Agent) -> None:
    assert "sync a broker's export first" in await agent.refused("enqueue_data_fetch")
    assert counts(desk)["tasks"] == 0


async def test_a_sync_by_path_stores_the_holdings(desk: Desk, agent: Agent, tmp_path: Path) -> None:
    file = tmp_path / "kite holdings.csv"
    file.write_text(kite_csv("M&M", "BAJAJ-AUTO"), "utf-8")
    answer = await agent.call("enqueue_portfolio_sync", path=str(file))
    assert answer["task_ids"] == ["sync-1"]
    await desk.manager.execute_queues()
    portfolio = await agent.call("get_portfolio")
    assert [each["stock"] for each in portfolio["holdings"]] == ["NSE:BAJAJ-AUTO", "NSE:M&M"]
    assert portfolio["accounts"][0]["source"] == "kite export kite holdings.csv"


async def test_a_sync_of_text_keeps_the_text_in_the_home_under_a_name_of_its_content(
    desk: Desk, agent: Agent
) -> None:
    await agent.call("enqueue_portfolio_sync", csv_text=csv_of(AAPL))
    await agent.call("enqueue_portfolio_sync", csv_text=csv_of(AAPL), account="other")
    (kept,) = desk.uploads.iterdir()
    assert kept.read_text("utf-8") == csv_of(AAPL)
    assert kept.suffix == ".csv"


async def test_a_second_sync_says_what_changed(desk: Desk, agent: Agent) -> None:
    await sync(desk, agent, AAPL, KO)
    answer = await agent.call("enqueue_portfolio_sync", csv_text=csv_of(AAPL, XOM, quantity=12))
    await desk.manager.execute_queues()
    result = (await agent.call("get_task", task_id=answer["run_id"]))["task"]["result"]
    assert result["added"] == [{"stock": str(XOM), "quantity": 12, "before": 0}]
    assert result["removed"] == [{"stock": str(KO), "quantity": 0, "before": 10}]
    assert result["changed"] == [{"stock": str(AAPL), "quantity": 12, "before": 10}]


async def test_a_sync_of_a_bad_file_fails_with_its_row_and_the_old_holdings_stay(
    desk: Desk, agent: Agent
) -> None:
    await sync(desk, agent, AAPL)
    bad = csv_of(AAPL, KO).replace("10,100.5", "ten,100.5", 1)
    answer = await agent.call("enqueue_portfolio_sync", csv_text=bad)
    await desk.manager.execute_queues()
    task = (await agent.call("get_task", task_id=answer["run_id"]))["task"]
    assert task["state"] == "failed"
    assert "Row 2" in task["error"]
    assert [each["stock"] for each in (await agent.call("get_portfolio"))["holdings"]] == [str(AAPL)]


async def test_a_sync_does_not_analyse_and_a_review_does(desk: Desk, agent: Agent) -> None:
    await sync(desk, agent, AAPL, KO)
    assert counts(desk)["tasks"] == 1
    answer = await agent.call("enqueue_portfolio_review", csv_text=csv_of(AAPL, KO, XOM), account="second")
    await desk.manager.execute_queues()
    run = (await agent.call("get_task", task_id=answer["run_id"]))["run"]
    assert (run["stocks"], run["stocks_done"], run["finished"]) == (3, 3, True)
    assert run["tasks"]["completed"] == 3  # the sync, a fetch, and a session of all three


async def test_a_review_takes_a_file_whose_columns_are_named_and_refuses_names_without_a_file(
    desk: Desk, agent: Agent
) -> None:
    columns = {"symbol": "Code", "quantity": "Held", "average price": "Paid"}
    await agent.call(
        "enqueue_portfolio_review", csv_text="Code,Held,Paid\nKO,1,2\n", exchange="NYSE", columns=columns
    )
    await desk.manager.execute_queues()
    assert [each["stock"] for each in (await agent.call("get_portfolio"))["holdings"]] == [str(KO)]
    assert "columns are of a file" in await agent.refused("enqueue_portfolio_review", columns=columns)


async def test_a_review_without_a_file_is_of_what_is_held_in_the_account(desk: Desk, agent: Agent) -> None:
    await sync(desk, agent, AAPL, KO)
    await sync(desk, agent, XOM, account="second")
    one = await agent.call("enqueue_portfolio_review", account="Second")
    assert one["sessions"] == 1
    every = await agent.call("enqueue_portfolio_review")
    assert every["already_queued"] == {str(XOM): one["task_ids"][1]}
    assert tasks(desk, QueueName.AI_ANALYSIS)[1].payload["stocks"] == [str(AAPL), str(KO)]


async def test_a_review_runs_its_queues_at_the_same_time_and_none_of_them_twice(
    desk: Desk, agent: Agent
) -> None:
    stocks = (AAPL, MSFT, JPM, KO, XOM, Stock("PFE", Exchange.NYSE), Stock("WMT", Exchange.NYSE))
    await agent.call("enqueue_portfolio_review", csv_text=csv_of(*stocks))
    await desk.manager.execute_queues()
    attempts = desk.database.read_now(intervals)
    assert overlaps(attempts) == []
    fetches = [each for each in attempts if each.queue is QueueName.DATA_FETCHER]
    first_session = next(each for each in attempts if each.queue is QueueName.AI_ANALYSIS)
    last_fetch_end = max(each.ended_at for each in fetches if each.ended_at is not None)
    assert first_session.started_at < last_fetch_end


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    return sample_settings(tmp_path / "home", **getattr(request, "param", {}))


@pytest.mark.parametrize("settings", [{"default_exchange": "NSE"}], indirect=True)
async def test_the_default_exchange_is_for_symbols_that_nothing_else_places(desk: Desk, agent: Agent) -> None:
    await sync(desk, agent, AAPL)
    await agent.call("enqueue_ai_analysis", symbols=["INFY", "AAPL", "NYSE:KO"])
    session = tasks(desk, QueueName.AI_ANALYSIS)[0]
    assert session.payload["stocks"] == ["NSE:INFY", "NASDAQ:AAPL", "NYSE:KO"]


@pytest.mark.parametrize("settings", [{"stocks_per_session": 3}], indirect=True)
async def test_sessions_of_three_by_setting(desk: Desk, agent: Agent) -> None:
    answer = await agent.call("enqueue_ai_analysis", symbols=[f"NSE:S{n}" for n in range(81)])
    assert answer["sessions"] == 27
    assert len(tasks(desk, QueueName.AI_ANALYSIS)) == 27
