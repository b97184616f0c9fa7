"""The sessions that cost money: one row each, written before its process starts and completed when it ended."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.stocks import Stock
from queues.database import Transaction
from queues.model import Task
from queues.moments import from_micros, span_from_micros, span_to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a session used, as the CLI reported it; None where it was stopped before it could say.

    `turns` are round trips to the API that were answered; the cost is at list prices, also for a subscription.
    """

    turns: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session's row. `ended_as` and `duration` are None while it runs, or when the desk died under it."""

    session_id: str
    task_id: str
    run_id: str
    claim: int
    model: str
    stocks: tuple[str, ...]
    prompt_version: str
    started_at: datetime
    ended_as: str | None
    detail: str
    spent: Spent
    duration: timedelta | None


def open_session(
    tx: Transaction, task: Task, session_id: str, *, model: str, stocks: Sequence[Stock], prompt_version: str
) -> None:
    tx.run(
        "INSERT INTO sessions (session_id, task_id, run_id, claim, model, stocks, prompt_version, started_at)"
        " VALUES (:session_id, :task_id, :run_id, :claim, :model, :stocks, :prompt_version, :now)",
        session_id=session_id,
        task_id=task.id,
        run_id=task.run_id,
        claim=task.claim,
        model=model,
        stocks=json.dumps([str(stock) for stock in stocks]),
        prompt_version=prompt_version,
        now=tx.micros,
    )


def close_session(
    tx: Transaction, session_id: str, *, ended_as: str, detail: str, spent: Spent, duration: timedelta
) -> None:
    """Complete the row; only the first call has an effect. Not fenced by a claim: spent money is spent."""
    tx.run(
        "UPDATE sessions SET ended_as = :ended_as, detail = :detail, turns = :turns,"
        " input_tokens = :input_tokens, output_tokens = :output_tokens, cost_usd = :cost_usd,"
        " duration = :duration WHERE session_id = :session_id AND ended_as IS NULL",
        session_id=session_id,
        ended_as=ended_as,
        detail=detail,
        turns=spent.turns,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        cost_usd=spent.cost_usd,
        duration=span_to_micros(duration),
    )
    tx.touch()


def sessions_of_task(tx: Transaction, task_id: str) -> list[Session]:
    """The sessions that a task has run, over all its attempts, oldest first."""
    rows = tx.rows(
        "SELECT session_id, task_id, run_id, claim, model, stocks, prompt_version, started_at, ended_as, detail,"
        " turns, input_tokens, output_tokens, cost_usd, duration FROM sessions WHERE task_id = :id"
        " ORDER BY started_at, claim",
        id=task_id,
    )
    return [
        Session(
            session_id=row[0],
            task_id=row[1],
            run_id=row[2],
            claim=row[3],
            model=row[4],
            stocks=tuple(json.loads(row[5])),
            prompt_version=row[6],
            started_at=from_micros(row[7]),
            ended_as=row[8],
            detail=row[9],
            spent=Spent(turns=row[10], input_tokens=row[11], output_tokens=row[12], cost_usd=row[13]),
            duration=None if row[14] is None else span_from_micros(row[14]),
        )
        for row in rows
    ]
