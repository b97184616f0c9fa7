"""The `analyse` task without a Claude session: the baseline analyst, stocks without data, interrupted attempts."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from handlers.ai_analysis import AnalystSettings, analysis_task
from handlers.analyst.ending import Busy, DeadlinePassed, Ending, Finished, TurnsExhausted, UsageLimit
from handlers.analyst.options import max_turns
from handlers.analyst.troubles import JITTER, trouble, waits_out_an_outage
from handlers.stocks import Exchange, Stock
from handlers.verdict import Action, Analyst, Reason
from handlers.verdicts import verdicts_of_task
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed, Retry, Snooze
from tests.handlers.claude import INFY, TCS, WIPRO, analyse, know, lack, payload
from tests.handlers.conftest import NOW, TaskRunner

AI = QueueName.AI_ANALYSIS


async def test_the_baseline_analyst_is_named_wherever_its_verdict_goes(
    baseline: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY, TCS)
    ctx = running_task(AI, payload(INFY, TCS))

    outcome = await analyse(ctx, baseline)

    assert isinstance(outcome, Completed)
    stored = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))
    assert [(each.stock, each.analyst) for each in stored] == [
        (INFY, Analyst.BASELINE),
        (TCS, Analyst.BASELINE),
    ]
    assert outcome.result == {
        "verdicts": {
            str(each.stock): {"action": each.action, "conviction": each.conviction, "analyst": "baseline"}
            for each in stored
        },
        "sessions": [],
    }


async def test_a_task_may_name_its_analyst(
    claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    ctx = running_task(AI, {**payload(INFY), "analyst": "baseline"})
    await analyse(ctx, claude)
    [verdict] = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))
    assert verdict.analyst is Analyst.BASELINE


async def test_a_stock_without_data_is_insufficient_with_the_sources_reason_and_its_neighbour_is_judged(
    baseline: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, TCS)
    lack(database, INFY, why="Yahoo knows no INFY.NS.")
    ctx = running_task(AI, payload(INFY, TCS))

    assert isinstance(await analyse(ctx, baseline), Completed)

    missing, judged = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))
    assert (missing.stock, missing.action, missing.analyst) == (INFY, Action.INSUFFICIENT_DATA, Analyst.NONE)
    assert (missing.reason, missing.as_of, missing.conviction) == (Reason.MISSING_DATA, None, 0)
    assert missing.thesis == "There is no data of NSE:INFY: Yahoo knows no INFY.NS."
    assert missing.data_quality[0].state == "missing"
    assert judged.stock == TCS


async def test_without_any_data_there_is_no_session(
    claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    lack(database, INFY, TCS)
    outcome = await analyse(
        running_task(AI, payload(INFY, TCS)), replace(claude, cli=claude.folder / "nowhere")
    )
    assert isinstance(outcome, Completed)
    assert outcome.result["sessions"] == []


async def test_a_second_attempt_judges_only_what_the_first_left_open(
    baseline: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    lack(database, TCS)
    ctx = running_task(AI, payload(INFY, TCS))
    await analyse(ctx, baseline)
    before = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))

    again = running_task.again(ctx, Retry("the process died before it could record"))
    assert isinstance(await analyse(again, baseline), Completed)

    assert database.read_now(lambda tx: verdicts_of_task(tx, ctx.task)) == before


async def test_progress_counts_every_stock(
    baseline: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    lack(database, TCS)
    ctx = running_task(AI, payload(INFY, TCS))
    outcome = await analyse(ctx, baseline)
    progress = running_task.end(ctx, outcome).progress
    assert progress is not None
    assert (progress.done, progress.total) == (2, 2)
    assert str(INFY) in progress.message


def test_the_same_stocks_in_any_order_are_the_same_task() -> None:
    assert analysis_task([INFY, TCS]).dedup_key == analysis_task([TCS, INFY]).dedup_key
    bse = Stock("INFY", Exchange.BSE)
    assert analysis_task([INFY, TCS]).dedup_key != analysis_task([bse, TCS]).dedup_key


def test_an_analysis_waits_for_approval_after_a_day_and_outlasts_its_session() -> None:
    task = analysis_task([INFY, TCS, WIPRO], session_deadline=timedelta(minutes=5))
    assert task.approval_window == timedelta(hours=24)
    assert task.timeout > timedelta(minutes=5)
    assert task.queue is AI


@pytest.mark.parametrize(("stocks", "turns"), [(1, 5), (2, 8), (3, 11)])
def test_turns_allow_each_stock_its_refusals(stocks: int, turns: int) -> None:
    assert max_turns(stocks) == turns


@pytest.mark.parametrize(
    ("resets_at", "until"),
    [
        (NOW + timedelta(hours=2), NOW + timedelta(hours=2)),
        (None, NOW + timedelta(hours=1)),
        (NOW - timedelta(seconds=5), NOW + timedelta(minutes=1)),
    ],
)
def test_a_usage_limit_never_becomes_a_loop_of_refused_sessions(
    resets_at: datetime | None, until: datetime
) -> None:
    outcome = trouble(UsageLimit(resets_at, "seven_day"), NOW, between=min)
    assert isinstance(outcome, Snooze)
    assert outcome.until is None
    assert outcome.hold is not None
    assert outcome.hold.until == until + timedelta(seconds=JITTER[0])


@pytest.mark.parametrize("ending", [Busy("Overloaded"), DeadlinePassed()])
def test_what_passes_by_itself_is_tried_again(ending: Ending) -> None:
    assert isinstance(trouble(ending, NOW), Retry)


def test_an_outage_of_the_api_holds_the_queue_rather_than_spend_the_last_attempt() -> None:
    outcome = trouble(Busy("connection refused"), NOW, wait_out=True)
    assert isinstance(outcome, Snooze)
    assert outcome.until is None
    assert outcome.hold is not None
    assert (outcome.hold.source, outcome.hold.until) == ("claude_api", NOW + timedelta(minutes=10))
    assert "keeps failing (connection refused); the queue tries again at" in outcome.hold.reason


@pytest.mark.parametrize(
    ("attempt", "claim", "expected"),
    [(1, 1, False), (2, 2, False), (3, 3, True), (3, 30, True), (3, 31, False)],
)
def test_only_a_last_attempt_waits_out_an_outage_and_not_for_ever(
    running_task: TaskRunner, attempt: int, claim: int, *, expected: bool
) -> None:
    task = running_task(AI, payload(INFY)).task._replace(attempt=attempt, max_attempts=3, claim=claim)
    assert waits_out_an_outage(task) is expected


@pytest.mark.parametrize("ending", [Finished(), TurnsExhausted()])
def test_a_session_that_ran_is_judged_by_its_verdicts(ending: Ending) -> None:
    assert trouble(ending, NOW) is None
