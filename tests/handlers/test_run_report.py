from collections.abc import Sequence
from datetime import timedelta

import pytest

from handlers.ai_analysis import analysis_task
from handlers.analyst.baseline import baseline_verdict
from handlers.data_fetcher import data_fetcher
from handlers.facts import current_facts
from handlers.run_report import RunStocks, run_stocks
from handlers.sources.base import PriceSource, SourceBusyError
from handlers.sources.sample import SampleSource
from handlers.stocks import Exchange, Stock
from handlers.verdict import Analyst, Reason
from handlers.verdicts import store_no_verdict, store_verdict
from queues.control import cancel_task, retry_task
from queues.database import Database, Transaction
from queues.lifecycle import take_over
from queues.model import NewTask, QueueName, Task
from queues.outcome import Completed, Failed, Outcome, Retry
from queues.store import claim_next, enqueue, record
from tests.handlers.claude import INFY, TCS, WIPRO, know
from tests.handlers.conftest import TaskRunner
from tests.handlers.fetching import Planned, desk_clock, running_fetch

HDFC = Stock("HDFC", Exchange.NSE)


class Run:
    """One run over the given batches, whose tasks are ended by hand."""

    def __init__(self, database: Database, batches: Sequence[Sequence[Stock]]) -> None:
        self.database = database
        self.epoch = database.write_now(lambda tx: take_over(tx, "test"))
        tasks = [analysis_task(batch) for batch in batches]
        self.id = database.write_now(lambda tx: enqueue(tx, tasks))[0].task.id

    def start(self) -> Task:
        task = self.database.write_now(lambda tx: claim_next(tx, QueueName.AI_ANALYSIS, self.epoch))
        assert task is not None
        return task

    def end(self, task: Task, outcome: Outcome) -> None:
        self.database.write_now(lambda tx: record(tx, task, outcome, timedelta()))

    def judge(self, task: Task, stock: Stock) -> None:
        def work(tx: Transaction) -> None:
            facts = current_facts(tx, stock)
            verdict = baseline_verdict(stock, facts)
            store_verdict(tx, task, stock, verdict, facts, analyst=Analyst.BASELINE)

        know(self.database, stock)
        self.database.write_now(work)

    def abstain(self, task: Task, stock: Stock) -> None:
        self.database.write_now(
            lambda tx: store_no_verdict(tx, task, stock, thesis="No data.", reason=Reason.MISSING_DATA)
        )

    @property
    def counts(self) -> tuple[int, int, int, int]:
        report: RunStocks = self.database.read_now(lambda tx: run_stocks(tx, self.id))
        return report.total, report.done, report.without_data, report.failed


@pytest.fixture
def run(database: Database) -> Run:
    return Run(database, [[INFY, TCS], [WIPRO, HDFC]])


def test_a_new_run_has_stocks_and_nothing_else(run: Run) -> None:
    assert run.counts == (4, 0, 0, 0)


def test_verdicts_count_while_their_task_still_runs(run: Run) -> None:
    run.judge(run.start(), INFY)
    assert run.counts == (4, 1, 0, 0)


def test_a_stock_without_data_is_counted_apart(run: Run) -> None:
    task = run.start()
    run.judge(task, INFY)
    run.abstain(task, TCS)
    run.end(task, Completed({}))
    assert run.counts == (4, 1, 1, 0)


def test_a_stock_of_a_failed_task_has_failed_unless_it_was_judged_before(run: Run) -> None:
    task = run.start()
    run.judge(task, INFY)
    run.end(task, Failed("The session ended."))
    assert run.counts == (4, 1, 0, 1)


def test_the_stocks_of_a_cancelled_task_have_failed(run: Run) -> None:
    run.database.write_now(lambda tx: cancel_task(tx, run.id, "not wanted"))
    assert run.counts == (4, 0, 0, 2)


def test_a_stock_that_moved_to_a_remainder_is_neither_done_nor_failed_until_that_ends(run: Run) -> None:
    task = run.start()
    run.judge(task, INFY)

    def follow(tx: Transaction) -> Sequence[NewTask]:
        assert tx.now
        return [analysis_task([TCS], carried=True)]

    run.end(task, Completed({}, on_record=follow))
    assert run.counts == (4, 1, 0, 0)
    rest = run.start()
    assert rest.payload["stocks"] == ["NSE:TCS"]
    run.end(rest, Failed("It used up its turns."))
    assert run.counts == (4, 1, 0, 1)


def test_a_verdict_from_before_a_retry_counts_no_more(run: Run) -> None:
    task = run.start()
    run.judge(task, INFY)
    run.abstain(task, TCS)
    run.end(task, Completed({}))
    run.database.write_now(lambda tx: retry_task(tx, task.id))
    assert run.counts == (4, 0, 0, 0)
    again = run.start()
    run.judge(again, TCS)
    run.end(again, Failed("The session ended."))
    assert run.counts == (4, 1, 0, 1)


def test_a_run_that_neither_analyses_nor_fetches_has_no_stocks(database: Database) -> None:
    sync = NewTask(queue=QueueName.PORTFOLIO_SYNC, kind="sync", payload={})
    task = database.write_now(lambda tx: enqueue(tx, [sync]))[0].task
    report = database.read_now(lambda tx: run_stocks(tx, task.id))
    assert (report.total, report.done, report.without_data, report.failed) == (0, 0, 0, 0)


async def test_a_run_that_only_fetches_counts_the_stocks_that_it_fetches(
    running_task: TaskRunner, database: Database
) -> None:
    ctx = running_fetch(running_task, "NASDAQ:AAPL", "NYSE:KO", "NSE:INFY")

    def counts() -> tuple[int, int, int, int]:
        report = database.read_now(lambda tx: run_stocks(tx, ctx.task.run_id))
        return report.total, report.done, report.without_data, report.failed

    assert counts() == (3, 0, 0, 0)
    running_task.end(ctx, await data_fetcher([SampleSource()], desk_clock, 4)(ctx))
    assert counts() == (3, 2, 1, 0)


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        (SampleSource(), (2, 0, 2, 0)),  # it knows neither
        (Planned(errors={"NSE:INFY": SourceBusyError("Not now.")}), (2, 0, 0, 2)),
    ],
)
async def test_the_stocks_of_a_failed_fetch_are_without_data_only_if_no_source_has_any(
    running_task: TaskRunner, database: Database, source: PriceSource, counts: tuple[int, int, int, int]
) -> None:
    ctx = running_fetch(running_task, "NSE:INFY", "NSE:TCS")
    outcome = await data_fetcher([source], desk_clock, 4)(ctx)
    if isinstance(outcome, Retry):
        running_task.end(ctx, Failed(outcome.error))
    else:
        running_task.end(ctx, outcome)
    report = database.read_now(lambda tx: run_stocks(tx, ctx.task.run_id))
    assert (report.total, report.done, report.without_data, report.failed) == counts
