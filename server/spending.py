"""What sessions cost and will cost, as tools and the command line show it. All amounts are in US dollars."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from handlers.analysis_task import unfinished_analyses
from handlers.day import day_of, spoken
from handlers.estimate import Estimate, Terms, estimate
from handlers.grouping import Grouping
from handlers.ledger import Sums, ledger
from handlers.spend import last_billing, spent_between
from queues.database import Transaction
from queues.model import Task
from server.settings import Settings
from server.shortening import that_fit
from server.views import SpentToday, View

EQUIVALENT = "API equivalent: a subscription pays for these sessions."
AT_LIST_PRICES = "At the API's list prices, as the Claude CLI reported them."


class EstimateView(View):
    """What the sessions of a request will cost, from what earlier ones of the same model and size did.

    The range is null while there are none. `at_most_usd` is every session at its limit; one that is repeated comes
    on top. `minutes` includes the sessions queued `ahead`. Of these sessions, `wait_for_tomorrow` do not fit into
    today's budget.
    """

    sessions: int
    stocks: int
    ahead: int
    low_usd: float | None
    high_usd: float | None
    at_most_usd: float
    learned_from_sessions: int
    minutes: float | None
    left_today_usd: float
    wait_for_tomorrow: int | None
    message: str


class SpendGroup(View):
    """`cost_usd` leaves out `unknown_cost_sessions`, and of `at_least_sessions` what they spent unseen."""

    group: str
    cost_usd: float
    sessions: int
    turns: int
    input_tokens: int
    output_tokens: int
    verdicts: int
    at_least_sessions: int
    unknown_cost_sessions: int

    @classmethod
    def of(cls, group: str, sums: Sums) -> "SpendGroup":
        return cls(
            group=group,
            cost_usd=sums.cost / 1e6,
            sessions=sums.sessions,
            turns=sums.turns,
            input_tokens=sums.input_tokens,
            output_tokens=sums.output_tokens,
            verdicts=sums.verdicts,
            at_least_sessions=sums.at_least,
            unknown_cost_sessions=sums.unknown_cost,
        )


class SpendView(View):
    """Cost of a period by group, `total` over all groups of all pages. `queued` estimates what still waits.

    By stock, what a session used is split evenly among its stocks, and it counts as a session of each.
    """

    since: datetime
    groups: list[SpendGroup]
    total: SpendGroup
    total_groups: int
    next_cursor: str | None
    today: SpentToday
    queued: EstimateView | None
    message: str


def spend_view(
    tx: Transaction, settings: Settings, grouping: Grouping, *, days: int, offset: int, limit: int
) -> SpendView:
    """The last `days` days of the desk, today included; groups from the `offset`th on, as many as fit a page."""
    start, end = day_of(tx.now, settings.zone)
    since, _ = day_of(start - timedelta(days=days - 1) + timedelta(hours=12), settings.zone)
    found = ledger(tx, grouping, start=since, end=end, zone=settings.zone)
    groups = that_fit(SpendGroup.of(*each) for each in found.groups[offset : offset + limit])
    shown = offset + len(groups)
    return SpendView(
        since=since,
        groups=groups,
        total=SpendGroup.of("all", found.total),
        total_groups=len(found.groups),
        next_cursor=str(shown) if shown < len(found.groups) else None,
        today=spent_today(tx, settings),
        queued=estimate_view(tx, settings, [task for task, _ in unfinished_analyses(tx)]),
        message=_about(tx, found.total, days),
    )


def _about(tx: Transaction, total: Sums, days: int) -> str:
    if not total.sessions:
        return f"No session has run in the last {days} day{'s' * (days != 1)}."
    words = [f"{'At least ' if total.at_least or total.unknown_cost else ''}${total.cost / 1e6:.2f}"]
    words.append(f"for {total.sessions} session{'s' * (total.sessions != 1)}")
    words.append(f"and {total.verdicts} verdict{'s' * (total.verdicts != 1)}.")
    if total.unknown_cost:
        words.append(f"The cost of {total.unknown_cost} is not known: still running, or stopped unseen.")
    return " ".join([*words, billing_note(tx)])


def billing_note(tx: Transaction) -> str:
    return EQUIVALENT if last_billing(tx) == "subscription" else AT_LIST_PRICES


def spent_today(tx: Transaction, settings: Settings) -> SpentToday:
    start, tomorrow = day_of(tx.now, settings.zone)
    spending = spent_between(tx, start, tomorrow, session_usd=settings.session_budget_usd)
    equivalent = " (API equivalent)" if last_billing(tx) == "subscription" else ""
    unknown = f", at most ${spending.at_most_usd:.2f}" if spending.unknown else ""
    return SpentToday(
        spent_usd=round(spending.reported_usd, 6),
        at_most_usd=round(spending.at_most_usd, 6),
        budget_usd=settings.daily_budget_usd,
        left_usd=round(max(0.0, settings.daily_budget_usd - spending.at_most_usd), 6),
        next_day_at=tomorrow,
        message=f"${spending.reported_usd:.2f}{unknown} of today's ${settings.daily_budget_usd:.2f} spent{equivalent};"
        f" a new day begins at {spoken(tomorrow, settings.zone, now=tx.now)}.",
    )


def estimate_view(tx: Transaction, settings: Settings, tasks: Sequence[Task]) -> EstimateView | None:
    """What the Claude sessions among `tasks` will cost; None if there is none."""
    terms = Terms(
        analyst=settings.analyst,
        model=settings.model,
        session_usd=settings.session_budget_usd,
        daily_usd=settings.daily_budget_usd,
        zone=settings.zone,
    )
    found = estimate(tx, tasks, terms, tx.now)
    if found is None:
        return None
    return EstimateView(
        sessions=found.sessions,
        stocks=found.stocks,
        ahead=found.ahead,
        low_usd=None if found.low_usd is None else round(found.low_usd, 4),
        high_usd=None if found.high_usd is None else round(found.high_usd, 4),
        at_most_usd=round(found.at_most_usd, 4),
        learned_from_sessions=found.learned_from,
        minutes=None if found.span is None else round(found.span.total_seconds() / 60, 1),
        left_today_usd=round(found.left_today_usd, 4),
        wait_for_tomorrow=found.wait,
        message=_in_words(found, settings, equivalent=last_billing(tx) == "subscription"),
    )


def _in_words(found: Estimate, settings: Settings, *, equivalent: bool) -> str:
    ceiling = f"at most {found.sessions} x ${settings.session_budget_usd:.2f}"
    if found.low_usd is None or found.high_usd is None or found.span is None:
        return f"What it costs is not known, as no session like it has run yet; {ceiling}."
    cost = f"${found.low_usd:.2f} to ${found.high_usd:.2f}{' (API equivalent)' * equivalent}"
    behind = f", {found.ahead} queued ahead included" if found.ahead else ""
    words = [
        f"It costs about {cost}, as {found.learned_from} like sessions did; {ceiling}.",
        f"It takes about {found.span.total_seconds() / 60:.0f} minutes{behind}.",
    ]
    if found.unlearned:
        words.insert(1, f"No session like {found.unlearned} of these has run; the range holds their limit.")
    if found.wait:
        words.append(
            f"About {found.wait} of {found.sessions} sessions will wait for tomorrow: ${found.left_today_usd:.2f} of"
            f" today's ${settings.daily_budget_usd:.2f} is left (STOCKDESK_DAILY_BUDGET_USD)."
        )
    return " ".join(words)
