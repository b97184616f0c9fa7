"""What sessions cost, by day, run, stock or model. What several stocks share is split evenly among them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, tzinfo
from typing import NamedTuple

from handlers.grouping import Grouping
from handlers.spend import COST, IS_KNOWN
from queues.database import Transaction
from queues.moments import from_micros, to_micros


@dataclass(slots=True)
class Sums:
    """Costs in millionths of a US dollar, as whole numbers, so that the parts add up to the whole.

    By stock, a session counts for each of its stocks; all else is split. `at_least` sessions spent more than is
    in here, and `unknown_cost` ones an amount of which nothing is.
    """

    cost: int = 0
    sessions: int = 0
    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    verdicts: int = 0
    at_least: int = 0
    unknown_cost: int = 0

    def add(self, other: "Sums") -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The groups, newest first by day and run, dearest first by stock and model; and the sums over all of them."""

    groups: Sequence[tuple[str, Sums]]
    total: Sums = field(default_factory=Sums)


class _Row(NamedTuple):
    run_id: str
    model: str
    stocks: Sequence[str]
    started_at: datetime
    sums: Sums
    verdicts: Sequence[str]
    """The stock of each."""


def ledger(
    tx: Transaction, grouping: Grouping, *, start: datetime, end: datetime, zone: tzinfo | None
) -> Ledger:
    """The sessions that started from `start` to before `end`; days are those of `zone`."""
    groups: dict[str, Sums] = {}
    total = Sums()
    for row in _rows(tx, start, end):
        total.add(row.sums)
        for key, sums in _parts(row, grouping, zone):
            groups.setdefault(key, Sums()).add(sums)
    if grouping in ("stock", "model"):
        return Ledger(sorted(groups.items(), key=lambda group: (-group[1].cost, group[0])), total)
    return Ledger(list(groups.items()), total)


def _parts(row: _Row, grouping: Grouping, zone: tzinfo | None) -> Iterator[tuple[str, Sums]]:
    match grouping:
        case "day":
            yield row.started_at.astimezone(zone).date().isoformat(), row.sums
        case "run":
            yield row.run_id, row.sums
        case "model":
            yield row.model, row.sums
        case "stock":
            for position, stock in enumerate(row.stocks):
                yield stock, _share(row, position, row.verdicts.count(stock))


def _share(row: _Row, position: int, verdicts: int) -> Sums:
    """The part of the stock at `position`; the parts of all add up to the whole."""

    def part(amount: int) -> int:
        return (position + 1) * amount // len(row.stocks) - position * amount // len(row.stocks)

    whole = row.sums
    return Sums(
        cost=part(whole.cost),
        sessions=1,
        turns=part(whole.turns),
        input_tokens=part(whole.input_tokens),
        output_tokens=part(whole.output_tokens),
        verdicts=verdicts,
        at_least=whole.at_least,
        unknown_cost=whole.unknown_cost,
    )


def _rows(tx: Transaction, start: datetime, end: datetime) -> Iterator[_Row]:
    """Newest first."""
    rows = tx.rows(
        f"SELECT run_id, model, stocks, started_at, coalesce({COST}, 0.0),"
        " coalesce(turns, 0), coalesce(input_tokens, 0), coalesce(output_tokens, 0),"
        f" NOT {IS_KNOWN} AND {COST} IS NOT NULL, {COST} IS NULL,"
        " coalesce(judged, '[]')"
        # A renewed verdict names the session that it was copied from, which judged it once.
        " FROM sessions LEFT JOIN (SELECT session_id, json_group_array(exchange || ':' || symbol) AS judged"
        " FROM verdicts WHERE session_id IS NOT NULL AND renews IS NULL GROUP BY session_id) USING (session_id)"
        " WHERE started_at >= :start AND started_at < :end ORDER BY started_at DESC, session_id",
        start=to_micros(start),
        end=to_micros(end),
    )
    for (
        run_id,
        model,
        stocks,
        started_at,
        cost,
        turns,
        tokens_in,
        tokens_out,
        at_least,
        unknown,
        judged,
    ) in rows:
        verdicts = json.loads(judged)
        sums = Sums(round(cost * 1e6), 1, turns, tokens_in, tokens_out, len(verdicts), at_least, unknown)
        yield _Row(run_id, model, json.loads(stocks), from_micros(started_at), sums, verdicts)
