"""What a request becomes: tasks, planned inside the transaction that enqueues them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.analysis_task import AnalysisPayload, analyses_of, analysis_task, session_deadline_of
from handlers.analyst.limits import SESSION_DEADLINE
from handlers.batches import plan_batches
from handlers.fetch_task import KIND as FETCH
from handlers.fetch_task import FetchPayload
from handlers.freshness import is_fresh
from handlers.joining import find_company, force_stock, join
from handlers.portfolio_sync import KIND as SYNC
from handlers.portfolio_sync import FollowUp, SyncPayload
from handlers.stocks import Stock, parse_stock
from handlers.verdict import AnalystChoice
from queues.clock import Clock
from queues.database import Transaction
from queues.holds import ask_again, raise_priority
from queues.model import Enqueued, NewTask, QueueName, Sibling, Task
from queues.store import enqueue, find_task

# One fetch task holds its queue for so long; smaller ones let others in between.
STOCKS_PER_FETCH = 10
# 10 stocks from a source that answers slowly but within its request timeout.
FETCH_TIMEOUT = timedelta(minutes=10)
# With the waits between them (5 s, doubled each time, less jitter) up to two and a half minutes: a source's restart
# or a short outage fails no run.
FETCH_ATTEMPTS = 6
SYNC_TIMEOUT = timedelta(minutes=2)  # reading one file


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """How an analysis is asked for.

    `analyst` is that of who asks; None leaves it to the process that will run the session. With `force`, stocks are
    judged anew of which nothing has changed.
    """

    analyst: AnalystChoice | None
    stocks_per_session: int
    session_deadline: timedelta = SESSION_DEADLINE
    force: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """`tasks` in the order in which to enqueue them; `covered` names the task that already covers a stock.

    `joining` is a stock and the waiting task that takes it in, behind `tasks`.
    """

    tasks: Sequence[NewTask]
    covered: Mapping[Stock, Task]
    joining: tuple[Stock, Task] | None = None


def plan_analysis(
    tx: Transaction, stocks: Sequence[Stock], options: AnalysisOptions, *, now: datetime
) -> Plan:
    """Sessions of 2–3 stocks, each behind one fetch of its own stocks where one of them is missing or stale.

    A session waits for its own data only, so that fetching and analysing go on at the same time. A stock that
    an unfinished analysis covers is not analysed twice. `now` is the desk's time, which decides freshness.
    """
    wanted = list(dict.fromkeys(stocks))
    at_work = analyses_of(tx, wanted)
    tasks: list[NewTask] = []
    for batch in plan_batches(
        [stock for stock in wanted if stock not in at_work], options.stocks_per_session
    ):
        tasks += _fetch_and_analyse(tx, batch, options, now, siblings=len(tasks))
    return Plan(tasks, {stock: at_work[stock] for stock in wanted if stock in at_work})


def plan_single_analysis(tx: Transaction, stock: Stock, options: AnalysisOptions, *, now: datetime) -> Plan:
    """One stock that is asked for alone: it joins another such one that waits, or may be joined itself."""
    at_work = analyses_of(tx, [stock])
    if stock in at_work:
        return Plan([], {stock: at_work[stock]})
    company = find_company(
        tx,
        analyst=options.analyst,
        force=options.force,
        stocks_per_session=options.stocks_per_session,
    )
    if company is None:
        return Plan(_fetch_and_analyse(tx, [stock], options, now, may_grow=True), {})
    fetches = [] if is_fresh(tx, stock, now) else [fetch_task([stock], priority=options.priority)]
    return Plan(fetches, {}, joining=(stock, company))


def _fetch_and_analyse(
    tx: Transaction,
    batch: Sequence[Stock],
    options: AnalysisOptions,
    now: datetime,
    *,
    siblings: int = 0,
    may_grow: bool = False,
) -> list[NewTask]:
    fetches = (
        []
        if all(is_fresh(tx, stock, now) for stock in batch)
        else [fetch_task(batch, priority=options.priority)]
    )
    analysis = analysis_task(
        batch,
        priority=options.priority,
        after=tuple(Sibling(siblings + position) for position in range(len(fetches))),
        analyst=options.analyst,
        forced=batch if options.force else (),
        may_grow=may_grow,
        session_deadline=options.session_deadline,
    )
    return [*fetches, analysis]


def enqueue_plan(tx: Transaction, plan: Plan, *, force: bool = False) -> list[Enqueued]:
    """Carry the plan out: what is new is enqueued, what joins a waiting task joins it.

    Raises:
        QueueFullError: more would be queued than a queue may hold.
    """
    if force:
        _force_covered(tx, plan)
    if plan.joining is None:
        return enqueue(tx, plan.tasks)
    stock, company = plan.joining
    enqueued = enqueue(tx, plan.tasks, run_id=company.run_id)
    join(tx, company, stock, force=force, after=[each.task.id for each in enqueued])
    return enqueued


def _force_covered(tx: Transaction, plan: Plan) -> None:
    for stock, task in plan.covered.items():
        force_stock(tx, find_task(tx, task.id), stock)


def plan_fetch(stocks: Sequence[Stock], *, force: bool, priority: int = 0) -> Plan:
    """Fetches of at most `STOCKS_PER_FETCH` stocks each; `force` asks the sources for fresh ones too."""
    unique = list(dict.fromkeys(stocks))
    parts = [unique[start : start + STOCKS_PER_FETCH] for start in range(0, len(unique), STOCKS_PER_FETCH)]
    return Plan([fetch_task(part, force=force, priority=priority) for part in parts], {})


def fetch_then_analyse(tx: Transaction, task: Task, stocks: Sequence[Stock]) -> Sequence[NewTask]:
    """What the analysis `task` moves `stocks` to: a fetch and, behind it, an analysis like itself. A `Refetch`."""
    del tx  # nothing that is stored bears on it
    payload = AnalysisPayload.model_validate(task.payload)
    return [
        fetch_task(stocks, priority=task.priority, carried=True),
        analysis_task(
            stocks,
            priority=task.priority,
            after=(Sibling(0),),
            carried=True,
            analyst=payload.analyst,
            forced=[parse_stock(text) for text in payload.forced],
            session_deadline=session_deadline_of(task),
        ),
    ]


def fetch_task(
    stocks: Sequence[Stock], *, force: bool = False, priority: int = 0, carried: bool = False
) -> NewTask:
    payload = FetchPayload(stocks=[str(stock) for stock in stocks], force=force)
    return NewTask(
        queue=QueueName.DATA_FETCHER,
        kind=FETCH,
        payload=payload.model_dump(mode="json"),
        dedup_key=f"{FETCH}{' forced' if force else ''} {' '.join(sorted(payload.stocks))}",
        priority=priority,
        carried=carried,
        max_attempts=FETCH_ATTEMPTS,
        timeout=FETCH_TIMEOUT,
    )


def sync_task(payload: SyncPayload, *, priority: int = 0) -> NewTask:
    """One account's file into the store; with `then_review`, the review of its stocks follows."""
    return NewTask(
        queue=QueueName.PORTFOLIO_SYNC,
        kind=SYNC,
        payload=payload.model_dump(mode="json"),
        dedup_key=f"{SYNC} {payload.model_dump_json()}",
        priority=priority,
        timeout=SYNC_TIMEOUT,
    )


def review_after_sync(
    clock: Clock, stocks_per_session: int, session_deadline: timedelta = SESSION_DEADLINE
) -> FollowUp:
    """What follows a sync: nothing, or the review that its payload asks for. `clock` is the desk's."""

    def follow_up(tx: Transaction, task: Task, stocks: Sequence[Stock]) -> Sequence[NewTask]:
        payload = SyncPayload.model_validate(task.payload)
        if not payload.then_review:
            return ()
        options = AnalysisOptions(
            analyst=payload.analyst,
            stocks_per_session=stocks_per_session,
            session_deadline=session_deadline,
            force=payload.force,
            priority=task.priority,
        )
        plan = plan_analysis(tx, stocks, options, now=clock())
        if payload.force:
            _force_covered(tx, plan)
        covered = {each.id for each in plan.covered.values()}
        ask_again(tx, covered, task.asked_at)
        raise_priority(tx, covered, task.priority)
        return plan.tasks

    return follow_up
