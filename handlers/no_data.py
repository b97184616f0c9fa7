"""What it means for the analyses that wait for a fetch that no source has any of its stocks."""

from collections.abc import Mapping

from handlers.analysis_task import KIND, AnalysisPayload
from handlers.analyst.briefs import no_data_because, read_briefs
from handlers.data_fetcher import NothingFound
from handlers.stocks import Stock, parse_stock
from handlers.verdict import Reason
from handlers.verdicts import store_no_verdict, verdicts_of_task
from queues.clock import Clock
from queues.database import Transaction
from queues.inspection import waiting_on
from queues.model import Task
from queues.store import find_task


def judge_without_data(desk_clock: Clock) -> NothingFound:
    """The engine cancels those analyses; their stocks are INSUFFICIENT_DATA all the same, with the source's reason.

    A retry of the fetch brings an analysis back; what has data by then is judged, and replaces this.
    """

    def store(tx: Transaction, fetch: Task, reasons: Mapping[Stock, str]) -> None:
        for task_id in waiting_on(tx, [fetch.id]):
            task = find_task(tx, task_id)
            if task.kind == KIND:
                _store(tx, task, reasons, desk_clock)

    return store


def _store(tx: Transaction, task: Task, reasons: Mapping[Stock, str], desk_clock: Clock) -> None:
    stocks = [parse_stock(text) for text in AnalysisPayload.model_validate(task.payload).stocks]
    judged = {
        verdict.stock for verdict in verdicts_of_task(tx, task) if verdict.reason != Reason.MISSING_DATA
    }
    lacking = [stock for stock in stocks if stock in reasons and stock not in judged]
    for brief in read_briefs(tx, lacking, desk_clock()):
        store_no_verdict(
            tx,
            task,
            brief.stock,
            thesis=no_data_because(brief.stock, reasons[brief.stock]),
            reason=Reason.MISSING_DATA,
            data_quality=brief.quality,
        )
