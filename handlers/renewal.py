"""A stock of which nothing has changed: its verdict is still current; nobody is paid, and no rule counted, again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handlers.analyst.prompt import hash_of
from handlers.stocks import Stock
from handlers.verdict import Analyst, Reason, VerdictSubmission
from handlers.verdicts import forget_missing_data
from queues.database import Transaction
from queues.model import Task

# A holding's weight moves with every price of every other one; less than a percentage point is no news.
_WEIGHT_THAT_COUNTS = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """What the analyst would be asked: what is known of the stock; for Claude also by which instructions and model.

    Rules of another release may say something else of the same stock: `said` is what they say now.
    """

    inputs: Mapping[str, Any]
    analyst: Analyst
    prompt_version: str | None = None
    model: str | None = None
    said: VerdictSubmission | None = None


def renew_verdict(tx: Transaction, task: Task, stock: Stock, question: Question) -> str | None:
    """Renew the last verdict of `stock` as this task's if it answered just this question; its action, else None.

    A verdict, or an abstention; one that was refused for its numbers answers nothing.
    """
    row = tx.row(
        "SELECT seq, action, content, thesis, conviction FROM verdicts LEFT JOIN sessions USING (session_id)"
        " JOIN inputs ON inputs.hash = verdicts.inputs"
        " WHERE seq = (SELECT max(seq) FROM verdicts WHERE symbol = :symbol AND exchange = :exchange"
        " AND NOT (task_id = :task_id AND reason IS :missing))"
        " AND analyst = :analyst AND (reason IS NULL OR reason = :abstained)"
        " AND verdicts.model IS :model AND prompt_version IS :prompt_version",
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        task_id=task.id,
        missing=Reason.MISSING_DATA,
        analyst=question.analyst,
        abstained=Reason.ABSTAINED,
        model=question.model,
        prompt_version=question.prompt_version,
    )
    if row is None:
        return None
    seq, action, content, *words = row
    says_other = question.said is not None and words != [question.said.thesis, question.said.conviction]
    if says_other or not _are_alike(json.loads(content), question.inputs):
        return None
    forget_missing_data(tx, task, stock)
    _copy(tx, task, seq)
    tx.touch()
    return action


def _are_alike(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether nothing has changed but the weight of the holding, and that by little, or from or to unknown."""
    (old, old_weight), (new, new_weight) = _apart_from_weight(before), _apart_from_weight(now)
    is_moved = (
        old_weight is not None
        and new_weight is not None
        and abs(new_weight - old_weight) >= _WEIGHT_THAT_COUNTS
    )
    return not is_moved and hash_of(old) == hash_of(new)


def _apart_from_weight(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], float | None]:
    holding = dict(inputs.get("holding", {}))
    weight = holding.pop("weight_percent", None)
    return {**inputs, "holding": holding}, weight


def _copy(tx: Transaction, task: Task, seq: int) -> None:
    row = tx.row(
        "INSERT INTO verdicts (task_id, revision, run_id, symbol, exchange, analyst, action, conviction,"
        " horizon_months, thesis, points, as_of, data_quality, reason, session_id, model, inputs, renews, created_at)"
        " SELECT :task_id, :revision, :run_id, symbol, exchange, analyst, action, conviction, horizon_months, thesis,"
        " points, as_of, data_quality, reason, session_id, model, inputs, coalesce(renews, seq), :now"
        " FROM verdicts WHERE seq = :seq RETURNING seq",
        task_id=task.id,
        revision=task.revision,
        run_id=task.run_id,
        now=tx.micros,
        seq=seq,
    )
    assert row is not None
    tx.run(
        "INSERT INTO evidence (verdict, position, claim, fact, value, unit, operation, other_fact)"
        " SELECT :new, position, claim, fact, value, unit, operation, other_fact FROM evidence WHERE verdict = :old",
        new=row[0],
        old=seq,
    )
