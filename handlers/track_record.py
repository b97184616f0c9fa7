"""How good verdicts were, by analyst, action and conviction.

A verdict is a *hit* when its action was right beside the benchmark: ADD and HOLD where the stock did better (alpha
above 0), TRIM and EXIT where it did worse. The Brier score is the mean of (conviction - hit)², with a hit as 1 and a
miss as 0 (Brier 1950); 0 is perfect, and 0.25 is what a conviction of 0.5 earns whatever comes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import Literal

from queues.database import Transaction

Weeks = Literal[1, 4, 12]
# Below this, a hit rate has an error of more than nine points each way: it tells nothing.
FEWEST = 30
BUCKETS = ((0.0, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0))
_Z = 1.96  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict with its outcome; `alpha` is None where the benchmark's prices are missing."""

    analyst: str
    action: str
    conviction: float
    change: float
    alpha: float | None

    @property
    def is_hit(self) -> bool:
        assert self.alpha is not None
        return self.alpha > 0 if self.action in ("ADD", "HOLD") else self.alpha < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Of the `n` verdicts of one group whose alpha is known; shares, not percent. `of_all` counts the others too.

    `hit_rate_low` and `hit_rate_high` bound the hit rate with 95 % (Wilson 1927), were the verdicts independent.
    """

    analyst: str
    group: str
    of_all: int
    n: int
    mean_return: float | None
    mean_alpha: float | None
    hit_rate: float | None
    hit_rate_low: float | None
    hit_rate_high: float | None
    brier: float | None

    @property
    def is_enough(self) -> bool:
        return self.n >= FEWEST


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """`waiting` counts the verdicts whose time has not come, or whose prices have not been fetched since."""

    by_action: Sequence[Record]
    by_conviction: Sequence[Record]
    waiting: int


def track_record(tx: Transaction, weeks: Weeks) -> TrackRecord:
    """Of every verdict that said what to do; a renewed one counts once, from when it was judged."""
    judged = [
        Judged(*row)
        for row in tx.rows(
            "SELECT analyst, action, conviction, return, return - benchmark_return FROM outcomes"
            " JOIN verdicts ON seq = verdict WHERE weeks = :weeks AND action <> 'INSUFFICIENT_DATA'",
            weeks=weeks,
        )
    ]
    row = tx.row(
        "SELECT count(*) FROM verdicts JOIN starts ON starts.verdict = seq WHERE action <> 'INSUFFICIENT_DATA'"
        " AND NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.verdict = seq AND weeks = :weeks)",
        weeks=weeks,
    )
    assert row is not None
    return TrackRecord(_grouped(judged, lambda each: each.action), _grouped(judged, bucket_of), row[0])


def bucket_of(judged: Judged) -> str:
    """Like 0.6-0.8; its upper end belongs to the next one, except for 1."""
    low, high = next(bounds for bounds in reversed(BUCKETS) if judged.conviction >= bounds[0])
    return f"{low:.1f}-{high:.1f}"


def _grouped(judged: Sequence[Judged], group_of: Callable[[Judged], str]) -> list[Record]:
    groups: dict[tuple[str, str], list[Judged]] = {}
    for each in judged:
        groups.setdefault((each.analyst, group_of(each)), []).append(each)
    return [_record(*key, members) for key, members in sorted(groups.items())]


def _record(analyst: str, group: str, members: Sequence[Judged]) -> Record:
    known = [each for each in members if each.alpha is not None]
    hits = [each.is_hit for each in known]
    low, high = _wilson(sum(hits), len(hits))
    return Record(
        analyst=analyst,
        group=group,
        of_all=len(members),
        n=len(known),
        mean_return=fmean(each.change for each in known) if known else None,
        mean_alpha=fmean(each.alpha or 0.0 for each in known) if known else None,
        hit_rate=fmean(hits) if known else None,
        hit_rate_low=low,
        hit_rate_high=high,
        brier=fmean((each.conviction - hit) ** 2 for each, hit in zip(known, hits, strict=True))
        if known
        else None,
    )


def _wilson(hits: int, n: int) -> tuple[float, float] | tuple[None, None]:
    if n == 0:
        return None, None
    share = hits / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return middle - half, middle + half
