"""What sessions that wait will cost and how long they will take, from what earlier ones did. Nothing is guessed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from math import ceil, floor
from statistics import median

from handlers.analysis_task import AnalysisPayload
from handlers.day import day_of
from handlers.spend import IS_KNOWN, reserve, spent_between
from queues.database import Transaction
from queues.model import QueueName, Task
from queues.moments import span_from_micros
from queues.payloads import count_unfinished

HISTORY = 50
LOW, HIGH = 0.1, 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The settings that an estimate follows from; `analyst` is who judges where a task does not say."""

    analyst: str
    model: str
    session_usd: float
    daily_usd: float
    zone: tzinfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Of `sessions` that wait, over `stocks`, behind `ahead` others.

    `low_usd` and `high_usd` add up what a session of the same model and size usually costs, the 10th to the 90th
    percentile of `learned_from` ones. They are None without any, as is `span`; where only some sizes have
    a history, the `unlearned` sessions count as nothing in the one and as their limit in the other.
    `at_most_usd` is every session at its limit; one that is repeated, or split, comes on top.
    `wait` is how many of them today's budget will not reach.
    """

    sessions: int
    stocks: int
    ahead: int
    low_usd: float | None
    high_usd: float | None
    at_most_usd: float
    learned_from: int
    unlearned: int
    span: timedelta | None
    left_today_usd: float
    wait: int | None


@dataclass(frozen=True, slots=True)
class _History:
    """Costs, lowest first, and the median duration of sessions of one model."""

    costs: Sequence[float]
    duration: timedelta

    def cost(self, share: float) -> float:
        position = share * (len(self.costs) - 1)
        return self.costs[floor(position) if share < 1 / 2 else ceil(position)]


def estimate(tx: Transaction, tasks: Sequence[Task], terms: Terms, now: datetime) -> Estimate | None:
    """What the Claude sessions among `tasks` will cost; None if there is none."""
    waiting = [task for task in tasks if _is_paid(task, terms)]
    if not waiting:
        return None
    sizes = Counter(len(_payload(task).stocks) for task in waiting)
    histories = {size: _history(tx, terms.model, size) for size in sizes}
    known = [(history, sizes[size]) for size, history in histories.items() if history is not None]
    unlearned = len(waiting) - sum(count for _, count in known)
    ahead = _ahead(tx, waiting, terms)
    overall = _history(tx, terms.model, None) if known else None
    left = (
        terms.daily_usd
        - spent_between(tx, *day_of(now, terms.zone), session_usd=terms.session_usd).at_most_usd
    )
    return Estimate(
        sessions=len(waiting),
        stocks=sum(size * count for size, count in sizes.items()),
        ahead=ahead,
        low_usd=sum(history.cost(LOW) * count for history, count in known) if known else None,
        high_usd=sum(history.cost(HIGH) * count for history, count in known) + unlearned * terms.session_usd
        if known
        else None,
        at_most_usd=len(waiting) * terms.session_usd,
        learned_from=sum(len(history.costs) for history, _ in known),
        unlearned=unlearned,
        span=None if overall is None else overall.duration * (len(waiting) + ahead),
        left_today_usd=max(0.0, left),
        wait=None
        if overall is None
        else _waiting_for_tomorrow(tx, len(waiting), ahead, overall, left, terms, now),
    )


def _history(tx: Transaction, model: str, size: int | None) -> _History | None:
    """The last 50 sessions of `model` with a known cost, and of `size` stocks where that is given."""
    rows = tx.rows(
        f"SELECT cost_usd, duration FROM sessions WHERE {IS_KNOWN} AND cost_usd > 0 AND model = :model"
        " AND :size IN (json_array_length(stocks), 0) ORDER BY started_at DESC LIMIT :most",
        model=model,
        size=size or 0,
        most=HISTORY,
    )
    if not rows:
        return None
    duration = span_from_micros(round(median(duration for _, duration in rows)))
    return _History(sorted(cost for cost, _ in rows), duration)


def _ahead(tx: Transaction, waiting: Sequence[Task], terms: Terms) -> int:
    """How many other sessions run before the last of these."""
    lowest = min(task.priority for task in waiting)
    same = count_unfinished(
        tx, QueueName.AI_ANALYSIS, priority=lowest, key="analyst", value="claude", default=terms.analyst
    )
    return same - len(waiting)


def _waiting_for_tomorrow(
    tx: Transaction,
    sessions: int,
    ahead: int,
    history: _History,
    left_usd: float,
    terms: Terms,
    now: datetime,
) -> int:
    """At the median cost and duration: how many of the last `sessions` today's budget does not reach."""
    _, midnight = day_of(now, terms.zone)
    before_midnight = ceil((midnight - now) / history.duration) if history.duration else ahead + sessions
    spare = left_usd - reserve(tx, terms.session_usd)
    affordable = floor(spare / median(history.costs)) + 1 if spare >= 0 else 0
    if min(before_midnight, ahead + sessions) <= affordable:
        return 0
    return min(sessions, ahead + sessions - affordable)


def _is_paid(task: Task, terms: Terms) -> bool:
    return task.queue is QueueName.AI_ANALYSIS and (_payload(task).analyst or terms.analyst) == "claude"


def _payload(task: Task) -> AnalysisPayload:
    return AnalysisPayload.model_validate(task.payload)
