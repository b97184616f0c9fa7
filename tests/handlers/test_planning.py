from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from handlers.ai_analysis import analysis_task
from handlers.freshness import expected_session
from handlers.planning import (
    STOCKS_PER_FETCH,
    AnalysisOptions,
    Plan,
    fetch_task,
    plan_analysis,
    plan_fetch,
    review_after_sync,
    sync_task,
)
from handlers.portfolio_sync import SyncPayload
from handlers.prices import log_fetched
from handlers.stocks import Exchange, Stock
from queues.control import cancel_task
from queues.database import Database
from queues.lifecycle import take_over
from queues.model import NewTask, QueueName, Sibling, Task
from queues.outcome import Completed, Failed
from queues.retry import exponential_backoff
from queues.store import claim_next, enqueue, find_task, record
from tests.handlers.conftest import NOW

ANALYSIS, FETCH = QueueName.AI_ANALYSIS, QueueName.DATA_FETCHER


def stocks(count: int) -> list[Stock]:
    return [Stock(f"S{number}", Exchange.NSE) for number in range(count)]


def names(task: NewTask) -> list[str]:
    listed = task.payload["stocks"]
    assert isinstance(listed, Sequence)
    return [str(stock) for stock in listed]


def of(queue: QueueName, tasks: Sequence[NewTask]) -> list[NewTask]:
    return [task for task in tasks if task.queue is queue]


Planner = Callable[..., Plan]


@pytest.fixture
def planner(database: Database) -> Planner:
    def plan(wanted: Sequence[Stock], *, size: int = 2, priority: int = 0) -> Plan:
        return database.read_now(
            lambda tx: plan_analysis(
                tx, wanted, AnalysisOptions("baseline", size, priority=priority), now=NOW
            )
        )

    return plan


def make_fresh(database: Database, *fresh: Stock) -> None:
    for stock in fresh:
        through = expected_session(NOW, stock.exchange)
        database.write_now(lambda tx, s=stock, day=through: log_fetched(tx, s, "sample", day, "fetch-0"))


def enqueue_all(database: Database, plan: Plan) -> list[Task]:
    return [answer.task for answer in database.write_now(lambda tx: enqueue(tx, plan.tasks))]


@pytest.mark.parametrize(("size", "sessions"), [(2, 40), (3, 27)])
def test_81_stocks_become_as_many_sessions_as_the_size_says(
    planner: Planner, size: int, sessions: int
) -> None:
    plan = planner(stocks(81), size=size)
    batches = [names(task) for task in of(ANALYSIS, plan.tasks)]
    assert len(batches) == sessions
    assert {len(batch) for batch in batches} <= {2, 3}
    assert [name for batch in batches for name in batch] == [str(stock) for stock in stocks(81)]


def test_each_session_waits_for_the_fetch_of_its_own_stocks_and_for_no_other(planner: Planner) -> None:
    plan = planner(stocks(7))
    sessions = of(ANALYSIS, plan.tasks)
    assert len(sessions) == 3
    for session in sessions:
        assert len(session.after) == 1
        (prerequisite,) = session.after
        assert isinstance(prerequisite, Sibling)
        fetch = plan.tasks[prerequisite.index]
        assert fetch.queue is FETCH
        assert names(fetch) == names(session)


def test_a_batch_whose_prices_are_fresh_needs_no_fetch(planner: Planner, database: Database) -> None:
    wanted = stocks(6)
    make_fresh(database, *wanted[:3])  # the second batch has one fresh stock and a stale one
    plan = planner(wanted)
    assert [names(task) for task in of(FETCH, plan.tasks)] == [["NSE:S2", "NSE:S3"], ["NSE:S4", "NSE:S5"]]
    assert [len(task.after) for task in of(ANALYSIS, plan.tasks)] == [0, 1, 1]


def test_prices_of_the_session_before_are_stale(planner: Planner, database: Database) -> None:
    (stock,) = stocks(1)
    old = expected_session(NOW - timedelta(days=1), stock.exchange)
    database.write_now(lambda tx: log_fetched(tx, stock, "sample", old, "fetch-0"))
    assert len(of(FETCH, planner([stock]).tasks)) == 1


def test_a_stock_that_an_unfinished_analysis_covers_is_not_analysed_twice(
    planner: Planner, database: Database
) -> None:
    first = enqueue_all(database, planner(stocks(4)))
    again = planner([*stocks(4), Stock("NEW", Exchange.NSE)])
    assert [names(task) for task in of(ANALYSIS, again.tasks)] == [["NSE:NEW"]]
    sessions = [task.id for task in first if task.queue is ANALYSIS]
    assert {str(stock): task.id for stock, task in again.covered.items()} == {
        "NSE:S0": sessions[0],
        "NSE:S1": sessions[0],
        "NSE:S2": sessions[1],
        "NSE:S3": sessions[1],
    }


def test_a_stock_whose_analysis_was_cancelled_is_analysed_anew(planner: Planner, database: Database) -> None:
    for task in enqueue_all(database, planner(stocks(2))):
        if task.queue is ANALYSIS:
            database.write_now(lambda tx, task_id=task.id: cancel_task(tx, task_id, "not wanted"))
    again = planner(stocks(2))
    assert len(of(ANALYSIS, again.tasks)) == 1
    assert not again.covered


