"""Verdicts: the schema that the model sees, and what the store keeps and refuses."""

import json
from typing import Any

import apsw
import pytest
from pydantic import ValidationError

from handlers.analyst.costs import Spent, close_session, open_session, sessions_of_task
from handlers.facts import current_facts
from handlers.stocks import Stock
from handlers.verdict import Action, Analyst, Catalyst, DataQuality, VerdictSubmission, submission_schema
from handlers.verdicts import (
    latest_verdicts,
    store_no_verdict,
    store_verdict,
    verdicts_of_task,
)
from queues.context import TaskContext
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed
from tests.handlers.claude import AS_OF, INFY, TCS, WIPRO, know, payload
from tests.handlers.conftest import TaskRunner

AI = QueueName.AI_ANALYSIS


def submission(stock: Stock, **changes: Any) -> VerdictSubmission:
    whole: dict[str, Any] = {
        "symbol": str(stock),
        "action": "ADD",
        "conviction": 0.55,
        "horizon_months": 6,
        "thesis": "Trend and momentum agree. Nothing in the facts speaks against them.",
        "evidence": [{"claim": "It closed there.", "fact_id": "f1", "value": 1503.46, "unit": "INR"}],
        "bull_points": ["The trend rises."],
        "bear_points": ["The history is short."],
        "risks": ["It may turn."],
        "would_change_view": ["A lower close."],
        "catalysts": [{"what": "Results.", "date": None}],
    }
    return VerdictSubmission.model_validate({**whole, **changes})


def store(
    database: Database, ctx: TaskContext, stock: Stock, analyst: Analyst = Analyst.BASELINE, **changes: Any
) -> None:
    database.write_now(
        lambda tx: store_verdict(
            tx,
            ctx.task,
            stock,
            submission(stock, **changes),
            current_facts(tx, stock),
            analyst=analyst,
            data_quality=[DataQuality("prices", "fresh", 0)],
        )
    )


def test_the_schema_stands_alone_and_speaks_to_the_model() -> None:
    schema = submission_schema()
    text = json.dumps(schema)
    assert "$" not in text.replace('$"', "").replace("^f[0-9]+$", "")
    assert '"title"' not in text
    assert schema["type"] == "object"
    assert set(schema["required"]) >= {"symbol", "action", "conviction", "thesis", "evidence"}
    item = schema["properties"]["evidence"]["items"]["properties"]
    assert "supplied facts" in item["fact_id"]["description"]


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "BUY"},
        {"conviction": 1.01},
        {"conviction": float("nan")},
        {"horizon_months": 0},
        {"thesis": "Too short."},
        {"evidence": []},
        {"evidence": [{"claim": "It is.", "fact_id": "last_close", "value": 1, "unit": "INR"}]},
        {"target_price": 1800},
    ],
)
def test_a_submission_outside_the_model_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        submission(INFY, **changes)


def test_insufficient_data_needs_no_evidence() -> None:
    assert submission(INFY, action="INSUFFICIENT_DATA", evidence=[]).evidence == []


def test_a_stored_verdict_comes_back_with_its_evidence_as_the_fact_says(
    database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))

    store(database, ctx, INFY)

    [verdict] = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))
    assert (verdict.stock, verdict.action, verdict.conviction) == (INFY, Action.ADD, 0.55)
    assert (verdict.as_of, verdict.created_at, verdict.analyst) == (AS_OF, ctx.now, Analyst.BASELINE)
    [evidence] = verdict.evidence
    assert (evidence.name, evidence.unit, evidence.as_of, evidence.source) == (
        "last_close",
        "INR",
        AS_OF,
        "sample",
    )
    assert (evidence.fact_id, evidence.value) == ("f1", 1503.46)
    assert verdict.bull_points == ("The trend rises.",)
    assert verdict.catalysts == (Catalyst("Results.", None),)
    assert verdict.data_quality == (DataQuality("prices", "fresh", 0),)


def test_a_task_has_one_verdict_of_a_stock(database: Database, running_task: TaskRunner) -> None:
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))
    store(database, ctx, INFY)
    with pytest.raises(apsw.ConstraintError):
        store(database, ctx, INFY)


def test_evidence_cannot_cite_a_fact_that_does_not_exist(
    database: Database, running_task: TaskRunner
) -> None:
    ctx = running_task(AI, payload(INFY))
    with pytest.raises(apsw.ConstraintError):
        store(database, ctx, INFY)
    assert database.read_now(lambda tx: verdicts_of_task(tx, ctx.task)) == []


def test_claudes_verdict_names_its_session(database: Database, running_task: TaskRunner) -> None:
    know(database, INFY)
    with pytest.raises(apsw.ConstraintError):
        store(database, running_task(AI, payload(INFY)), INFY, Analyst.CLAUDE)


def test_nobody_can_say_hold(database: Database, running_task: TaskRunner) -> None:
    know(database, INFY)
    with pytest.raises(apsw.ConstraintError):
        store(database, running_task(AI, payload(INFY)), INFY, Analyst.NONE)


def test_the_newest_verdict_of_each_stock_is_the_latest_and_the_older_ones_are_its_history(
    database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY, TCS, WIPRO)
    first = running_task(AI, payload(INFY, TCS))
    store(database, first, INFY)
    database.write_now(
        lambda tx: store_no_verdict(tx, first.task, TCS, thesis="No data of TCS.", reason="missing_data")
    )
    running_task.end(first, Completed({}))
    second = running_task(AI, payload(INFY, WIPRO))
    store(database, second, INFY, action="TRIM")
    store(database, second, WIPRO)

    latest = database.read_now(latest_verdicts)
    assert [(each.stock, each.action) for each in latest] == [
        (INFY, Action.TRIM),
        (TCS, Action.INSUFFICIENT_DATA),
        (WIPRO, Action.ADD),
    ]
    assert database.read_now(lambda tx: latest_verdicts(tx, [WIPRO])) == latest[2:]
    assert database.read_now(lambda tx: latest_verdicts(tx, [])) == []
    assert database.read_now(lambda tx: latest_verdicts(tx, limit=1, after=INFY)) == latest[1:2]
    (older,) = [v for v in database.read_now(lambda tx: verdicts_of_task(tx, first.task)) if v.stock == INFY]
    assert older.action is Action.ADD
    assert database.read_now(lambda tx: verdicts_of_task(tx, second.task)) == [latest[0], latest[2]]


def test_a_session_is_completed_once(database: Database, running_task: TaskRunner) -> None:
    ctx = running_task(AI, payload(INFY))
    database.write_now(
        lambda tx: open_session(tx, ctx.task, "s1", model="sonnet", stocks=[INFY], prompt_version="1")
    )
    [opened] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert (opened.ended_as, opened.spent, opened.duration) == (None, Spent(), None)

    for cost in (0.02, 0.0):
        database.write_now(
            lambda tx, cost=cost: close_session(
                tx,
                "s1",
                ended_as="Finished",
                detail="",
                spent=Spent(cost_usd=cost),
                duration=ctx.now - ctx.now,
            )
        )

    [closed] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert (closed.spent.cost_usd, closed.stocks, closed.claim) == (0.02, ("NSE:INFY",), 1)
