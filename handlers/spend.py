"""What the sessions of a day may cost together, and whether one more fits.

Costs are those that the CLI reported, at the API's list prices: on a subscription they are what the API would have
cost, and count just the same. A session counts for the day on which it started.
"""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from handlers.analyst.standing import DAILY_BUDGET
from handlers.day import dated, day_of
from queues.database import Transaction
from queues.moments import to_micros
from queues.outcome import HoldRequest, Snooze

# The next session may need more than any of the last ones did, and what one that is cut short has cost is lost.
RESERVE = 1.5
RESERVE_SESSIONS = 20
# What did not start has cost nothing, though nobody reported it.
COST = "iif(ended_as = 'LaunchFailed', 0.0, cost_usd)"
IS_KNOWN = f"(ended_as IS NOT NULL AND at_least = 0 AND {COST} IS NOT NULL)"


@dataclass(frozen=True, slots=True)
class Spending:
    """`reported_usd` is what is known to be spent; in `at_most_usd` a session of unknown cost counts as its limit.

    Unknown is the cost of one that runs, or whose end was lost sight of; there are `unknown` of them.
    """

    reported_usd: float
    at_most_usd: float
    unknown: int
    sessions: int


def spent_between(tx: Transaction, start: datetime, end: datetime, *, session_usd: float) -> Spending:
    """What the sessions cost that started from `start` to before `end`.

    `session_usd` is the limit of those of which none was written down.
    """
    row = tx.row(
        f"SELECT coalesce(sum({COST}), 0.0), coalesce(sum(iif({IS_KNOWN}, {COST},"
        " max(coalesce(cost_usd, 0.0), coalesce(budget_usd, :limit)))), 0.0),"
        f" coalesce(sum(NOT {IS_KNOWN}), 0), count(*)"
        " FROM sessions WHERE started_at >= :start AND started_at < :end",
        limit=session_usd,
        start=to_micros(start),
        end=to_micros(end),
    )
    assert row is not None
    return Spending(*row)


def budget_for_next_session(
    tx: Transaction, *, now: datetime, daily_usd: float, session_usd: float, zone: tzinfo | None
) -> float | Snooze:
    """The most that a session may cost that starts now, in US dollars; or the hold until tomorrow.

    One starts if as much is left of the day as it may well need, and always on a day on which nothing was spent.
    """
    spending = spent_between(tx, *day_of(now, zone), session_usd=session_usd)
    left = daily_usd - spending.at_most_usd
    if spending.at_most_usd > 0 and left < reserve(tx, session_usd):
        return hold_until_tomorrow(tx, now=now, daily_usd=daily_usd, session_usd=session_usd, zone=zone)
    return min(session_usd, left)


def reserve(tx: Transaction, session_usd: float) -> float:
    """What must be left for a session to start: 1.5 times the dearest of the last 20, at most the session's limit."""
    row = tx.row(
        "SELECT max(cost_usd) FROM (SELECT cost_usd FROM sessions"
        f" WHERE {IS_KNOWN} AND cost_usd > 0 ORDER BY started_at DESC LIMIT :most)",
        most=RESERVE_SESSIONS,
    )
    assert row is not None
    return session_usd if row[0] is None else min(session_usd, RESERVE * row[0])


def hold_until_tomorrow(
    tx: Transaction, *, now: datetime, daily_usd: float, session_usd: float, zone: tzinfo | None
) -> Snooze:
    """Nothing more today, even if the queue is released: a limit on money is a person's setting, not a tool's."""
    start, tomorrow = day_of(now, zone)
    spending = spent_between(tx, start, tomorrow, session_usd=session_usd)
    unknown = f" ({spending.unknown} of unknown cost counted as their limit)" if spending.unknown else ""
    sentence = (
        f"{spending.sessions} session{'' if spending.sessions == 1 else 's'} of today spent"
        f" ${spending.at_most_usd:.2f}{unknown} of the ${daily_usd:.2f} of STOCKDESK_DAILY_BUDGET_USD, and too"
        f" little is left for another; the queue goes on at {dated(tomorrow, zone)}. To go on earlier,"
        " raise that setting and restart what runs the queues; a release alone does not help."
    )
    return Snooze(sentence, None, HoldRequest(f"{DAILY_BUDGET}={daily_usd:g}", sentence, tomorrow))


def was_cut_short_by_the_day(budget_usd: float, *, daily_usd: float, session_usd: float) -> bool:
    """Whether a session that used up `budget_usd` would have had more on another day: then it was the day's end.

    What even a whole day's budget does not suffice for is no matter of the day.
    """
    return budget_usd < min(session_usd, daily_usd)


def last_billing(tx: Transaction) -> str | None:
    """Who paid the newest session that knew: api or subscription."""
    row = tx.row("SELECT billing FROM sessions WHERE billing IS NOT NULL ORDER BY started_at DESC LIMIT 1")
    return None if row is None else row[0]
