"""What became different since a moment: the views of stocks, and what is held."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from handlers.portfolio import QuantityChange
from handlers.stocks import Exchange, Stock
from handlers.verdict import Action, Analyst
from queues.database import Transaction
from queues.moments import from_micros, to_micros


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a verdict says, without its reasons."""

    action: Action
    conviction: float
    analyst: Analyst


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A stock that was judged since the moment; `before` is what stood until then, None where nothing did."""

    stock: Stock
    before: Judgement | None
    now: Judgement

    @property
    def is_changed(self) -> bool:
        return self.before is None or (self.before.action, self.before.conviction) != (
            self.now.action,
            self.now.conviction,
        )


def last_review_at(tx: Transaction) -> datetime | None:
    """When the newest run that judged several stocks (else the newest at all) read its file or first judged.

    None where no stock was ever judged.
    """
    row = tx.row(
        "SELECT min(judged_at, coalesce((SELECT min(taken_at) FROM snapshots WHERE task_id = run_id), judged_at))"
        " FROM (SELECT run_id, min(created_at) AS judged_at FROM verdicts GROUP BY run_id"
        " ORDER BY count(DISTINCT exchange || ':' || symbol) > 1 DESC, max(seq) DESC LIMIT 1)"
    )
    return None if row is None else from_micros(row[0])


def rejudged_since(tx: Transaction, moment: datetime) -> list[Rejudged]:
    """Every stock with a verdict of `moment` or later, by symbol: the newest against that of before `moment`."""
    rows = tx.rows(
        "SELECT now.symbol, now.exchange, now.action, now.conviction, now.analyst,"
        " before.action, before.conviction, before.analyst"
        " FROM verdicts AS now LEFT JOIN verdicts AS before ON before.seq = (SELECT max(seq) FROM verdicts"
        " WHERE symbol = now.symbol AND exchange = now.exchange AND created_at < :moment)"
        " WHERE now.seq IN (SELECT max(seq) FROM verdicts GROUP BY symbol, exchange)"
        " AND now.created_at >= :moment ORDER BY now.symbol, now.exchange",
        moment=to_micros(moment),
    )
    return [
        Rejudged(
            Stock(symbol, Exchange(exchange)),
            None if views[3] is None else _judgement(*views[3:]),
            _judgement(*views[:3]),
        )
        for symbol, exchange, *views in rows
    ]


def _judgement(action: str, conviction: float, analyst: str) -> Judgement:
    return Judgement(Action(action), conviction, Analyst(analyst))


Quantities: TypeAlias = Mapping[tuple[str, Stock], Decimal]
"""How many shares each account holds of each stock."""


def traded_since(tx: Transaction, moment: datetime) -> list[tuple[str, QuantityChange]]:
    """What the accounts hold now against what they held as of `moment`, by account and symbol.

    An account that was first synced since then has all of its holdings added.
    """
    before, now = _held_before(tx, moment), _held_before(tx, None)
    nothing = Decimal(0)
    return [
        (
            key[0],
            QuantityChange(stock=key[1], quantity=now.get(key, nothing), before=before.get(key, nothing)),
        )
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]


def _held_before(tx: Transaction, moment: datetime | None) -> Quantities:
    """By the newest snapshot of each account, or its newest of before `moment`."""
    rows = tx.rows(
        "SELECT account, symbol, exchange, quantity FROM snapshots JOIN holdings ON snapshot = seq WHERE seq IN"
        " (SELECT max(seq) FROM snapshots WHERE :moment IS NULL OR taken_at < :moment GROUP BY account)",
        moment=None if moment is None else to_micros(moment),
    )
    return {
        (account, Stock(symbol, Exchange(exchange))): Decimal(quantity)
        for account, symbol, exchange, quantity in rows
    }
