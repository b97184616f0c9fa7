"""A batch of three whose session runs out after no, one or two verdicts, through the engine and the real CLI."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from handlers.ai_analysis import AnalystSettings, ai_analysis
from handlers.analysis_task import KIND, AnalysisPayload, analysis_task
from handlers.analyst.costs import sessions_of_task
from handlers.analyst.options import max_turns
from handlers.analyst.submissions import MAX_REFUSALS
from handlers.planning import fetch_then_analyse
from handlers.stocks import Stock
from handlers.verdict import Action
from handlers.verdicts import verdicts_of_task
from queues.context import TaskContext
from queues.database import Database
from queues.inspection import tasks_of_run
from queues.model import NewTask, QueueName, Sibling, Task, TaskState
from queues.outcome import Completed, Outcome
from queues.scheduler import SequentialQueueManager
from queues.store import enqueue
from tests.handlers.claude import INFY, TCS, WIPRO, analyse, follow_ups, know, payload
from tests.handlers.conftest import TaskRunner
from tests.standins.claude_scripts import never_ends, submits_one_per_turn
from tests.standins.messages_api import MessagesApi, Reply, Request, Says, Script, grounded_verdict

BATCH = (INFY, TCS, WIPRO)
PATIENCE = 60


def exhausts_after(verdicts: int) -> Script:
    """A batch of three gets so many verdicts and then goes on until its session is ended; a smaller one gets all."""

    def script(request: Request) -> Reply:
        left = [entry for entry in request.stocks if entry["stock"] not in request.submitted]
        is_whole = len(request.stocks) == len(BATCH)
        if is_whole and len(request.stocks) - len(left) >= verdicts:
            return never_ends(request)
        return Says(submits=(grounded_verdict(left[0]),)) if left else Says("Done.")

    return script


async def run_all(database: Database, settings: AnalystSettings, *tasks: NewTask) -> list[Task]:
    """Run these, and all that follows from them, as a desk does; every task of their run."""

    async def waits(_: TaskContext) -> Outcome:
        return Completed({})

    handlers = {KIND: ai_analysis(settings, database.clock, fetch_then_analyse), "waits": waits}
    desk = SequentialQueueManager(database, handlers, command="test", backoff=lambda _: timedelta())
    first = database.write_now(lambda tx: enqueue(tx, tasks))[0].task
    with anyio.fail_after(PATIENCE):
        await desk.execute_queues()
    return database.read_now(lambda tx: tasks_of_run(tx, first.run_id))


def stocks_of(task: Task) -> list[str]:
    return AnalysisPayload.model_validate(task.payload).stocks


@pytest.mark.parametrize(
    ("verdicts", "rest"),
    [
        (0, [["NSE:INFY", "NSE:TCS"], ["NSE:WIPRO"]]),
        (1, [["NSE:TCS", "NSE:WIPRO"]]),
        (2, [["NSE:WIPRO"]]),
    ],
)
async def test_what_the_turns_leave_open_is_judged_by_smaller_sessions_of_the_same_run(
    api: MessagesApi, claude: AnalystSettings, database: Database, verdicts: int, rest: list[list[str]]
) -> None:
    api.script = exhausts_after(verdicts)
    know(database, *BATCH)

    parent, *remainders = await run_all(database, claude, analysis_task(BATCH, priority=7))

    assert [task.state for task in (parent, *remainders)] == [TaskState.COMPLETED] * (1 + len(rest))
    assert [(stocks_of(task), task.priority, task.carried) for task in remainders] == [
        (stocks, 7, True) for stocks in rest
    ]
    assert parent.result is not None
    assert parent.result["moved"] == {stock: task.id for task in remainders for stock in stocks_of(task)}
    verdict_of = parent.result["verdicts"]
    assert isinstance(verdict_of, Mapping)
    assert set(verdict_of) == {str(stock) for stock in BATCH[:verdicts]}
    assert judged(database, parent, *remainders) == Counter(BATCH)
    # Each session is paid for once, and the one that ran out as well.
    sessions = [
        session
        for task in (parent, *remainders)
        for session in database.read_now(lambda tx, own=task: sessions_of_task(tx, own.id))
    ]
    assert [each.ended_as for each in sessions] == ["TurnsExhausted", *["Finished"] * len(rest)]
    assert all(each.spent.cost_usd for each in sessions)


@pytest.mark.parametrize(("verdicts", "batches"), [(1, [3, 2, 1]), (2, [3, 1])])
async def test_what_the_budget_leaves_open_goes_on_too(
    api: MessagesApi, claude: AnalystSettings, database: Database, verdicts: int, batches: list[int]
) -> None:
    """An answer of the stand-in costs $0.0087, and a session ends with the one that reaches its budget."""
    api.script = submits_one_per_turn
    know(database, *BATCH)
    settings = replace(claude, budget_usd=0.0087 * (verdicts - 0.5))
    tasks = await run_all(database, settings, analysis_task(BATCH))
    assert [len(stocks_of(task)) for task in tasks] == batches
    assert judged(database, *tasks) == Counter(BATCH)


async def test_only_a_stock_that_exhausts_a_session_of_its_own_fails(
    api: MessagesApi, claude: AnalystSettings, database: Database
) -> None:
    def never_tcs(request: Request) -> Reply:
        left = [entry for entry in request.stocks if entry["stock"] not in (*request.submitted, "NSE:TCS")]
        return Says(submits=(grounded_verdict(left[0]),)) if left else never_ends(request)

    api.script = never_tcs
    know(database, *BATCH)
    parent, alone = await run_all(database, claude, analysis_task(BATCH))
    assert (parent.state, alone.state) == (TaskState.COMPLETED, TaskState.FAILED)
    assert alone.error == "The session used up its turns without a verdict of NSE:TCS."
    assert judged(database, parent, alone) == Counter([INFY, WIPRO])


async def test_what_waits_for_a_batch_waits_for_what_is_left_of_it(
    api: MessagesApi, claude: AnalystSettings, database: Database
) -> None:
    api.script = exhausts_after(1)
    know(database, *BATCH)
    waiting = NewTask(queue=QueueName.DATA_FETCHER, kind="waits", payload={}, after=(Sibling(0),))
    _, last, rest = await run_all(database, claude, analysis_task(BATCH), waiting)
    assert rest.finished_at is not None
    assert last.started_at is not None
    assert last.started_at >= rest.finished_at


def judged(database: Database, *tasks: Task) -> Counter[Stock]:
    found = [database.read_now(lambda tx, own=task: verdicts_of_task(tx, own)) for task in tasks]
    return Counter(verdict.stock for verdicts in found for verdict in verdicts)


async def test_a_budget_that_is_used_up_without_a_verdict_splits_the_batch(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    api.script = never_ends
    know(database, *BATCH)
    ctx = running_task(QueueName.AI_ANALYSIS, payload(*BATCH))

    outcome = await analyse(ctx, replace(claude, budget_usd=0.001))

    assert [task.payload["stocks"] for task in follow_ups(database, outcome)] == [
        ["NSE:INFY", "NSE:TCS"],
        ["NSE:WIPRO"],
    ]
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert session.ended_as == "BudgetExhausted"


async def test_turns_suffice_for_three_stocks_that_come_alone_and_are_each_mended_once(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    """The longest session that settles all by the rules: a second refusal settles a stock as a verdict does."""
    api.script = mends_each
    know(database, *BATCH)
    ctx = running_task(QueueName.AI_ANALYSIS, payload(*BATCH))

    assert isinstance(await analyse(ctx, claude), Completed)

    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    turns = len(BATCH) * MAX_REFUSALS + 1
    assert (session.ended_as, session.spent.turns) == ("Finished", turns)
    assert turns < max_turns(len(BATCH))
    verdicts = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))
    assert [(each.stock, each.action) for each in verdicts] == [(stock, Action.HOLD) for stock in BATCH]


def mends_each(request: Request) -> Reply:
    """One stock a turn; the first submission of each has a number that is not among its facts."""
    tries = Counter(request.submitted)
    for entry in request.stocks:
        match tries[entry["stock"]]:
            case 0:
                return Says(submits=({**grounded_verdict(entry), "thesis": "It is worth 1799.5. Buy it."},))
            case 1:
                return Says(submits=(grounded_verdict(entry),))
            case _:
                pass
    return Says("All verdicts are submitted.")
