"""What became different since a moment: the views of stocks, and what is held."""

import json
from bisect import bisect_right
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


@dataclass(frozen=True, slots=True)
class Review:
    """A run that judged `stocks` stocks; it began when it read its file or first judged.

    `is_whole` if more than half of the stocks that all accounts held then were among them.
    """

    began_at: datetime
    stocks: int
    is_whole: bool


def last_review(tx: Transaction) -> Review | None:
    """The newest run that judged the portfolio as a whole, however many others judged a few stocks since.

    Where no run did, the newest that judged several stocks, else the newest at all; None where none judged anything.
    The newest is the one that judged its first stock last: what is retried in an old run makes it no newer.
    """
    holding = _Holding(tx)
    runs = tx.rows(
        "SELECT run_id, min(created_at), count(DISTINCT exchange || ':' || symbol) AS stocks FROM verdicts"
        " GROUP BY run_id ORDER BY stocks > 1 DESC, min(seq) DESC"
    )
    if not runs:
        return None
    whole = next((run for run in runs if holding.is_most(*run)), None)
    run_id, judged_at, stocks = whole or runs[0]
    read = tx.row("SELECT min(taken_at) FROM snapshots WHERE task_id = :run_id", run_id=run_id)
    began_at = judged_at if read is None or read[0] is None else min(judged_at, read[0])
    return Review(from_micros(began_at), stocks, is_whole=whole is not None)


class _Holding:
    """What all accounts held at any time; looked up once for all runs between two syncs."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._moments: list[int] = []
        self._snapshots: list[tuple[int, ...]] = []
        self._held: dict[tuple[int, ...], set[tuple[str, str]]] = {}
        newest: dict[str, int] = {}
        for seq, account, taken_at in tx.rows(
            "SELECT seq, account, taken_at FROM snapshots ORDER BY taken_at, seq"
        ):
            newest[account] = seq
            self._moments.append(taken_at)
            self._snapshots.append(tuple(newest.values()))

    def is_most(self, run_id: str, moment: int, stocks: int) -> bool:
        """Whether the `stocks` stocks that this run judged are more than half of those held at `moment`."""
        synced = bisect_right(self._moments, moment)
        held = self._of(self._snapshots[synced - 1]) if synced else set[tuple[str, str]]()
        if not 2 * stocks > len(held) > 0:
            return False
        judged = self._tx.rows(
            "SELECT DISTINCT symbol, exchange FROM verdicts WHERE run_id = :run_id", run_id=run_id
        )
        return 2 * len(held.intersection(judged)) > len(held)

    def _of(self, snapshots: tuple[int, ...]) -> set[tuple[str, str]]:
        if snapshots not in self._held:
            rows = self._tx.rows(
                "SELECT symbol, exchange FROM holdings WHERE snapshot IN (SELECT value FROM json_each(:snapshots))",
                snapshots=json.dumps(snapshots),
            )
            self._held[snapshots] = {(symbol, exchange) for symbol, exchange in rows}
        return self._held[snapshots]


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
