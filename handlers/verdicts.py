"""The store of verdicts. A verdict never changes; a newer one of the same stock follows it.

The one exception: that data was missing is replaced where the same task can judge after all.
"""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from handlers.facts import Fact
from handlers.outcomes import mark_start
from handlers.stocks import Exchange, Stock
from handlers.verdict import (
    Action,
    Analyst,
    Catalyst,
    DataQuality,
    Evidence,
    Operation,
    Reason,
    Verdict,
    VerdictSubmission,
)
from queues.database import Transaction
from queues.model import Task
from queues.moments import from_micros

POINTS = ("bull_points", "bear_points", "risks", "would_change_view")


def store_verdict(
    tx: Transaction,
    task: Task,
    stock: Stock,
    submission: VerdictSubmission,
    facts: Sequence[Fact],
    *,
    analyst: Analyst,
    data_quality: Sequence[DataQuality] = (),
    session_id: str | None = None,
    model: str | None = None,
    inputs: str | None = None,
) -> None:
    """Store what `analyst` submitted about `stock`, judged by `facts`; `inputs` is the hash of all it was given.

    Raises:
        apsw.ConstraintError: this task has a verdict of this stock (other than one of missing data), or the
            columns contradict each other.
    """
    points = {name: getattr(submission, name) for name in POINTS}
    points["catalysts"] = [each.model_dump() for each in submission.catalysts]
    verdict = _insert(
        tx,
        task,
        stock,
        facts,
        data_quality,
        analyst=analyst.value,
        action=submission.action,
        conviction=submission.conviction,
        horizon_months=submission.horizon_months,
        thesis=submission.thesis,
        points=json.dumps(points),
        reason=Reason.ABSTAINED if submission.action == Action.INSUFFICIENT_DATA else None,
        session_id=session_id,
        model=model,
        inputs=inputs,
    )
    _store_evidence(tx, verdict, submission)


def store_no_verdict(
    tx: Transaction,
    task: Task,
    stock: Stock,
    *,
    thesis: str,
    reason: str,
    facts: Sequence[Fact] = (),
    analyst: Analyst = Analyst.NONE,
    data_quality: Sequence[DataQuality] = (),
    session_id: str | None = None,
    model: str | None = None,
    inputs: str | None = None,
) -> None:
    """Store INSUFFICIENT_DATA of conviction 0 with `reason`; `thesis` is the sentence that a person reads."""
    _insert(
        tx,
        task,
        stock,
        facts,
        data_quality,
        analyst=analyst.value,
        action=Action.INSUFFICIENT_DATA.value,
        conviction=0,
        horizon_months=None,
        thesis=thesis,
        points="{}",
        reason=reason,
        session_id=session_id,
        model=model,
        inputs=inputs,
    )


def _insert(
    tx: Transaction,
    task: Task,
    stock: Stock,
    facts: Sequence[Fact],
    data_quality: Sequence[DataQuality],
    **columns: str | float | None,
) -> int:
    forget_missing_data(tx, task, stock)
    row = tx.row(
        "INSERT INTO verdicts (task_id, revision, run_id, symbol, exchange, analyst, action, conviction,"
        " horizon_months, thesis, points, as_of, data_quality, reason, session_id, model, inputs, created_at)"
        " VALUES (:task_id, :revision, :run_id, :symbol, :exchange, :analyst, :action, :conviction, :horizon_months,"
        " :thesis, :points, :as_of, :data_quality, :reason, :session_id, :model, :inputs, :now) RETURNING seq",
        task_id=task.id,
        revision=task.revision,
        run_id=task.run_id,
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        as_of=max((fact.as_of.isoformat() for fact in facts), default=None),
        data_quality=_quality_json(data_quality),
        now=tx.micros,
        **columns,
    )
    assert row is not None
    mark_start(tx, row[0], stock)
    tx.touch()
    return row[0]


def forget_missing_data(tx: Transaction, task: Task, stock: Stock) -> None:
    """Drop what this task may have stored of the stock while it had no data: now it is judged."""
    tx.run(
        "DELETE FROM verdicts WHERE task_id = :task_id AND revision = :revision AND symbol = :symbol"
        " AND exchange = :exchange AND reason = :reason",
        task_id=task.id,
        revision=task.revision,
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        reason=Reason.MISSING_DATA,
    )


def _store_evidence(tx: Transaction, verdict: int, submission: VerdictSubmission) -> None:
    rows = [
        {
            "verdict": verdict,
            "position": position,
            "claim": each.claim,
            "fact": _seq(each.fact_id),
            "value": each.value,
            "unit": each.unit,
            "operation": each.operation,
            "other_fact": None if each.other_fact_id is None else _seq(each.other_fact_id),
        }
        for position, each in enumerate(submission.evidence)
    ]
    tx.run_many(
        "INSERT INTO evidence (verdict, position, claim, fact, value, unit, operation, other_fact)"
        " VALUES (:verdict, :position, :claim, :fact, :value, :unit, :operation, :other_fact)",
        rows,
    )


