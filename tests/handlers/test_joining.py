"""Stocks that are asked for alone share a session while they wait; one can leave again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.analysis_task import AnalysisPayload
from handlers.joining import withdraw
from handlers.planning import AnalysisOptions, enqueue_plan, plan_analysis, plan_single_analysis
from handlers.run_report import run_stocks
from handlers.stocks import Exchange, Stock
from queues.database import Database
from queues.errors import TaskStateError
from queues.inspection import prerequisites_of, unfinished_tasks
from queues.lifecycle import take_over
from queues.model import QueueName, Task, TaskState
from queues.store import claim_next, find_task
from tests.handlers.claude import INFY, TCS, WIPRO, know
from tests.handlers.conftest import NOW, MovableClock

ITC = Stock("ITC", Exchange.NSE)
BY_CLAUDE = AnalysisOptions("claude", stocks_per_session=2)


def ask_for(database: Database, stock: Stock, options: AnalysisOptions = BY_CLAUDE) -> None:
    database.write_now(
        lambda tx: enqueue_plan(tx, plan_single_analysis(tx, stock, options, now=NOW), force=options.force)
    )


def review(database: Database, *stocks: Stock) -> None:
    database.write_now(lambda tx: enqueue_plan(tx, plan_analysis(tx, stocks, BY_CLAUDE, now=NOW)))


def analyses(database: Database) -> list[Task]:
    return database.read_now(lambda tx: unfinished_tasks(tx, QueueName.AI_ANALYSIS))


def batches(database: Database) -> list[Sequence[str]]:
    return [AnalysisPayload.model_validate(task.payload).stocks for task in analyses(database)]


def start(database: Database) -> Task:
    epoch = database.write_now(lambda tx: take_over(tx, "test"))
    task = database.write_now(lambda tx: claim_next(tx, QueueName.AI_ANALYSIS, epoch))
    assert task is not None
    return task


def test_two_stocks_that_are_asked_for_alone_share_a_session(database: Database) -> None:
    know(database, INFY, TCS)
    ask_for(database, INFY)
    [first] = analyses(database)
    ask_for(database, TCS)
    [task] = analyses(database)
    assert (task.id, task.run_id, batches(database)) == (first.id, first.run_id, [["NSE:INFY", "NSE:TCS"]])


def test_a_session_takes_no_more_than_its_size(database: Database) -> None:
    know(database, INFY, TCS, WIPRO, ITC)
    for stock in (INFY, TCS, WIPRO, ITC):
        ask_for(database, stock)
    assert batches(database) == [["NSE:INFY", "NSE:TCS"], ["NSE:WIPRO", "NSE:ITC"]]


def test_a_session_of_three_takes_two_in(database: Database) -> None:
    know(database, INFY, TCS, WIPRO)
    for stock in (INFY, TCS, WIPRO):
        ask_for(database, stock, replace(BY_CLAUDE, stocks_per_session=3))
    assert batches(database) == [["NSE:INFY", "NSE:TCS", "NSE:WIPRO"]]


def test_a_joined_task_waits_for_the_data_of_both(database: Database) -> None:
    ask_for(database, INFY)
    ask_for(database, TCS)
    [task] = analyses(database)
    waits = database.read_now(lambda tx: prerequisites_of(tx, task))
    fetches = [database.read_now(lambda tx, key=task_id: find_task(tx, key)) for task_id, _ in waits]
    assert [fetch.payload["stocks"] for fetch in fetches] == [["NSE:INFY"], ["NSE:TCS"]]
    assert {fetch.run_id for fetch in fetches} == {task.run_id}


def test_batches_of_a_review_are_not_touched(database: Database) -> None:
    know(database, INFY, TCS)
    review(database, INFY)
    ask_for(database, TCS)
    assert batches(database) == [["NSE:INFY"], ["NSE:TCS"]]


@pytest.mark.parametrize(
    "other", [AnalysisOptions("baseline", 2), replace(BY_CLAUDE, force=True)], ids=["analyst", "force"]
)
def test_other_options_want_another_session(database: Database, other: AnalysisOptions) -> None:
    know(database, INFY, TCS)
    ask_for(database, INFY)
    ask_for(database, TCS, other)
    assert batches(database) == [["NSE:INFY"], ["NSE:TCS"]]


def test_nothing_joins_a_task_that_runs(database: Database) -> None:
    know(database, INFY, TCS)
    ask_for(database, INFY)
    start(database)
    ask_for(database, TCS)
    assert batches(database) == [["NSE:INFY"], ["NSE:TCS"]]


def test_nothing_joins_a_task_that_needs_a_persons_word(database: Database, clock: MovableClock) -> None:
    know(database, INFY, TCS)
    ask_for(database, INFY)
    clock.now += timedelta(hours=24)
    ask_for(database, TCS)
    assert batches(database) == [["NSE:INFY"], ["NSE:TCS"]]


def test_to_join_does_not_make_the_first_request_younger(database: Database, clock: MovableClock) -> None:
    know(database, INFY, TCS)
    ask_for(database, INFY)
    clock.now += timedelta(hours=1)
    ask_for(database, TCS)
    assert analyses(database)[0].asked_at == NOW


def test_a_stock_that_is_queued_already_is_not_asked_for_twice(database: Database) -> None:
    know(database, INFY)
    ask_for(database, INFY)
    ask_for(database, INFY)
    assert batches(database) == [["NSE:INFY"]]


def test_force_reaches_the_task_that_covers_the_stock(database: Database) -> None:
    know(database, INFY, TCS)
    review(database, INFY, TCS)
    ask_for(database, TCS, replace(BY_CLAUDE, force=True))
    [task] = analyses(database)
    assert AnalysisPayload.model_validate(task.payload).forced == ["NSE:TCS"]


def test_a_stock_leaves_its_batch_and_the_others_stay(database: Database) -> None:
    know(database, INFY, TCS)
    review(database, INFY, TCS)
    [task] = analyses(database)
    database.write_now(lambda tx: withdraw(tx, task, INFY, "not now"))
    assert batches(database) == [["NSE:TCS"]]
    report = database.read_now(lambda tx: run_stocks(tx, task.run_id))
    assert (report.total, report.failed) == (2, 1)


def test_a_task_without_stocks_is_cancelled(database: Database) -> None:
    know(database, INFY)
    ask_for(database, INFY)
    [task] = analyses(database)
    database.write_now(lambda tx: withdraw(tx, task, INFY, "not now"))
    ended = database.read_now(lambda tx: find_task(tx, task.id))
    assert (ended.state, ended.error) == (TaskState.CANCELLED, "not now")


def test_a_stock_that_has_left_can_be_asked_for_again(database: Database) -> None:
    know(database, INFY, TCS)
    review(database, INFY, TCS)
    [task] = analyses(database)
    database.write_now(lambda tx: withdraw(tx, task, INFY, "not now"))
    ask_for(database, INFY)
    assert batches(database) == [["NSE:TCS"], ["NSE:INFY"]]


def test_no_stock_leaves_a_task_that_runs(database: Database) -> None:
    know(database, INFY, TCS)
    review(database, INFY, TCS)
    task = start(database)
    with pytest.raises(TaskStateError):
        database.write_now(lambda tx: withdraw(tx, task, INFY, "not now"))
    assert batches(database) == [["NSE:INFY", "NSE:TCS"]]