def test_the_priority_of_a_request_reaches_its_fetches_too(planner: Planner) -> None:
    assert {task.priority for task in planner(stocks(5), priority=7).tasks} == {7}


def test_the_analyst_of_who_asks_is_written_into_every_session(planner: Planner) -> None:
    assert [task.payload["analyst"] for task in of(ANALYSIS, planner(stocks(5)).tasks)] == ["baseline"] * 2


def test_a_stock_that_is_named_twice_counts_once(planner: Planner) -> None:
    plan = planner([*stocks(2), *stocks(2)])
    assert len(plan.tasks) == 2


def test_nothing_wanted_is_nothing_planned(planner: Planner) -> None:
    assert list(planner([]).tasks) == []


def test_a_session_starts_while_the_fetches_of_others_still_wait(
    planner: Planner, database: Database
) -> None:
    epoch = database.write_now(lambda tx: take_over(tx, "test"))
    enqueue_all(database, planner(stocks(4)))
    assert database.write_now(lambda tx: claim_next(tx, ANALYSIS, epoch)) is None
    first = database.write_now(lambda tx: claim_next(tx, FETCH, epoch))
    assert first is not None
    database.write_now(lambda tx: record(tx, first, Completed({}), timedelta()))
    session = database.write_now(lambda tx: claim_next(tx, ANALYSIS, epoch))
    assert session is not None
    assert session.payload["stocks"] == first.payload["stocks"]


def test_a_session_whose_fetch_found_nothing_is_cancelled_and_its_neighbours_go_on(
    planner: Planner, database: Database
) -> None:
    epoch = database.write_now(lambda tx: take_over(tx, "test"))
    fetch, session, _, other = enqueue_all(database, planner(stocks(4)))
    running = database.write_now(lambda tx: claim_next(tx, FETCH, epoch))
    assert running is not None
    assert running.id == fetch.id
    database.write_now(lambda tx: record(tx, running, Failed("No prices."), timedelta()))
    assert database.read_now(lambda tx: find_task(tx, session.id)).state == "cancelled"
    assert database.read_now(lambda tx: find_task(tx, other.id)).state == "queued"


def test_many_stocks_are_fetched_in_several_tasks() -> None:
    plan = plan_fetch(stocks(STOCKS_PER_FETCH + 1), force=False)
    assert [len(names(task)) for task in plan.tasks] == [STOCKS_PER_FETCH, 1]


def test_the_same_fetch_in_another_order_has_the_same_key_and_a_forced_one_has_not() -> None:
    one, other = stocks(2)
    keys = [plan_fetch(pair, force=False).tasks[0].dedup_key for pair in ([one, other], [other, one])]
    assert keys[0] == keys[1]
    assert plan_fetch([one, other], force=True).tasks[0].dedup_key != keys[0]


def test_an_analysis_has_the_same_key_in_any_order_and_needs_approval_after_a_day() -> None:
    one, other = stocks(2)
    assert analysis_task([one, other]).dedup_key == analysis_task([other, one]).dedup_key
    assert analysis_task([one]).approval_window == timedelta(hours=24)


@pytest.mark.parametrize(("then_review", "tasks"), [(False, 0), (True, 4)])
def test_a_review_follows_a_sync_only_where_it_was_asked_for(
    database: Database, then_review: bool, tasks: int
) -> None:
    payload = SyncPayload(path="/holdings.csv", then_review=then_review)
    sync = database.write_now(lambda tx: enqueue(tx, [sync_task(payload, priority=3)]))[0].task
    follow_up = review_after_sync(lambda: NOW, 2)
    planned = database.write_now(lambda tx: follow_up(tx, sync, stocks(4)))
    assert len(planned) == tasks
    assert {task.priority for task in planned} <= {3}


def test_a_review_that_follows_a_sync_makes_what_covers_its_stocks_as_urgent(
    database: Database, planner: Planner
) -> None:
    held = enqueue_all(database, planner(stocks(2)))
    payload = SyncPayload(path="/holdings.csv", then_review=True)
    sync = database.write_now(lambda tx: enqueue(tx, [sync_task(payload, priority=3)]))[0].task
    assert not database.write_now(lambda tx: review_after_sync(lambda: NOW, 2)(tx, sync, stocks(2)))
    now = [database.read_now(lambda tx, each=task: find_task(tx, each.id)) for task in held]
    assert [task.priority for task in now] == [3, 3]


def test_a_fetch_outlasts_an_outage_of_a_minute() -> None:
    task = fetch_task(stocks(1))
    waits = [exponential_backoff(attempt) for attempt in range(1, task.max_attempts)]
    assert sum(waits, timedelta()) > timedelta(minutes=1)


def test_a_review_that_follows_a_sync_keeps_the_analyst_of_who_asked_for_it(database: Database) -> None:
    payload = SyncPayload(path="/holdings.csv", then_review=True, analyst="baseline")
    sync = database.write_now(lambda tx: enqueue(tx, [sync_task(payload)]))[0].task
    planned = database.write_now(lambda tx: review_after_sync(lambda: NOW, 2)(tx, sync, stocks(2)))
    assert [task.payload["analyst"] for task in of(ANALYSIS, planned)] == ["baseline"]
