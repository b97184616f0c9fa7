"""Stocks that come to an analysis while it waits, and stocks that leave it.

Who asks for one stock alone shares a session with others who did: the oldest such task that waits takes the stock in,
until its session is full. Batches of a review stay as they were planned, and nothing waits for company.
"""

from collections.abc import Sequence

from handlers.analysis_task import AnalysisPayload
from handlers.stocks import Stock
from handlers.verdict import AnalystChoice
from queues.amending import amend_task
from queues.control import cancel_task
from queues.database import Transaction
from queues.model import QueueName, Task, TaskState
from queues.payloads import unfinished_listing


def find_company(
    tx: Transaction, *, analyst: AnalystChoice | None, force: bool, stocks_per_session: int
) -> Task | None:
    """The oldest task that may grow, has room, and was asked for with these options; None if there is none.

    One that has begun before, or was asked for so long ago that it needs a person's word, is left alone.
    """
    for _, task in unfinished_listing(tx, QueueName.AI_ANALYSIS, "may_grow", [True]):
        payload = AnalysisPayload.model_validate(task.payload)
        is_new = task.state is TaskState.QUEUED and task.claim == 0
        has_room = len(payload.stocks) < stocks_per_session
        has_equal_options = payload.analyst == analyst and bool(payload.forced) == force
        if is_new and has_room and has_equal_options and not task.needs_approval(tx.now):
            return task
    return None


def join(tx: Transaction, task: Task, stock: Stock, *, force: bool, after: Sequence[str]) -> Task:
    """Take `stock` into a task that waits; it then waits for `after` too.

    It keeps its id, and when it was asked for: one stock's request does not make the other's younger.
    """
    payload = AnalysisPayload.model_validate(task.payload).joined_by(stock, force=force)
    return amend_task(tx, task.id, payload=payload.as_json(), dedup_key=payload.dedup_key, after=after)


def force_stock(tx: Transaction, task: Task, stock: Stock) -> None:
    """Let an analysis that waits judge one of its stocks anew, even if nothing has changed."""
    payload = AnalysisPayload.model_validate(task.payload)
    if task.state is TaskState.QUEUED and str(stock) not in payload.forced:
        payload = payload.model_copy(update={"forced": [*payload.forced, str(stock)]})
        amend_task(tx, task.id, payload=payload.as_json(), dedup_key=payload.dedup_key)


def withdraw(tx: Transaction, task: Task, stock: Stock, reason: str) -> None:
    """Take `stock` out of a task that waits; with its last stock the task is cancelled.

    Raises:
        TaskStateError: it does not wait any more.
        DedupKeyTakenError: another unfinished task judges just the stocks that would be left.
    """
    left = AnalysisPayload.model_validate(task.payload).without(stock)
    if left is None:
        cancel_task(tx, task.id, reason)
    else:
        amend_task(tx, task.id, payload=left.as_json(), dedup_key=left.dedup_key)
