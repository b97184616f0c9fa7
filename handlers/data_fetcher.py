"""The task of the `data_fetcher` queue: prices of some stocks, from the sources into bars and facts.

The queue runs one task at a time; inside a task, a limited number of requests run at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeAlias

import anyio

from handlers.facts import store_facts
from handlers.fetch_task import FetchPayload
from handlers.freshness import expected_session, is_fresh
from handlers.indicators import price_facts
from handlers.outcomes import fill_outcomes
from handlers.prices import FetchOutcome, last_fetch, log_fetched, log_missing, newest_day, store_bars
from handlers.sources.base import Bar, NotCoveredError, PriceSource, SourceBusyError, SourceError
from handlers.stocks import Stock, parse_stock
from queues.clock import Clock
from queues.context import Handler, TaskContext
from queues.database import Transaction
from queues.model import Json, JsonObject, Task
from queues.outcome import Completed, Failed, Outcome, Retry

# 253 closes (a return over one year) take 372 calendar days in a year of 248 sessions, as India has; the rest
# is for holidays and for the averages to settle.
HISTORY = timedelta(days=420)
# No exchange closes for so long: a stock whose newest price is older is suspended or gone.
OLDEST_NEWEST = timedelta(days=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """`passed_over` holds why sources before this one gave nothing."""

    stock: Stock
    source: str
    newest: date
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    stock: Stock
    source: str
    newest: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """`is_final` where every source said that it has none; not where one was merely busy."""

    stock: Stock
    reason: str
    is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """At least one source could not answer now, and none gave prices."""

    stock: Stock
    reason: str
    retry_after: timedelta | None


Finding: TypeAlias = Fetched | Fresh | Missing | Busy

NothingFound: TypeAlias = Callable[[Transaction, Task, Mapping[Stock, str]], None]
"""Given the fetch of which no source has any stock, and why by stock; writes what this means for others."""


@dataclass(slots=True)
class _Attempt:
    """One attempt at one task."""

    ctx: TaskContext
    sources: Sequence[PriceSource]
    limiter: anyio.CapacityLimiter
    now: datetime
    force: bool
    findings: dict[Stock, Finding] = field(default_factory=dict[Stock, Finding])

    @property
    def is_last(self) -> bool:
        return self.ctx.task.attempt >= self.ctx.task.max_attempts


def data_fetcher(
    sources: Sequence[PriceSource],
    desk_clock: Clock,
    max_requests_at_once: int,
    on_nothing_found: NothingFound | None = None,
) -> Handler:
    """A handler that asks the sources in their order for each stock, and stores what one gives at once.

    It completes if at least one stock was fetched or fresh, and lists each; it fails if all are missing.
    While a source is busy it retries, for the stocks that lack; on the last attempt those are missing.
    `on_nothing_found` runs with the record of a failure that no busy source has caused.
    """
    limiter = anyio.CapacityLimiter(max_requests_at_once)

    async def handle(ctx: TaskContext) -> Outcome:
        payload = FetchPayload.model_validate(ctx.task.payload)
        stocks = [parse_stock(stock) for stock in payload.stocks]
        attempt = _Attempt(ctx, sources, limiter, desk_clock(), payload.force)
        await ctx.report(0, len(stocks), f"asking for {len(stocks)} stocks")
        try:
            async with anyio.create_task_group() as group:
                for stock in stocks:
                    group.start_soon(_bring, attempt, stock, len(stocks))
        except ExceptionGroup as errors:
            # Whoever runs a handler expects the StaleClaimError itself, not a group that holds it.
            raise errors.exceptions[0] from errors
        return _outcome(ctx.task, [attempt.findings[stock] for stock in stocks], on_nothing_found)

    return handle


async def _bring(attempt: _Attempt, stock: Stock, total: int) -> None:
    finding = await attempt.ctx.database.read(lambda tx: _known(tx, attempt, stock))
    if finding is None:
        finding = await _ask_all(attempt, stock)
    attempt.findings[stock] = finding
    await attempt.ctx.report(len(attempt.findings), total, f"{stock} {_status(finding)}")


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


async def _ask_all(attempt: _Attempt, stock: Stock) -> Finding:
    through = expected_session(attempt.now, stock.exchange)
    refusals: list[SourceError] = []
    for source in attempt.sources:
        try:
            bars = await _ask(attempt, source, stock, through)
        except SourceError as error:
            refusals.append(error)
        else:
            await _store(attempt, stock, bars, source, through)
            passed_over = tuple(map(str, refusals))
            return Fetched(stock=stock, source=source.name, newest=bars[-1].day, passed_over=passed_over)
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
    attempt: _Attempt, stock: Stock, bars: Sequence[Bar], source: PriceSource, through: date
) -> None:
    def work(tx: Transaction) -> None:
        store_bars(tx, stock, bars, source.name)
        store_facts(tx, stock, price_facts(bars, stock.exchange.currency, source.citation))
        log_fetched(tx, stock, source.name, through, attempt.ctx.task.id)
        fill_outcomes(tx, stock)

    await attempt.ctx.commit(work)


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


def _outcome(task: Task, findings: Sequence[Finding], on_nothing_found: NothingFound | None) -> Outcome:
    busy = [finding for finding in findings if isinstance(finding, Busy)]
    if busy:
        pauses = [finding.retry_after for finding in busy if finding.retry_after is not None]
        waiting = f"{len(busy)} of {len(findings)} stocks wait for a busy source"
        return Retry(f"{waiting}: {busy[0].reason}", max(pauses, default=None))
    missing = [finding for finding in findings if isinstance(finding, Missing)]
    result = _result(findings)
    if len(missing) == len(findings):
        reasons = " ".join(dict.fromkeys(finding.reason for finding in missing[:3]))
        error = f"No prices for any of {len(findings)} stocks: {reasons}"
        if on_nothing_found is None or not all(finding.is_final for finding in missing):
            return Failed(error, result)
        whys = {finding.stock: finding.reason for finding in missing}
        return Failed(error, result, lambda tx: on_nothing_found(tx, task, whys))
    return Completed(result)


def _result(findings: Sequence[Finding]) -> JsonObject:
    statuses = [_status(finding) for finding in findings]
    return {
        **{status: statuses.count(status) for status in ("fetched", "fresh", "missing")},
        "stocks": [_line(finding) for finding in findings],
    }


def _line(finding: Finding) -> Json:
    line: dict[str, Json] = {"stock": str(finding.stock), "status": _status(finding)}
    match finding:
        case Fetched():
            passed_over = {"passed_over": list(finding.passed_over)} if finding.passed_over else {}
            return {**line, "source": finding.source, "newest": finding.newest.isoformat(), **passed_over}
        case Fresh():
            return {**line, "source": finding.source, "newest": finding.newest.isoformat()}
        case Missing() | Busy():
            return {**line, "reason": finding.reason}


def _status(finding: Finding) -> str:
    return type(finding).__name__.lower()
