"""What a request becomes: tasks, planned inside the transaction that enqueues them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.analysis_task import AnalysisPayload, analysis_task, session_deadline_of
from handlers.analyst.limits import SESSION_DEADLINE
from handlers.batches import plan_batches
from handlers.fetch_task import KIND as FETCH
from handlers.fetch_task import FetchPayload
from handlers.freshness import is_fresh
from handlers.portfolio_sync import KIND as SYNC
from handlers.portfolio_sync import FollowUp, SyncPayload
from handlers.stocks import Stock, parse_stock
from handlers.verdict import AnalystChoice
from queues.clock import Clock
from queues.database import Transaction
from queues.holds import ask_again, raise_priority
from queues.inspection import unfinished_tasks
from queues.model import NewTask, QueueName, Sibling, Task

# One fetch task holds its queue for so long; smaller ones let others in between.
STOCKS_PER_FETCH = 10
# 10 stocks from a source that answers slowly but within its request timeout.
FETCH_TIMEOUT = timedelta(minutes=10)
# With the waits between them (5 s, doubled each time, less jitter) up to two and a half minutes: a source's restart
# or a short outage fails no run.
FETCH_ATTEMPTS = 6
SYNC_TIMEOUT = timedelta(minutes=2)  # reading one file


@dataclass(frozen=True, slots=True)
class Plan:
    """`tasks` in the order in which to enqueue them; `covered` names the task that already covers a stock."""

    tasks: Sequence[NewTask]
    covered: dict[Stock, str]


def plan_analysis(
    tx: Transaction,
    stocks: Sequence[Stock],
    *,
    now: datetime,
    analyst: AnalystChoice | None,
    stocks_per_session: int,
    session_deadline: timedelta = SESSION_DEADLINE,
    priority: int = 0,
) -> Plan:
    """Sessions of 2–3 stocks, each behind one fetch of its own stocks where one of them is missing or stale.

    A session waits for its own data only, so that fetching and analysing go on at the same time. A stock that
    an unfinished analysis covers is not analysed twice. `now` is the desk's time, which decides freshness.
    `analyst` is that of who asks; None leaves it to the process that will run the session.
    """
    at_work = _stocks_at_work(tx)
    wanted = list(dict.fromkeys(stocks))
    tasks: list[NewTask] = []
    for batch in plan_batches([stock for stock in wanted if stock not in at_work], stocks_per_session):
        after: tuple[Sibling, ...] = ()
        if not all(is_fresh(tx, stock, now) for stock in batch):
            after = (Sibling(len(tasks)),)
            tasks.append(fetch_task(batch, priority=priority))
        tasks.append(
            analysis_task(
                batch, priority=priority, after=after, analyst=analyst, session_deadline=session_deadline
            )
        )
    return Plan(tasks, {stock: at_work[stock] for stock in wanted if stock in at_work})


def _stocks_at_work(tx: Transaction) -> dict[Stock, str]:
    return {
        parse_stock(text): task.id
        for task in unfinished_tasks(tx, QueueName.AI_ANALYSIS)
        for text in AnalysisPayload.model_validate(task.payload).stocks
    }


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
        plan = plan_analysis(
            tx,
            stocks,
            now=clock(),
            analyst=payload.analyst,
            stocks_per_session=stocks_per_session,
            session_deadline=session_deadline,
            priority=task.priority,
        )
        ask_again(tx, plan.covered.values(), task.asked_at)
        raise_priority(tx, plan.covered.values(), task.priority)
        return plan.tasks

    return follow_up
