"""What an `analyse` task has to show for itself so far."""

from handlers.analyst.costs import sessions_of_task
from handlers.facts import current_facts
from handlers.stocks import Stock
from handlers.verdict import Reason, Verdict
from handlers.verdicts import verdicts_of_task
from queues.database import Transaction
from queues.model import JsonObject, Task


def done_stocks(tx: Transaction, task: Task) -> set[Stock]:
    """The stocks of which nothing is left to do: judged by this task, or still without data."""

    def has_come(verdict: Verdict) -> bool:
        return verdict.reason == Reason.MISSING_DATA and bool(current_facts(tx, verdict.stock))

    return {verdict.stock for verdict in verdicts_of_task(tx, task) if not has_come(verdict)}


def result_of(tx: Transaction, task: Task) -> JsonObject:
    """Per stock its verdict in short, and every session that the task has run, over all its attempts.

    A verdict that is `still_current` was renewed: nothing had changed since it was made.
    """
    return {
        "verdicts": {
            str(verdict.stock): {
                "action": verdict.action.value,
                "conviction": verdict.conviction,
                "analyst": verdict.analyst.value,
                **({} if verdict.reason is None else {"reason": verdict.reason}),
                **({"still_current": True} if verdict.judged_at < verdict.created_at else {}),
            }
            for verdict in verdicts_of_task(tx, task)
        },
        "sessions": [
            {
                "session_id": session.session_id,
                "model": session.model,
                "ended_as": session.ended_as,
                "turns": session.spent.turns,
                "input_tokens": session.spent.input_tokens,
                "output_tokens": session.spent.output_tokens,
                "cost_usd": session.spent.cost_usd,
                "at_least": session.at_least,
                "duration_seconds": None if session.duration is None else session.duration.total_seconds(),
            }
            for session in sessions_of_task(tx, task.id)
        ],
    }
