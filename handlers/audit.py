"""What stands behind a verdict: exactly what its analyst was given, what was refused, what it cost, what changed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from handlers.analyst.costs import Session, find_session
from handlers.stocks import Stock
from handlers.verdict import Verdict
from handlers.verdicts import verdict_before
from queues.database import Transaction

# A new day changes most facts of a stock; the first ones tell enough.
MOST_CHANGES = 12


@dataclass(frozen=True, slots=True)
class Audit:
    """`inputs` is the stock's part of the prompt as it was sent; None for a verdict of before they were kept.

    `session` is None without Claude. `changes` are sentences about `previous`, the verdict before; none without one.
    """

    inputs: Mapping[str, Any] | None
    session: Session | None
    refusals: tuple[str, ...]
    previous: Verdict | None
    changes: tuple[str, ...]


def store_inputs(tx: Transaction, digest: str, content: Mapping[str, Any]) -> str:
    """Keep what an analyst is given, once however often it is; returns its `digest`."""
    tx.run(
        "INSERT OR IGNORE INTO inputs (hash, content) VALUES (:hash, :content)",
        hash=digest,
        content=json.dumps(content, ensure_ascii=False),
    )
    return digest


def store_refusal(tx: Transaction, session_id: str, stock: Stock, reason: str) -> None:
    tx.run(
        "INSERT INTO refusals (session_id, symbol, exchange, reason, refused_at)"
        " VALUES (:session_id, :symbol, :exchange, :reason, :now)",
        session_id=session_id,
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        reason=reason,
        now=tx.micros,
    )


def audit_of(tx: Transaction, verdict: Verdict) -> Audit:
    previous = verdict_before(tx, verdict)
    inputs = _inputs(tx, verdict)
    return Audit(
        inputs=inputs,
        session=None if verdict.session_id is None else find_session(tx, verdict.session_id),
        refusals=_refusals(tx, verdict),
        previous=previous,
        changes=()
        if previous is None
        else (*_changed_view(previous, verdict), *_changed_facts(_inputs(tx, previous), inputs)),
    )


def _inputs(tx: Transaction, verdict: Verdict) -> Mapping[str, Any] | None:
    row = tx.row("SELECT content FROM inputs WHERE hash = :hash", hash=verdict.inputs)
    return None if row is None else json.loads(row[0])


def _refusals(tx: Transaction, verdict: Verdict) -> tuple[str, ...]:
    rows = tx.rows(
        "SELECT reason FROM refusals WHERE session_id = :session AND symbol = :symbol AND exchange = :exchange"
        " ORDER BY seq",
        session=verdict.session_id,
        symbol=verdict.stock.symbol,
        exchange=verdict.stock.exchange.value,
    )
    return tuple(reason for (reason,) in rows)


def _changed_view(before: Verdict, now: Verdict) -> Iterator[str]:
    if before.action != now.action:
        yield f"action: {before.action} → {now.action}"
    if before.conviction != now.conviction:
        yield f"conviction: {before.conviction:g} → {now.conviction:g}"
    if before.analyst != now.analyst:
        yield f"analyst: {before.analyst} → {now.analyst}"


def _changed_facts(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> Iterator[str]:
    """What each fact was and is, in the order of `now`; nothing where one of both is not known."""
    if before is None or now is None:
        return
    old = {fact["name"]: fact for fact in before["facts"]}
    changed = [
        f"{fact['name']}: {old[fact['name']]['value']:g} → {fact['value']:g} {fact['unit']}"
        for fact in now["facts"]
        if fact["name"] in old and old[fact["name"]]["value"] != fact["value"]
    ]
    yield from changed[:MOST_CHANGES]
    if len(changed) > MOST_CHANGES:
        yield f"{len(changed) - MOST_CHANGES} more facts"