def _seq(fact_id: str) -> int:
    return int(fact_id.removeprefix("f"))


def _quality_json(qualities: Sequence[DataQuality]) -> str:
    return json.dumps([{"kind": q.kind, "state": q.state, "age_days": q.age_days} for q in qualities])


_COLUMNS = (
    "seq, task_id, run_id, symbol, exchange, analyst, action, conviction, horizon_months, thesis, points, as_of,"
    " data_quality, reason, session_id, model, inputs, created_at,"
    " coalesce((SELECT created_at FROM verdicts AS first WHERE first.seq = verdicts.renews), created_at)"
)


def verdicts_of_task(tx: Transaction, task: Task) -> list[Verdict]:
    """Those of its present revision, in the order in which they were made; empty if there are none."""
    sql = f"SELECT {_COLUMNS} FROM verdicts WHERE task_id = :id AND revision = :revision ORDER BY seq"
    return [_verdict(tx, row) for row in tx.rows(sql, id=task.id, revision=task.revision)]


def verdict_before(tx: Transaction, verdict: Verdict) -> Verdict | None:
    """The newest one of the same stock that is older, and that this one does not merely renew."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM verdicts WHERE symbol = :symbol AND exchange = :exchange AND seq < :first"
        " ORDER BY seq DESC LIMIT 1",
        symbol=verdict.stock.symbol,
        exchange=verdict.stock.exchange.value,
        first=tx.rows("SELECT coalesce(renews, seq) FROM verdicts WHERE seq = :seq", seq=verdict.seq)[0][0],
    )
    return _verdict(tx, rows[0]) if rows else None


def judged_stocks(tx: Transaction) -> set[Stock]:
    """Every stock that has a verdict."""
    rows = tx.rows("SELECT DISTINCT symbol, exchange FROM verdicts")
    return {Stock(symbol, Exchange(exchange)) for symbol, exchange in rows}


def latest_verdicts(
    tx: Transaction, stocks: Sequence[Stock] | None = None, *, limit: int = 50, after: Stock | None = None
) -> list[Verdict]:
    """The newest verdict of each stock (of all stocks where None), by stock, the first `limit` after `after`."""
    keys = None if stocks is None else json.dumps([str(stock) for stock in stocks])
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM verdicts WHERE seq IN"
        " (SELECT max(seq) FROM verdicts GROUP BY symbol, exchange)"
        " AND (:keys IS NULL OR exchange || ':' || symbol IN (SELECT value FROM json_each(:keys)))"
        " AND (:symbol IS NULL OR (symbol, exchange) > (:symbol, :exchange))"
        " ORDER BY symbol, exchange LIMIT :limit",
        keys=keys,
        symbol=None if after is None else after.symbol,
        exchange=None if after is None else after.exchange.value,
        limit=limit,
    )
    return [_verdict(tx, row) for row in rows]


def _verdict(tx: Transaction, row: tuple[Any, ...]) -> Verdict:
    points = json.loads(row[10])
    return Verdict(
        seq=row[0],
        task_id=row[1],
        run_id=row[2],
        stock=Stock(row[3], Exchange(row[4])),
        analyst=Analyst(row[5]),
        action=Action(row[6]),
        conviction=row[7],
        horizon_months=row[8],
        thesis=row[9],
        evidence=_evidence(tx, row[0]),
        bull_points=tuple(points.get("bull_points", ())),
        bear_points=tuple(points.get("bear_points", ())),
        risks=tuple(points.get("risks", ())),
        would_change_view=tuple(points.get("would_change_view", ())),
        catalysts=tuple(_catalyst(each) for each in points.get("catalysts", ())),
        as_of=_date(row[11]),
        data_quality=tuple(DataQuality(**each) for each in json.loads(row[12])),
        reason=row[13],
        session_id=row[14],
        model=row[15],
        inputs=row[16],
        created_at=from_micros(row[17]),
        judged_at=from_micros(row[18]),
    )


def _evidence(tx: Transaction, verdict: int) -> tuple[Evidence, ...]:
    rows = tx.rows(
        "SELECT claim, facts.seq, evidence.value, coalesce(evidence.unit, facts.unit), name, as_of, source, inputs,"
        " operation, other_fact"
        " FROM evidence JOIN facts ON facts.seq = evidence.fact WHERE verdict = :id ORDER BY position",
        id=verdict,
    )
    return tuple(
        Evidence(
            claim=claim,
            fact_id=f"f{fact}",
            value=value,
            unit=unit,
            name=name,
            as_of=date.fromisoformat(as_of),
            source=source,
            inputs=inputs,
            operation=None if operation is None else Operation(operation),
            other_fact_id=None if other is None else f"f{other}",
        )
        for claim, fact, value, unit, name, as_of, source, inputs, operation, other in rows
    )


def _catalyst(stored: dict[str, str | None]) -> Catalyst:
    return Catalyst(str(stored["what"]), _date(stored["date"]))


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
