"""How far the stocks of one run are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handlers.analysis_task import AnalysisPayload
from handlers.fetch_task import FetchPayload, FetchResult
from handlers.verdict import Action
from handlers.verdicts import verdicts_of_task
from queues.database import Transaction
from queues.inspection import tasks_of_run
from queues.model import QueueName, Task, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStocks:
    """Counts of the stocks whose analysis a run enqueued; of a run without one, those that it fetches.

    Where it analyses, `done` have a verdict, `without_data` one of INSUFFICIENT_DATA; a verdict from before its
    task was retried does not count. Where it only fetches, `done` have prices, `without_data` were found at no
    source. `failed` have neither, because their task failed or was cancelled, or they were withdrawn from it.
    """

    total: int
    done: int
    without_data: int
    failed: int


def run_stocks(tx: Transaction, run_id: str) -> RunStocks:
    tasks = tasks_of_run(tx, run_id)
    analyses = [task for task in tasks if task.queue is QueueName.AI_ANALYSIS]
    if not analyses:
        return _count_fetched([task for task in tasks if task.queue is QueueName.DATA_FETCHER])
    verdicts = sorted(
        (each for task in analyses for each in verdicts_of_task(tx, task)), key=lambda each: each.created_at
    )
    # A remainder follows its parent in the run, so the last task that names a stock decides.
    states: dict[str, TaskState] = {}
    for task in analyses:
        payload = AnalysisPayload.model_validate(task.payload)
        states |= dict.fromkeys(payload.withdrawn, TaskState.CANCELLED)
        states |= dict.fromkeys(payload.stocks, task.state)
    return _count(states, {str(each.stock): each.action is not Action.INSUFFICIENT_DATA for each in verdicts})


def _count_fetched(fetches: Sequence[Task]) -> RunStocks:
    states = {
        stock: task.state for task in fetches for stock in FetchPayload.model_validate(task.payload).stocks
    }
    results = [FetchResult.model_validate(task.result) for task in fetches if task.result is not None]
    return _count(
        states, {line.stock: line.status != "missing" for result in results for line in result.stocks}
    )


def _count(states: Mapping[str, TaskState], settled: Mapping[str, bool]) -> RunStocks:
    """Given the state of each stock's task, and of the settled stocks whether there was data."""
    ended_badly = (TaskState.FAILED, TaskState.CANCELLED)
    return RunStocks(
        total=len(states),
        done=sum(settled.values()),
        without_data=len(settled) - sum(settled.values()),
        failed=sum(state in ended_badly and stock not in settled for stock, state in states.items()),
    )
