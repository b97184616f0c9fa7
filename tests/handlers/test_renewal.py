"""A stock of which nothing has changed keeps its verdict, and no session is paid for."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.ai_analysis import AnalystSettings
from handlers.analyst.costs import sessions_of_task
from handlers.brokers.holding import Holding
from handlers.facts import store_facts
from handlers.portfolio import store_snapshot
from handlers.stocks import Exchange, Stock
from handlers.verdict import Action, Analyst, Verdict
from handlers.verdicts import latest_verdicts, verdicts_of_task
from queues.control import retry_task
from queues.database import Database
from queues.model import JsonObject, QueueName
from queues.outcome import Completed
from tests.handlers.claude import INFY, TCS, analyse, know, new_facts, payload
from tests.handlers.conftest import MovableClock, TaskRunner
from tests.standins.messages_api import Json, MessagesApi, Reply, Request, Says, grounded_verdict

AI = QueueName.AI_ANALYSIS


def sessions(api: MessagesApi) -> list[list[str]]:
    """The stocks of each session that was asked for, by its first request."""
    return [[entry["stock"] for entry in request.stocks] for request in api.requests if not request.submitted]


def hold(database: Database, **quantities: str) -> None:
    holdings = [
        Holding(
            stock=Stock(symbol, Exchange.NSE),
            quantity=Decimal(quantity),
            average_price=Decimal(1),
            currency="INR",
        )
        for symbol, quantity in quantities.items()
    ]
    database.write_now(lambda tx: store_snapshot(tx, "main", holdings, "file", "sync-1"))


def abstains(request: Request) -> Reply:
    return submits({**grounded_verdict(request.stocks[0], "INSUFFICIENT_DATA")}, request)


def insists(request: Request) -> Reply:
    """Submits an invented number until that is settled."""
    thesis = "Analysts expect a price of 1799.5 within a year. Buy it now."
    return submits({**grounded_verdict(request.stocks[0]), "thesis": thesis}, request)


def submits(verdict: Json, request: Request) -> Reply:
    is_open = not request.submitted or "Mend this" in "".join(request.tool_errors[-1:])
    return Says(submits=(verdict,)) if is_open else Says("Done.")


async def judge(running_task: TaskRunner, settings: AnalystSettings, task: JsonObject) -> Verdict:
    ctx = running_task(AI, task)
    outcome = await analyse(ctx, settings)
    assert isinstance(outcome, Completed)
    running_task.end(ctx, outcome)
    return ctx.database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))[-1]


async def test_a_verdict_is_renewed_unpaid_while_nothing_has_changed(
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    clock: MovableClock,
) -> None:
    know(database, INFY)
    first = await judge(running_task, claude, payload(INFY))
    clock.now += timedelta(seconds=1)
    second = await judge(running_task, claude, payload(INFY))

    assert len(sessions(api)) == 1
    assert (second.judged_at, second.created_at) == (
        first.created_at,
        first.created_at + timedelta(seconds=1),
    )
    assert (
        replace(
            second, seq=first.seq, task_id=first.task_id, run_id=first.run_id, created_at=first.created_at
        )
        == first
    )
    assert database.read_now(latest_verdicts) == [second]


async def test_a_renewed_verdict_is_renewed_again(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    verdicts = [await judge(running_task, claude, payload(INFY)) for _ in range(3)]
    assert len(sessions(api)) == 1
    assert {each.judged_at for each in verdicts} == {verdicts[0].created_at}


async def test_only_what_has_changed_is_judged_anew(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY, TCS)
    await judge(running_task, claude, payload(INFY, TCS))
    database.write_now(lambda tx: store_facts(tx, TCS, new_facts(11)))
    await judge(running_task, claude, payload(INFY, TCS))
    assert sessions(api) == [["NSE:INFY", "NSE:TCS"], ["NSE:TCS"]]


async def test_a_weight_that_others_move_is_news_from_a_percentage_point_on_and_another_quantity_always(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY, TCS)
    asked: list[int] = []
    for own, other in (("100", "1000"), ("100", "1010"), ("100", "1500"), ("100.5", "1500")):
        hold(database, INFY=own, TCS=other)
        await judge(running_task, claude, payload(INFY))
        asked.append(len(sessions(api)))
    assert asked == [1, 1, 2, 3]


async def test_another_model_is_asked_anew(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    await judge(running_task, claude, payload(INFY))
    await judge(running_task, replace(claude, model="claude-opus-4-5"), payload(INFY))
    assert len(sessions(api)) == 2


async def test_other_instructions_are_asked_anew(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner, tmp_path: Path
) -> None:
    own = tmp_path / "own.md"
    own.write_text("version: mine\nJudge with submit_verdict what stands in <data>.", encoding="utf-8")
    know(database, INFY)
    await judge(running_task, claude, payload(INFY))
    await judge(running_task, replace(claude, instructions=own), payload(INFY))
    own.write_text(
        "version: mine\nJudge strictly, with submit_verdict, what stands in <data>.", encoding="utf-8"
    )
    await judge(running_task, replace(claude, instructions=own), payload(INFY))
    assert len(sessions(api)) == 3


async def test_force_pays_for_a_new_verdict(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY, TCS)
    await judge(running_task, claude, payload(INFY, TCS))
    await judge(running_task, claude, {**payload(INFY, TCS), "forced": ["NSE:TCS"]})
    assert sessions(api) == [["NSE:INFY", "NSE:TCS"], ["NSE:TCS"]]


async def test_the_retry_of_a_completed_analysis_judges_anew(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))
    running_task.end(ctx, await analyse(ctx, claude))
    database.write_now(lambda tx: retry_task(tx, ctx.task.id))
    await analyse(running_task.claim(AI), claude)
    assert len(sessions(api)) == 2


async def test_a_baseline_verdict_in_between_is_not_taken_for_claudes(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    await judge(running_task, claude, payload(INFY))
    await judge(running_task, claude, {**payload(INFY), "analyst": "baseline"})
    last = await judge(running_task, claude, payload(INFY))
    assert last.analyst is Analyst.CLAUDE
    assert len(sessions(api)) == 2


@pytest.mark.parametrize(("is_refused", "asked"), [(False, 1), (True, 2)], ids=["abstained", "refused"])
async def test_an_abstention_stands_and_a_refusal_does_not(
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    *,
    is_refused: bool,
    asked: int,
) -> None:
    api.script = insists if is_refused else abstains
    know(database, INFY)
    first = await judge(running_task, claude, payload(INFY))
    await judge(running_task, claude, payload(INFY))
    assert first.action is Action.INSUFFICIENT_DATA
    assert len(sessions(api)) == asked


@pytest.mark.usefixtures("api")
async def test_the_session_of_a_renewed_verdict_is_not_counted_twice(
    claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    await judge(running_task, claude, payload(INFY))
    renewed = await judge(running_task, claude, payload(INFY))
    assert database.read_now(lambda tx: sessions_of_task(tx, renewed.task_id)) == []
