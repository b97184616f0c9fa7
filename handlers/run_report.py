"""How far the stocks of one run are."""

from dataclasses import dataclass

from handlers.ai_analysis import AnalysisPayload
from handlers.verdict import Action
from handlers.verdicts import verdicts_of_run
from queues.database import Transaction
from queues.inspection import tasks_of_run
from queues.model import QueueName, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStocks:
    """Counts of the stocks whose analysis a run enqueued.

    `done` have a verdict, `without_data` one of INSUFFICIENT_DATA, `failed` none, because their analysis failed
    or was cancelled.
    """

    total: int
    done: int
    without_data: int
    failed: int


def run_stocks(tx: Transaction, run_id: str) -> RunStocks:
    verdicts = {str(verdict.stock): verdict.action for verdict in verdicts_of_run(tx, run_id)}
    states: dict[str, TaskState] = {}
    for task in tasks_of_run(tx, run_id):
        if task.queue is QueueName.AI_ANALYSIS:
            for stock in AnalysisPayload.model_validate(task.payload).stocks:
                # A remainder follows its parent in the run, so the last task that names a stock decides.
                states[stock] = task.state
    return RunStocks(
        total=len(states),
        done=sum(action is not Action.INSUFFICIENT_DATA for action in verdicts.values()),
        without_data=sum(action is Action.INSUFFICIENT_DATA for action in verdicts.values()),
        failed=sum(
            state in (TaskState.FAILED, TaskState.CANCELLED) and stock not in verdicts
            for stock, state in states.items()
        ),
    )
