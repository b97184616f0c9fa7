"""Everything that a report shows, of one moment: gathered in one read transaction by what the tools show it with."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import TypeAlias, get_args

from handlers.analyst.briefs import StockBrief, read_briefs, why_missing
from handlers.analyst.costs import Session
from handlers.analytics import PortfolioFact, portfolio_facts, read_betas
from handlers.audit import audit_of
from handlers.benchmarks import BENCHMARKS
from handlers.changes import last_review, rejudged_since, traded_since
from handlers.facts import Fact, find_fact
from handlers.portfolio import accounts
from handlers.prices import stored_bars
from handlers.stocks import Stock
from handlers.track_record import Weeks, track_record
from handlers.valuation import ValuedHolding, currency_totals, value_holdings
from handlers.verdict import Action, Verdict
from handlers.verdicts import judged_stocks, latest_verdicts
from queues.database import Transaction
from server.portfolio_views import AccountView, HoldingView, SpreadView, TotalView
from server.report.content import YEAR, Changes, Making, Pool, Report, Source, StockReport
from server.settings import Settings
from server.spending import billing_note
from server.track_record_views import track_record_view

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many of how many stocks are done; called in another thread."""


def gather(tx: Transaction, settings: Settings, now: datetime, progress: Progress | None = None) -> Report:
    """Everything of this moment; `now` is the desk's clock. Without holdings and verdicts, `stocks` is empty."""
    valued = value_holdings(tx)
    spread = portfolio_facts(valued, read_betas(tx, valued))
    day = now.astimezone(settings.zone).date()
    stocks = tuple(_stocks(tx, valued, spread, now, day - YEAR, progress))
    return Report(
        made_at=tx.now,
        day=day,
        zone=settings.zone,
        accounts=[AccountView.of(each) for each in accounts(tx)],
        pools=[_pool(TotalView.of(total), spread) for total in currency_totals(valued)],
        stocks=stocks,
        changes=_changes(tx),
        track_record=[track_record_view(track_record(tx, weeks), weeks) for weeks in get_args(Weeks)],
        benchmarks={
            currency: stored_bars(tx, stock, day - YEAR)
            for currency, stock in BENCHMARKS.items()
            if any(each.stock.exchange.currency == currency for each in stocks)
        },
        sources=_sources(stocks),
        making=_making(tx, stocks),
    )


def _pool(total: TotalView, facts: Sequence[PortfolioFact]) -> Pool:
    own = [fact for fact in facts if fact.currency == total.currency]
    return Pool(
        total,
        SpreadView.of_facts(own) if own else None,
        [fact for fact in own if fact.name == "weight"],
        [fact for fact in own if fact.name == "sector_weight"],
    )


def _stocks(
    tx: Transaction,
    valued: Sequence[ValuedHolding],
    spread: Sequence[PortfolioFact],
    now: datetime,
    since: date,
    progress: Progress | None,
) -> Iterator[StockReport]:
    """The largest first, then what has no price, then what is judged and not held."""
    weights = {fact.of: fact for fact in spread if fact.name == "weight"}
    held: dict[Stock, list[ValuedHolding]] = {}
    for each in valued:
        held.setdefault(each.held.holding.stock, []).append(each)
    judged = judged_stocks(tx)
    verdicts = {verdict.stock: verdict for verdict in latest_verdicts(tx, limit=len(judged))}

    def by_weight(stock: Stock) -> tuple[bool, Decimal, Stock]:
        weight = weights.get(str(stock))
        return stock not in held, -(weight.value if weight else Decimal()), stock

    briefs = read_briefs(tx, sorted(held.keys() | judged, key=by_weight), now)
    for done, brief in enumerate(briefs, start=1):
        own, weight = held.get(brief.stock, []), weights.get(str(brief.stock))
        yield _stock(tx, brief, own, weight, verdicts.get(brief.stock), since)
        if progress is not None:
            progress(done, len(briefs))


def _stock(
    tx: Transaction,
    brief: StockBrief,
    held: Sequence[ValuedHolding],
    weight: PortfolioFact | None,
    verdict: Verdict | None,
    since: date,
) -> StockReport:
    # What is held in another currency than the price has no value, and its cost is of no use beside the others'.
    priced = [each for each in held if weight and each.held.holding.currency == weight.currency]
    value = sum((each.value or Decimal() for each in priced), Decimal()) if weight else None
    cost = sum((each.cost for each in priced), Decimal())
    return StockReport(
        stock=brief.stock,
        brief=brief,
        holdings=tuple(map(HoldingView.of, held)),
        value=value,
        gain_percent=100 * (value / cost - 1) if value is not None and cost else None,
        weight=weight,
        verdict=verdict,
        audit=None if verdict is None else audit_of(tx, verdict),
        cited=() if verdict is None else tuple(_cited(tx, verdict, brief)),
        closes=stored_bars(tx, brief.stock, since),
        missing=None if brief.facts else why_missing(tx, brief.stock),
    )


def _cited(tx: Transaction, verdict: Verdict, brief: StockBrief) -> Iterator[Fact]:
    current = {fact.id for fact in brief.facts}
    cited = {each.fact_id for each in verdict.evidence} | {
        each.other_fact_id for each in verdict.evidence if each.other_fact_id
    }
    for fact_id in sorted(cited - current):
        fact = find_fact(tx, fact_id)
        assert fact is not None  # evidence has a foreign key
        yield fact


def _changes(tx: Transaction) -> Changes | None:
    review = last_review(tx)
    if review is None:
        return None
    judged = rejudged_since(tx, review.began_at)
    new = [each for each in judged if each.before is None and each.now.action != Action.INSUFFICIENT_DATA]
    views = [each for each in judged if each.before is not None and each.is_changed]
    return Changes(review, len(judged), new, views, traded_since(tx, review.began_at))


def _sources(stocks: Sequence[StockReport]) -> list[Source]:
    days: dict[str, list[date]] = {}
    for fact in (fact for each in stocks for fact in each.brief.facts):
        days.setdefault(fact.source, []).append(fact.as_of)
    return [Source(name, len(own), max(own)) for name, own in sorted(days.items())]


def _making(tx: Transaction, stocks: Sequence[StockReport]) -> Making:
    audits = [each.audit for each in stocks if each.audit is not None]
    sessions: Mapping[str, Session] = {
        audit.session.session_id: audit.session for audit in audits if audit.session is not None
    }
    costs = [each.spent.cost_usd for each in sessions.values()]
    return Making(
        version=version("stockdesk"),
        analysts=Counter(each.verdict.analyst.value for each in stocks if each.verdict),
        models=sorted({each.model for each in sessions.values()}),
        prompts=sorted({each.prompt_version for each in sessions.values()}),
        sessions=len(sessions),
        cost_usd=sum(cost for cost in costs if cost is not None) if sessions else None,
        unknown_cost=costs.count(None),
        at_least=any(each.at_least for each in sessions.values()),
        billing=billing_note(tx),
    )
