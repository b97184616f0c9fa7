"""An analysis that waited so long, for approval, a hold or a retry, that its prices are no longer the newest."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.ai_analysis import AnalystSettings, session_deadline_of
from handlers.freshness import expected_session
from handlers.prices import log_missing
from handlers.verdict import Analyst
from handlers.verdicts import store_no_verdict, verdicts_of_task
from queues.database import Database
from queues.model import QueueName, Sibling
from queues.outcome import Completed, Retry
from tests.handlers.claude import INFY, TCS, analyse, follow_ups, know, lack, payload
from tests.handlers.conftest import MovableClock, TaskRunner

AI = QueueName.AI_ANALYSIS
A_DAY = timedelta(days=1)


@pytest.fixture(params=["baseline", "claude"])
def either(request: pytest.FixtureRequest, claude: AnalystSettings) -> AnalystSettings:
    """Each analyst; no session may start, there is no CLI."""
    return replace(claude, analyst=request.param, cli=claude.folder / "nowhere")


async def test_stocks_whose_prices_are_stale_are_fetched_before_anyone_judges_them(
    either: AnalystSettings, database: Database, running_task: TaskRunner, clock: MovableClock
) -> None:
    know(database, INFY)
    clock.now += A_DAY
    know(database, TCS)
    ctx = running_task(AI, {**payload(INFY, TCS), "analyst": either.analyst})

    outcome = await analyse(ctx, either)

    assert isinstance(outcome, Completed)
    fetch, analysis = follow_ups(database, outcome)
    assert (fetch.queue, fetch.payload["stocks"]) == (QueueName.DATA_FETCHER, ["NSE:INFY", "NSE:TCS"])
    assert analysis.after == (Sibling(0),)
    assert analysis.payload == {"stocks": ["NSE:INFY", "NSE:TCS"], "analyst": either.analyst}
    assert (fetch.carried, analysis.carried) == (True, True)
    assert analysis.timeout == session_deadline_of(ctx.task) + timedelta(minutes=1)
    assert running_task.end(ctx, outcome).result == {
        "verdicts": {},
        "sessions": [],
        "moved": {"NSE:INFY": "analysis-3", "NSE:TCS": "analysis-3"},
        "why_moved": "The prices of NSE:INFY are stale; they are fetched first.",
    }


async def test_a_fetch_of_the_last_session_ends_the_moving_even_where_it_brought_nothing(
    baseline: AnalystSettings, database: Database, running_task: TaskRunner, clock: MovableClock
) -> None:
    know(database, INFY)
    clock.now += A_DAY
    lack(database, INFY)
    ctx = running_task(AI, payload(INFY))

    outcome = await analyse(ctx, baseline)

    assert isinstance(outcome, Completed)
    assert "moved" not in outcome.result
    [verdict] = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))
    assert verdict.analyst is Analyst.BASELINE
    assert verdict.data_quality[0].state == "stale"


async def test_a_fetch_of_an_earlier_session_that_brought_nothing_does_not(
    baseline: AnalystSettings, database: Database, running_task: TaskRunner, clock: MovableClock
) -> None:
    through = expected_session(clock.now, INFY.exchange)
    database.write_now(lambda tx: log_missing(tx, INFY, "Nobody has it.", through, "fetch-0"))
    clock.now += A_DAY
    outcome = await analyse(running_task(AI, payload(INFY)), baseline)
    assert len(follow_ups(database, outcome)) == 2


async def test_what_the_task_has_judged_stays_when_the_rest_moves(
    baseline: AnalystSettings, database: Database, running_task: TaskRunner, clock: MovableClock
) -> None:
    know(database, INFY, TCS)
    ctx = running_task(AI, payload(INFY, TCS))
    database.write_now(lambda tx: store_no_verdict(tx, ctx.task, INFY, thesis="It stays.", reason="paid for"))
    again = running_task.again(ctx, Retry("The Claude API failed: Overloaded"))
    clock.now += A_DAY

    outcome = await analyse(again, baseline)

    fetch, analysis = follow_ups(database, outcome)
    assert (fetch.payload["stocks"], analysis.payload["stocks"]) == (["NSE:TCS"], ["NSE:TCS"])
    assert isinstance(outcome, Completed)
    assert list(outcome.result["verdicts"]) == ["NSE:INFY"]  # type: ignore[arg-type] (JSON)


async def test_on_a_desk_whose_clock_stands_still_nothing_grows_old(
    baseline: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY, TCS)
    outcome = await analyse(running_task(AI, payload(INFY, TCS)), baseline)
    assert follow_ups(database, outcome) == []
