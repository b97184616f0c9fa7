"""How the verdicts stand, all in all."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime

from queues.database import Transaction
from queues.moments import from_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Of the newest verdict of each stock: how many there are of each action and of each analyst.

    `newest_at` is when the last one was made, `oldest_as_of` the date of the oldest data that one stands on.
    """

    actions: dict[str, int]
    analysts: dict[str, int]
    newest_at: datetime | None
    oldest_as_of: date | None

    @property
    def stocks(self) -> int:
        return sum(self.actions.values())


def board(tx: Transaction) -> Board:
    rows = tx.rows(
        "SELECT action, analyst, count(*), max(created_at), min(as_of) FROM verdicts WHERE seq IN"
        " (SELECT max(seq) FROM verdicts GROUP BY symbol, exchange) GROUP BY action, analyst"
    )
    actions: Counter[str] = Counter()
    analysts: Counter[str] = Counter()
    for action, analyst, count, _, _ in rows:
        actions[action] += count
        analysts[analyst] += count
    newest = max((made for _, _, _, made, _ in rows), default=None)
    return Board(
        actions=dict(actions),
        analysts=dict(analysts),
        newest_at=None if newest is None else from_micros(newest),
        oldest_as_of=min(
            (date.fromisoformat(as_of) for _, _, _, _, as_of in rows if as_of is not None), default=None
        ),
    )
