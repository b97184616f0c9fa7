"""A stock of which nothing has changed: its verdict is still current, and nobody is paid to say so again."""

from dataclasses import dataclass

from handlers.stocks import Stock
from handlers.verdict import Analyst, Reason
from handlers.verdicts import forget_missing_data
from queues.database import Transaction
from queues.model import Task


@dataclass(frozen=True, slots=True)
class Question:
    """What Claude would be asked: the hash of the stock's inputs, the version of the instructions, the model."""

    inputs: str
    prompt_version: str
    model: str


def renew_verdict(tx: Transaction, task: Task, stock: Stock, question: Question) -> str | None:
    """Renew the last verdict of `stock` as this task's if it answered just this question; its action, else None.

    A verdict, or an abstention; one that was refused for its numbers answers nothing.
    """
    row = tx.row(
        "SELECT seq, action FROM verdicts JOIN sessions USING (session_id)"
        " WHERE seq = (SELECT max(seq) FROM verdicts WHERE symbol = :symbol AND exchange = :exchange"
        " AND NOT (task_id = :task_id AND reason IS :missing))"
        " AND analyst = :claude AND (reason IS NULL OR reason = :abstained)"
        " AND inputs = :inputs AND verdicts.model = :model AND prompt_version = :prompt_version",
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        task_id=task.id,
        missing=Reason.MISSING_DATA,
        claude=Analyst.CLAUDE,
        abstained=Reason.ABSTAINED,
        inputs=question.inputs,
        model=question.model,
        prompt_version=question.prompt_version,
    )
    if row is None:
        return None
    seq, action = row
    forget_missing_data(tx, task, stock)
    _copy(tx, task, seq)
    tx.touch()
    return action


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
