"""The task of the `data_fetcher` queue: prices of some stocks, from the sources into bars and facts.

The queue runs one task at a time; inside a task, a limited number of requests run at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import TypeAlias

import anyio

from handlers.computing import compute
from handlers.facts import store_facts
from handlers.fetch_extras import bring_extras
from handlers.fetch_facts import Made, Market, made_of
from handlers.fetch_findings import Busy, Fetched, Finding, Fresh, Missing, result_of, status
from handlers.fetch_task import FetchPayload
from handlers.freshness import expected_session, is_fresh, was_asked_for
from handlers.outcomes import fill_outcomes
from handlers.portfolio import current_holdings
from handlers.prices import (
    FetchOutcome,
    last_fetch,
    log_fetched,
    log_missing,
    newest_day,
    store_bars,
    stored_bars,
)
from handlers.sources.base import Bar, Extras, NotCoveredError, PriceSource, SourceBusyError, SourceError
from handlers.stocks import Stock, parse_stock
from handlers.texts import store_texts
from queues.clock import Clock
from queues.context import Handler, TaskContext
from queues.database import Transaction
from queues.model import Task
from queues.outcome import Completed, Failed, Outcome, Retry

# 253 closes (a return over one year) take 372 calendar days in a year of 248 sessions, as India has; the rest
# is for holidays and for the averages to settle.
HISTORY = timedelta(days=420)
# No exchange closes for so long: a stock whose newest price is older is suspended or gone.
OLDEST_NEWEST = timedelta(days=10)

NO_EXTRAS = Extras()
NO_BENCHMARKS: Mapping[str, Stock] = {}
NO_NAMES: Mapping[Stock, str] = {}


NothingFound: TypeAlias = Callable[[Transaction, Task, Mapping[Stock, str]], None]
"""Given the fetch of which no source has any stock, and why by stock; writes what this means for others."""


@dataclass(slots=True)
class _Attempt:
    """One attempt at one task."""

    ctx: TaskContext
    sources: Sequence[PriceSource]
    extras: Extras
    benchmarks: Mapping[str, Stock]
    limiter: anyio.CapacityLimiter
    now: datetime
    force: bool
    companies: Mapping[Stock, str]
    markets: Mapping[str, Market] = field(default_factory=dict[str, Market])
    findings: dict[Stock, Finding] = field(default_factory=dict[Stock, Finding])

    @property
    def is_last(self) -> bool:
        return self.ctx.task.attempt >= self.ctx.task.max_attempts


def data_fetcher(
    sources: Sequence[PriceSource],
    desk_clock: Clock,
    max_requests_at_once: int,
    on_nothing_found: NothingFound | None = None,
    *,
    extras: Extras = NO_EXTRAS,
    benchmarks: Mapping[str, Stock] = NO_BENCHMARKS,
) -> Handler:
    """A handler that asks the sources in their order for each stock, and stores what one gives at once.

    It completes if at least one stock was fetched or fresh, and lists each; it fails if all are missing.
    While a source is busy it retries, for the stocks that lack; on the last attempt those are missing.
    `on_nothing_found` runs with the record of a failure that no busy source has caused.

    What the `extras` and the `benchmarks` (by currency) lack is listed, and changes nothing else. A benchmark is
    asked for once a session, before the stocks that are compared with it.
    """
    limiter = anyio.CapacityLimiter(max_requests_at_once)

    async def handle(ctx: TaskContext) -> Outcome:
        payload = FetchPayload.model_validate(ctx.task.payload)
        stocks = [parse_stock(stock) for stock in payload.stocks]
        await ctx.report(0, len(stocks), f"asking for {len(stocks)} stocks")
        companies = await ctx.database.read(_companies) if extras.news else NO_NAMES
        now = desk_clock()
        attempt = _Attempt(ctx, sources, extras, benchmarks, limiter, now, payload.force, companies)
        compared = await _bring_benchmarks(attempt, stocks)
        attempt.markets = await ctx.database.read(partial(_markets, attempt=attempt))
        await _bring_all(attempt, stocks)
        findings = [attempt.findings[stock] for stock in stocks]
        if any(isinstance(finding, Fetched) for finding in compared):
            await _fill_fresh(attempt, findings)
        return _outcome(ctx.task, findings, compared, on_nothing_found)

    return handle


async def _bring_all(attempt: _Attempt, stocks: Sequence[Stock]) -> None:
    try:
        async with anyio.create_task_group() as group:
            for stock in stocks:
                if stock not in attempt.findings:
                    group.start_soon(_bring, attempt, stock, len(stocks))
    except ExceptionGroup as errors:
        # Whoever runs a handler expects the StaleClaimError itself, not a group that holds it.
        raise errors.exceptions[0] from errors


async def _bring_benchmarks(attempt: _Attempt, stocks: Sequence[Stock]) -> list[Finding]:
    """What became of those that this attempt asked for; one that is itself among the stocks is brought as such."""
    findings: list[Finding] = []
    by_currency = attempt.benchmarks
    currencies = {stock.exchange.currency for stock in stocks} & by_currency.keys()
    for benchmark in sorted(by_currency[currency] for currency in currencies):
        if benchmark in stocks:
            await _bring(attempt, benchmark, len(stocks))
            findings.append(attempt.findings[benchmark])
        elif not await attempt.ctx.database.read(partial(was_asked_for, stock=benchmark, now=attempt.now)):
            findings.append(await _ask_all(attempt, benchmark, NO_EXTRAS))
    return findings


def _markets(tx: Transaction, attempt: _Attempt) -> Mapping[str, Market]:
    since = (attempt.now - HISTORY).date()
    return {
        currency: Market(benchmark, stored_bars(tx, benchmark, since))
        for currency, benchmark in attempt.benchmarks.items()
    }


async def _fill_fresh(attempt: _Attempt, findings: Sequence[Finding]) -> None:
    """Fill the outcomes that lacked only the benchmark; those of the others were filled with their prices."""

    def work(tx: Transaction) -> None:
        for finding in findings:
            if isinstance(finding, Fresh):
                fill_outcomes(tx, finding.stock)

    await attempt.ctx.commit(work)


async def _bring(attempt: _Attempt, stock: Stock, total: int) -> None:
    finding = await attempt.ctx.database.read(lambda tx: _known(tx, attempt, stock))
    if finding is None:
        finding = await _ask_all(attempt, stock, attempt.extras)
    attempt.findings[stock] = finding
    await attempt.ctx.report(len(attempt.findings), total, f"{stock} {status(finding)}")


def _companies(tx: Transaction) -> Mapping[Stock, str]:
    """The names of the stocks that are held, as the brokers call them."""
    held = [row.holding for row in current_holdings(tx)]
    return {holding.stock: holding.name for holding in held if holding.name}


def _known(tx: Transaction, attempt: _Attempt, stock: Stock) -> Fetched | Fresh | None:
    """What needs no request: an earlier attempt at this task fetched it, or it is fresh."""
    task = attempt.ctx.task
    fetch = last_fetch(tx, stock, FetchOutcome.FETCHED)
    newest = newest_day(tx, stock)
    if fetch is None or newest is None or not is_fresh(tx, stock, attempt.now):
        return None
    assert fetch.source is not None
    if fetch.task_id == task.id and fetch.at >= task.asked_at:
        return Fetched(stock=stock, source=fetch.source, newest=newest)
    return None if attempt.force else Fresh(stock=stock, source=fetch.source, newest=newest)


async def _ask_all(attempt: _Attempt, stock: Stock, extras: Extras) -> Finding:
    through = expected_session(attempt.now, stock.exchange)
    refusals: list[SourceError] = []
    for source in attempt.sources:
        try:
            bars = await _ask(attempt, source, stock, through)
        except SourceError as error:
            refusals.append(error)
        else:
            made = await _store(attempt, stock, bars, source, through, extras)
            return Fetched(
                stock=stock,
                source=source.name,
                newest=bars[-1].day,
                passed_over=tuple(map(str, refusals)),
                missing_sessions=made.missing_sessions,
                extras=made.told,
            )
    return await _without_prices(attempt, stock, refusals, through)


async def _ask(attempt: _Attempt, source: PriceSource, stock: Stock, through: date) -> Sequence[Bar]:
    async with attempt.limiter:
        bars = await source.daily_prices(stock, through - HISTORY, through)
    if bars[-1].day < through - OLDEST_NEWEST:
        raise NotCoveredError(
            f"The newest price of {stock} at {source.name} is of {bars[-1].day}, too old for {through}; "
            "is it suspended, renamed or delisted?"
        )
    return bars


async def _store(
    attempt: _Attempt,
    stock: Stock,
    bars: Sequence[Bar],
    source: PriceSource,
    through: date,
    extras: Extras,
) -> Made:
    """Store the prices with what the extras give beside them, and what is made of both."""
    brought = await bring_extras(extras, stock, attempt.companies.get(stock), attempt.limiter)
    market = attempt.markets.get(stock.exchange.currency)
    made = await compute(made_of, stock, bars, source.citation, market, brought)

    def work(tx: Transaction) -> None:
        store_bars(tx, stock, bars, source.name)
        store_facts(tx, stock, made.facts)
        store_texts(tx, stock, made.texts)
        log_fetched(tx, stock, source.name, through, attempt.ctx.task.id)
        fill_outcomes(tx, stock)

    await attempt.ctx.commit(work)
    return made


async def _without_prices(
    attempt: _Attempt, stock: Stock, refusals: Sequence[SourceError], through: date
) -> Missing | Busy:
    reason = " ".join(map(str, refusals)) or "No price source is configured; set STOCKDESK_PRICE_SOURCES."
    busy = [error for error in refusals if isinstance(error, SourceBusyError)]
    if busy and not attempt.is_last:
        pauses = [error.retry_after for error in busy if error.retry_after is not None]
        return Busy(stock=stock, reason=reason, retry_after=min(pauses, default=None))
    await attempt.ctx.commit(lambda tx: log_missing(tx, stock, reason, through, attempt.ctx.task.id))
    return Missing(stock=stock, reason=reason, is_final=not busy)


def _outcome(
    task: Task,
    findings: Sequence[Finding],
    compared: Sequence[Finding],
    on_nothing_found: NothingFound | None,
) -> Outcome:
    busy = [finding for finding in findings if isinstance(finding, Busy)]
    if busy:
        pauses = [finding.retry_after for finding in busy if finding.retry_after is not None]
        waiting = f"{len(busy)} of {len(findings)} stocks wait for a busy source"
        return Retry(f"{waiting}: {busy[0].reason}", max(pauses, default=None))
    missing = [finding for finding in findings if isinstance(finding, Missing)]
    result = result_of(findings, compared)
    if len(missing) == len(findings):
        reasons = " ".join(dict.fromkeys(finding.reason for finding in missing[:3]))
        stocks = missing[0].stock if len(missing) == 1 else f"any of {len(missing)} stocks"
        error = f"No prices for {stocks}: {reasons}"
        if on_nothing_found is None or not all(finding.is_final for finding in missing):
            return Failed(error, result)
        whys = {finding.stock: finding.reason for finding in missing}
        return Failed(error, result, lambda tx: on_nothing_found(tx, task, whys))
    return Completed(result)
