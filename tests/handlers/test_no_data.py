"""A batch that no source has: what its waiting analysis leaves, and what becomes of that once there is data."""

from collections.abc import Mapping

import pytest

from handlers.ai_analysis import AnalystSettings
from handlers.data_fetcher import data_fetcher
from handlers.no_data import judge_without_data
from handlers.planning import AnalysisOptions, plan_analysis
from handlers.sources.base import NotCoveredError, SourceBusyError, SourceError
from handlers.stocks import Stock
from handlers.verdict import Action, Analyst, Reason, Verdict
from handlers.verdicts import verdicts_of_task
from queues.context import TaskContext
from queues.control import retry_task
from queues.database import Database, Transaction
from queues.model import QueueName, Task, TaskState
from queues.outcome import Completed, Failed, Retry
from queues.store import claim_next, enqueue, find_task
from tests.handlers.claude import INFY, TCS, WIPRO, analyse
from tests.handlers.conftest import NOW, TaskRunner
from tests.handlers.fetching import Planned, desk_clock

FETCH, ANALYSIS = QueueName.DATA_FETCHER, QueueName.AI_ANALYSIS
UNKNOWN = {str(stock): NotCoveredError(f"Nobody has {stock}.") for stock in (INFY, TCS)}


@pytest.fixture
def tasks(database: Database) -> list[Task]:
    """The fetch and the analysis of two stocks."""
    return ask_for(database, INFY, TCS)


def ask_for(database: Database, *stocks: Stock) -> list[Task]:
    def work(tx: Transaction) -> list[Task]:
        plan = plan_analysis(tx, stocks, AnalysisOptions("baseline", 2), now=NOW)
        return [answer.task for answer in enqueue(tx, plan.tasks)]

    return database.write_now(work)


def claimed(running_task: TaskRunner, queue: QueueName) -> TaskContext:
    task = running_task.database.write_now(lambda tx: claim_next(tx, queue, running_task.epoch))
    assert task is not None
    return TaskContext(task, running_task.database)


async def fetch(running_task: TaskRunner, errors: Mapping[str, SourceError]) -> None:
    """Run the fetch to its end, over as many attempts as it takes."""
    handler = data_fetcher([Planned(errors=errors)], desk_clock, 4, judge_without_data(desk_clock))
    ctx = claimed(running_task, FETCH)
    while isinstance(outcome := await handler(ctx), Retry):
        ctx = running_task.again(ctx, outcome)
    assert isinstance(outcome, Completed | Failed)
    running_task.end(ctx, outcome)


def verdicts(database: Database, task: Task) -> list[Verdict]:
    return database.read_now(lambda tx: verdicts_of_task(tx, task))


def state(database: Database, task: Task) -> TaskState:
    return database.read_now(lambda tx: find_task(tx, task.id)).state


async def test_stocks_that_no_source_has_are_insufficient_data_with_the_sources_reason(
    database: Database, running_task: TaskRunner, tasks: list[Task]
) -> None:
    await fetch(running_task, UNKNOWN)

    assert [state(database, task) for task in tasks] == [TaskState.FAILED, TaskState.CANCELLED]
    stored = verdicts(database, tasks[1])
    assert [(each.stock, each.thesis) for each in stored] == [
        (INFY, "There is no data of NSE:INFY: Nobody has NSE:INFY."),
        (TCS, "There is no data of NSE:TCS: Nobody has NSE:TCS."),
    ]
    for each in stored:
        assert (each.action, each.analyst, each.task_id) == (
            Action.INSUFFICIENT_DATA,
            Analyst.NONE,
            tasks[1].id,
        )
        assert (each.reason, each.data_quality[0].state) == (Reason.MISSING_DATA, "missing")


@pytest.mark.parametrize("busy", [[INFY, TCS], [TCS]])
async def test_an_outage_says_nothing_of_any_stock(
    database: Database, running_task: TaskRunner, tasks: list[Task], busy: list[Stock]
) -> None:
    await fetch(running_task, {**UNKNOWN, **{str(stock): SourceBusyError("Try later.") for stock in busy}})

    assert [state(database, task) for task in tasks] == [TaskState.FAILED, TaskState.CANCELLED]
    assert verdicts(database, tasks[1]) == []


async def test_a_retried_fetch_that_finds_data_brings_back_an_analysis_that_judges_by_it(
    baseline: AnalystSettings, database: Database, running_task: TaskRunner, tasks: list[Task]
) -> None:
    await fetch(running_task, UNKNOWN)
    database.write_now(lambda tx: retry_task(tx, tasks[0].id))
    await fetch(running_task, {str(TCS): NotCoveredError("Nobody has it yet.")})

    ctx = claimed(running_task, ANALYSIS)
    outcome = await analyse(ctx, baseline)
    running_task.end(ctx, outcome)

    assert ctx.task.id == tasks[1].id
    by_stock = {each.stock: each for each in verdicts(database, tasks[1])}
    assert by_stock.keys() == {INFY, TCS}
    assert by_stock[INFY].analyst is Analyst.BASELINE
    assert by_stock[TCS].reason == Reason.MISSING_DATA
    assert len(verdicts(database, tasks[1])) == 2


async def test_a_fetch_that_finds_nothing_twice_leaves_the_newer_reason(
    database: Database, running_task: TaskRunner, tasks: list[Task]
) -> None:
    await fetch(running_task, UNKNOWN)
    database.write_now(lambda tx: retry_task(tx, tasks[0].id))
    await fetch(running_task, {str(stock): NotCoveredError("Still not.") for stock in (INFY, TCS)})

    assert [each.thesis.rpartition(": ")[2] for each in verdicts(database, tasks[1])] == ["Still not."] * 2


async def test_analyses_that_wait_for_another_fetch_are_left_alone(
    database: Database, running_task: TaskRunner, tasks: list[Task]
) -> None:
    _, other = ask_for(database, WIPRO)
    await fetch(running_task, UNKNOWN)

    assert state(database, other) is TaskState.QUEUED
    assert verdicts(database, other) == []
    assert len(verdicts(database, tasks[1])) == 2
