"""The sessions that cost money: one row each, written before its process starts and completed when it ended."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from handlers.stocks import Stock
from queues.database import Transaction
from queues.model import Task
from queues.moments import from_micros, span_from_micros, span_to_micros

KILLED = "Killed"  # how a session ended whose desk died under it


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
    """A session's row. `ended_as` and `duration` are None while it runs, or when the desk died under it.

    `at_least`: its end was lost sight of, so it spent no less than this.
    """

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
    at_least: bool


def open_session(
    tx: Transaction,
    task: Task,
    session_id: str,
    *,
    model: str,
    stocks: Sequence[Stock],
    prompt_version: str,
    budget_usd: float | None = None,
) -> None:
    tx.run(
        "INSERT INTO sessions"
        " (session_id, task_id, run_id, claim, model, stocks, prompt_version, started_at, budget_usd)"
        " VALUES (:session_id, :task_id, :run_id, :claim, :model, :stocks, :prompt_version, :now, :budget_usd)",
        budget_usd=budget_usd,
        session_id=session_id,
        task_id=task.id,
        run_id=task.run_id,
        claim=task.claim,
        model=model,
        stocks=json.dumps([str(stock) for stock in stocks]),
        prompt_version=prompt_version,
        now=tx.micros,
    )


def note_spent(tx: Transaction, session_id: str, spent: Spent, billing: str | None) -> None:
    """What a session that still runs has used so far, should its desk die under it."""
    tx.run(
        "UPDATE sessions SET turns = :turns, input_tokens = :input_tokens, output_tokens = :output_tokens,"
        " billing = :billing, seen_at = :now WHERE session_id = :session_id AND ended_as IS NULL",
        session_id=session_id,
        turns=spent.turns,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        billing=billing,
        now=tx.micros,
    )


def close_lost_sessions(tx: Transaction, current: Task | None = None) -> int:
    """Close the rows that a dead desk left open, except those of the attempt `current`; returns how many.

    For the only process that may run sessions. They spent at least the tokens seen; the cost stays unknown.
    """
    closed = tx.run(
        "UPDATE sessions SET ended_as = :killed, detail = 'The desk died under it.', at_least = 1,"
        " duration = coalesce(seen_at, started_at) - started_at"
        " WHERE ended_as IS NULL AND NOT (task_id = :task AND claim = :claim)",
        killed=KILLED,
        task="" if current is None else current.id,
        claim=0 if current is None else current.claim,
    )
    if closed:
        tx.touch()
    return closed


def close_session(
    tx: Transaction,
    session_id: str,
    *,
    ended_as: str,
    detail: str,
    spent: Spent,
    duration: timedelta,
    billing: str | None = None,
    at_least: bool = False,
) -> None:
    """Complete the row, once. Not fenced by a claim: spent money is spent.

    What its own desk says goes before what another one, which took it for dead, has written.
    """
    tx.run(
        "UPDATE sessions SET ended_as = :ended_as, detail = :detail, turns = :turns,"
        " input_tokens = :input_tokens, output_tokens = :output_tokens, cost_usd = :cost_usd,"
        " duration = :duration, billing = :billing, at_least = :at_least, seen_at = :now"
        " WHERE session_id = :session_id AND (ended_as IS NULL OR ended_as = :killed)",
        billing=billing,
        at_least=int(at_least),
        killed=KILLED,
        now=tx.micros,
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


_COLUMNS = (
    "session_id, task_id, run_id, claim, model, stocks, prompt_version, started_at, ended_as, detail,"
    " turns, input_tokens, output_tokens, cost_usd, duration, at_least"
)


def sessions_of_task(tx: Transaction, task_id: str) -> list[Session]:
    """The sessions that a task has run, over all its attempts, oldest first."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM sessions WHERE task_id = :id ORDER BY started_at, claim", id=task_id
    )
    return [_session(row) for row in rows]


def find_session(tx: Transaction, session_id: str) -> Session | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM sessions WHERE session_id = :id", id=session_id)
    return None if row is None else _session(row)


def _session(row: tuple[Any, ...]) -> Session:
    return Session(
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
        at_least=row[15] == 1,
    )
