"""What a prompt tells of the desk as it is now: small, and as JSON can hold it."""

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, TypeAlias

from handlers.audit import audit_of
from handlers.changes import Judgement, Rejudged, last_review, rejudged_since, traded_since
from handlers.day import dated, day_of
from handlers.portfolio import accounts
from handlers.resolve import resolve_stocks
from handlers.verdicts import latest_verdicts
from queues.database import Transaction
from queues.inspection import attempts_of
from queues.store import find_task
from server.desk import Desk
from server.inspection import desk_status
from server.requests import RequestError, known_account
from server.verdict_views import PreviousView, VerdictView
from server.views import AttemptView, TaskView

Facts: TypeAlias = dict[str, Any]

# A prompt is read whole, each time: what is longer is named by its number, and the tools show it.
MOST_NAMED = 40
NEWEST_ATTEMPTS = 3
DAYS = re.compile(r"([0-9]{1,4})(?: days?)?")
LONGEST_AGO = timedelta(days=3660)
NOON = time(12)


async def review_facts(desk: Desk, account: str | None, path: str | None) -> Facts:
    """The accounts to review, all or the one asked for; none while nothing is held.

    Raises:
        RequestError: no file is named, and there is no such account.
    """

    def read(tx: Transaction) -> list[Facts]:
        name = None if path else known_account(tx, account)
        return [
            {"account": each.name, "holdings": each.holdings, "synced_at": _told(desk, each.taken_at)}
            for each in accounts(tx)[:MOST_NAMED]
            if name in (None, each.name)
        ]

    held = await desk.database.read(read)
    return {
        "asked": {"account": account, "path": path},
        "held": held,
        "analyst": desk.settings.analyst,
        "status": await _status(desk),
    }


async def verdict_facts(desk: Desk, symbol: str) -> Facts:
    """The stock's newest verdict in short, and what it changed.

    Raises:
        StockError: the text is no symbol, or its exchange cannot be known.
        RequestError: the stock has no verdict.
    """

    def read(tx: Transaction) -> Facts:
        [stock] = resolve_stocks(tx, [symbol], None, desk.settings.default_exchange)
        for verdict in latest_verdicts(tx, [stock]):
            audit = audit_of(tx, verdict)
            return {
                "verdict": VerdictView.of(tx, verdict, full=False).model_dump(
                    mode="json", exclude={"detail"}
                ),
                "verdict_before": None
                if audit.previous is None
                else PreviousView.of(audit.previous).model_dump(mode="json"),
                "changes": list(audit.changes),
            }
        raise RequestError(
            f"{stock} has no verdict yet; enqueue_ai_analysis makes one, get_verdicts shows those there are."
        )

    return await desk.database.read(read)


async def change_facts(desk: Desk, since: str | None) -> Facts:
    """Which views and holdings are other than they were at a moment: the last review's beginning, if none is named.

    Raises:
        RequestError: `since` names no day of the last ten years, or nothing was ever judged.
    """

    def read(tx: Transaction) -> Facts:
        moment, told = _beginning(desk, tx, since)
        judged = rejudged_since(tx, moment)
        changed = [each for each in judged if each.is_changed]
        traded = [
            {
                "account": name,
                "stock": str(each.stock),
                "before": float(each.before),
                "now": float(each.quantity),
            }
            for name, each in traded_since(tx, moment)
        ]
        return {
            "since": told,
            "stocks_judged_since": len(judged),
            "of_these_with_the_same_view": len(judged) - len(changed),
            "changed_views": _named([_change(each) for each in sorted(changed, key=_by_weight)]),
            "changed_holdings": _named(traded),
        }

    return {**await desk.database.read(read), "status": await _status(desk)}


async def stuck_facts(desk: Desk, task_id: str | None) -> Facts:
    """What the status says, and how one task stands.

    Raises:
        UnknownTaskError: there is no such task.
    """
    if task_id is None:
        return {"status": await _status(desk)}

    def read(tx: Transaction) -> Facts:
        task = find_task(tx, task_id.strip())
        view = TaskView.of(tx, task).model_dump(mode="json", exclude={"payload", "result"})
        attempts = attempts_of(tx, task)[-NEWEST_ATTEMPTS:]
        return {
            "task": view,
            "last_attempts": [AttemptView.of(each).model_dump(mode="json") for each in attempts],
        }

    return {**await desk.database.read(read), "status": await _status(desk)}


async def _status(desk: Desk) -> str:
    return (await desk_status(desk)).message


def _told(desk: Desk, moment: datetime) -> str:
    return dated(moment, desk.settings.zone)


def _beginning(desk: Desk, tx: Transaction, since: str | None) -> tuple[datetime, str]:
    """The moment, and what it is."""
    if since is not None:
        moment = _moment(since, tx.now, desk.settings.zone)
        return moment, _told(desk, moment)
    review = last_review(tx)
    if review is None:
        raise RequestError(
            "Nothing was ever judged, so there is no last review; ask for one, or say since when."
        )
    kind, unlike = (
        ("review", "") if review.is_whole else ("analysis", "; no review of the portfolio is known")
    )
    told = f"{_told(desk, review.began_at)}, when the last {kind} began"
    return review.began_at, f"{told} ({review.stocks} judged){unlike}"


def _moment(since: str, now: datetime, zone: tzinfo | None) -> datetime:
    """`2026-11-20` is the beginning of that day where the desk's owner lives; `7` is seven days ago."""
    today = now.astimezone(zone).date()
    days = DAYS.fullmatch(since.strip())
    ago = timedelta(days=int(days[1])) if days else today - _day(since)
    if not timedelta() <= ago <= LONGEST_AGO:
        raise RequestError(f"since: {since[:40]!r} has to lie in the last {LONGEST_AGO.days} days.")
    return now - ago if days else day_of(datetime.combine(today - ago, NOON, zone), zone)[0]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise RequestError(
            f"since: {text[:40]!r} is no date; write one like 2026-11-20, or a number of days like 7, or leave it"
            " out for the last review."
        ) from None


def _change(rejudged: Rejudged) -> Facts:
    return {
        "stock": str(rejudged.stock),
        "before": None if rejudged.before is None else _spoken(rejudged.before),
        "now": _spoken(rejudged.now),
    }


def _spoken(judgement: Judgement) -> str:
    return f"{judgement.action} {judgement.conviction:g} by {judgement.analyst}"


def _by_weight(rejudged: Rejudged) -> tuple[bool, bool]:
    """Another action first, then stocks that are new, then another conviction."""
    before = rejudged.before
    return before is None, before is not None and before.action == rejudged.now.action


def _named(entries: Sequence[Facts]) -> list[Facts | str]:
    more = len(entries) - MOST_NAMED
    return [*entries[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
