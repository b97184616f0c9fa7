"""The store of facts: one number each, with unit, date and source.

A fact never changes; a newer one follows it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from handlers.stocks import Exchange, Stock
from queues.database import Transaction
from queues.moments import from_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFact:
    """A number as a source gave it or code computed it.

    `unit` is an ISO 4217 code for money, `percent` (5.0 means 5 %), `ratio`, `points` or `shares`. `source`
    names where the inputs came from, `inputs` what the number was computed from ("closes 2021-12-29 to
    2022-12-28"); empty for a number that the source itself states.
    """

    name: str
    value: float
    unit: str
    as_of: date
    source: str
    inputs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A stored fact. `id` (`f` and a number) stays valid for good, so a verdict can cite it."""

    id: str
    stock: Stock
    name: str
    value: float
    unit: str
    as_of: date
    source: str
    inputs: str
    fetched_at: datetime


def store_facts(tx: Transaction, stock: Stock, facts: Sequence[NewFact]) -> None:
    """Make these the current facts of the stock; one that is already current keeps its id."""
    tx.run("DELETE FROM current_facts WHERE symbol = :s AND exchange = :e", s=stock.symbol, e=stock.exchange)
    for fact in facts:
        values = {
            "symbol": stock.symbol,
            "exchange": stock.exchange.value,
            "name": fact.name,
            "value": fact.value,
            "unit": fact.unit,
            "as_of": fact.as_of.isoformat(),
            "source": fact.source,
            "inputs": fact.inputs,
        }
        tx.run(
            "INSERT INTO facts (symbol, exchange, name, value, unit, as_of, source, inputs, fetched_at)"
            " VALUES (:symbol, :exchange, :name, :value, :unit, :as_of, :source, :inputs, :now)"
            " ON CONFLICT (symbol, exchange, name, as_of, source, value, unit, inputs) DO NOTHING",
            **values,
            now=tx.micros,
        )
        tx.run(
            "INSERT INTO current_facts (symbol, exchange, name, fact)"
            " SELECT symbol, exchange, name, seq FROM facts WHERE symbol = :symbol AND exchange = :exchange"
            " AND name = :name AND as_of = :as_of AND source = :source AND value = :value AND unit = :unit"
            " AND inputs = :inputs",
            **values,
        )


_COLUMNS = (
    "facts.seq, facts.symbol, facts.exchange, facts.name, value, unit, as_of, source, inputs, fetched_at"
)


def current_facts(tx: Transaction, stock: Stock) -> list[Fact]:
    """The newest facts of the stock, in the order in which they were stored; empty if there are none."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM current_facts JOIN facts ON facts.seq = fact"
        " WHERE current_facts.symbol = :s AND current_facts.exchange = :e ORDER BY facts.seq",
        s=stock.symbol,
        e=stock.exchange,
    )
    return [_fact(row) for row in rows]


def current_facts_called(tx: Transaction, name: str) -> dict[Stock, Fact]:
    """The newest fact of this name of every stock that has one."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM current_facts JOIN facts ON facts.seq = fact WHERE current_facts.name = :name"
        " ORDER BY facts.seq",
        name=name,
    )
    return {fact.stock: fact for fact in map(_fact, rows)}


def find_fact(tx: Transaction, fact_id: str) -> Fact | None:
    """The fact with this id, current or not."""
    if not re.fullmatch(r"f[0-9]{1,18}", fact_id):  # more digits would not fit into 64 bits
        return None
    row = tx.row(f"SELECT {_COLUMNS} FROM facts WHERE seq = :id", id=int(fact_id[1:]))
    return None if row is None else _fact(row)


def _fact(row: tuple[object, ...]) -> Fact:
    seq, symbol, exchange, name, value, unit, as_of, source, inputs, fetched_at = row
    assert isinstance(value, float)
    assert isinstance(fetched_at, int)
    return Fact(
        id=f"f{seq}",
        stock=Stock(str(symbol), Exchange(str(exchange))),
        name=str(name),
        value=value,
        unit=str(unit),
        as_of=date.fromisoformat(str(as_of)),
        source=str(source),
        inputs=str(inputs),
        fetched_at=from_micros(fetched_at),
    )
