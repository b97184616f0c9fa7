"""What a sync means for analyses that wait: a stock that is not held any more leaves them, its neighbours stay."""

from collections.abc import Sequence
from contextlib import suppress

from handlers.analysis_task import analyses_of
from handlers.joining import withdraw
from handlers.portfolio import current_holdings
from handlers.stocks import Stock
from queues.database import Transaction
from queues.errors import DedupKeyTakenError
from queues.model import TaskState


def withdraw_sold(tx: Transaction, stocks: Sequence[Stock], reason: str) -> dict[Stock, str]:
    """Take those of the stocks that no account holds out of the analyses that have not begun.

    Names the task that each has left; one whose last stock leaves is cancelled, for `reason`.
    """
    held = {each.holding.stock for each in current_holdings(tx)}
    left: dict[Stock, str] = {}
    for stock in stocks:
        # One by one: a neighbour may just have left the same task.
        task = None if stock in held else analyses_of(tx, [stock]).get(stock)
        # Where another task judges just the neighbours, this one goes on as it is: better once too often.
        with suppress(DedupKeyTakenError):
            if task is not None and task.state is TaskState.QUEUED:
                withdraw(tx, task, stock, reason)
                left[stock] = task.id
    return left
