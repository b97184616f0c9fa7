"""What currencies are worth in the base currency: the store of the dated rates, and when they are asked for."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import TYPE_CHECKING

from handlers.analytics import Rate
from handlers.brokers.holding import Holding
from handlers.portfolio import current_holdings
from handlers.sources.base import SourceError
from queues.context import Handler, TaskContext
from queues.database import Transaction
from queues.model import JsonObject
from queues.outcome import Completed, Outcome

if TYPE_CHECKING:  # it brings a parser, which a server needs only when it fetches
    from handlers.sources.ecb import DayOfRates

SOURCE = "ECB reference rates"
EURO = "EUR"
# The bank publishes once a day; a fetch of many tasks asks once.
_ASK_AGAIN_AFTER = timedelta(hours=1)
# More digits than the published rates have: a cross rate says no more than they do.
_CROSS = Context(prec=8)


def store_rates(tx: Transaction, found: "DayOfRates") -> None:
    """Keep them; of a day that is stored already, nothing changes."""
    tx.run_many(
        "INSERT INTO rates (day, currency, per_euro, fetched_at) VALUES (:day, :currency, :per_euro, :now)"
        " ON CONFLICT (day, currency) DO NOTHING",
        [
            {"day": found.day.isoformat(), "currency": currency, "per_euro": f"{rate:f}", "now": tx.micros}
            for currency, rate in found.per_euro.items()
        ],
    )


def rates_to(tx: Transaction, base: str) -> list[Rate]:
    """What each other currency is worth in `base`, on the newest stored day; none if that day has no rate of `base`.

    Two currencies that are not the euro are compared through it.
    """
    rows = tx.rows("SELECT currency, per_euro, day FROM rates WHERE day = (SELECT max(day) FROM rates)")
    per_euro = {EURO: Decimal(1), **{currency: Decimal(rate) for currency, rate, _ in rows}}
    if not rows or base not in per_euro:
        return []
    day = datetime.fromisoformat(rows[0][2]).date()
    return [
        Rate(currency=each, base=base, rate=_CROSS.divide(per_euro[base], rate), day=day, source=SOURCE)
        for each, rate in sorted(per_euro.items())
        if each != base
    ]


def has_foreign_money(holdings: Iterable[Holding], base: str) -> bool:
    """Whether any of these was paid, or is traded, in another currency."""
    return any(
        base != currency for each in holdings for currency in (each.currency, each.stock.exchange.currency)
    )


def with_rates(fetch: Handler, ask: "Callable[[], Awaitable[DayOfRates]]", base: str) -> Handler:
    """The handler of fetches, which now also asks for the newest rates, if anything that is held needs them.

    The result says which day was stored, or why none was. Prices do not hang on it: without newer rates, those that
    are stored stay in use, under their date.
    """
    asked_at: list[datetime] = []

    async def bring(ctx: TaskContext) -> JsonObject:
        if asked_at and ctx.now - asked_at[-1] < _ASK_AGAIN_AFTER:
            return {}
        held = await ctx.database.read(current_holdings)
        if not has_foreign_money((each.holding for each in held), base):
            return {}
        asked_at[:] = [ctx.now]
        try:
            found = await ask()
        except SourceError as error:
            return {"rates": f"None: {error}"}
        await ctx.commit(lambda tx: store_rates(tx, found))
        missing = [] if base in {EURO, *found.per_euro} else [f"none of {base}"]
        return {"rates": ", ".join([f"{SOURCE} of {found.day}", *missing])}

    async def handle(ctx: TaskContext) -> Outcome:
        told = await bring(ctx)
        outcome = await fetch(ctx)
        return (
            replace(outcome, result={**outcome.result, **told}) if isinstance(outcome, Completed) else outcome
        )

    return handle
