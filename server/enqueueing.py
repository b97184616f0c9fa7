"""What all requests share: how a plan is carried out, and what is told of a request that cannot be."""

from collections.abc import Callable

from handlers.planning import Plan, enqueue_plan
from handlers.portfolio import accounts
from handlers.stocks import Exchange, parse_exchange
from queues.database import Transaction
from queues.holds import ask_again, raise_priority
from queues.store import find_task
from server.change_views import EnqueueView, enqueue_view, raised_to
from server.desk import Desk
from server.spending import estimate_view

ADVICE = (
    "Tasks run in the background while this client or `stockdesk worker` is open; get_task shows how far."
)


class RequestError(Exception):
    """A request cannot be carried out as given; the message says what to change. Nothing was stored."""


async def enqueue_planned(
    desk: Desk,
    plan: Callable[[Transaction], Plan],
    advice: str = ADVICE,
    *,
    priority: int = 0,
    force: bool = False,
) -> EnqueueView:
    """Enqueue what is planned; what does part of it already becomes as young and as urgent as this request."""

    def work(tx: Transaction) -> EnqueueView:
        planned = plan(tx)
        enqueued = enqueue_plan(tx, planned, force=force)
        new = [each.task for each in enqueued if not each.already_queued]
        joined = {} if planned.joining is None else {str(planned.joining[0]): planned.joining[1].id}
        covered = {str(stock): task.id for stock, task in planned.covered.items()}
        met = [each.task.id for each in enqueued if each.already_queued]
        # One request for a stock does not make another stock's request younger, though they share a session.
        ask_again(tx, [*covered.values(), *met], tx.now)
        doing = list(dict.fromkeys([*joined.values(), *covered.values(), *met]))
        raised = raise_priority(tx, doing, priority)
        said = [f"{stock} joins {task_id} and shares its session." for stock, task_id in joined.items()]
        if raised:
            said.append(raised_to(priority, raised))
        return enqueue_view(
            enqueued,
            {**joined, **covered},
            run_of_holder=find_task(tx, doing[0]).run_id if doing else None,
            estimate=estimate_view(
                tx, desk.settings, [*new, *(find_task(tx, task_id) for task_id in joined.values())]
            ),
            advice=" ".join([*said, advice]),
        )

    return await desk.database.write(work)


def exchange_of(desk: Desk | None, exchange: str | None) -> Exchange | None:
    """What was given, else the desk's default; raises StockError where it is not known."""
    if exchange is not None:
        return parse_exchange(exchange)
    return None if desk is None else desk.settings.default_exchange


def known_account(tx: Transaction, account: str | None) -> str | None:
    """The account's name as it is stored, whatever its case; None, for all accounts, stays None.

    Raises:
        RequestError: nothing was ever synced into an account of this name.
    """
    if account is None:
        return None
    names = [each.name for each in accounts(tx)]
    if account.strip().lower() not in names:
        known = f"the accounts are {', '.join(names)}" if names else "sync a broker's export first"
        raise RequestError(f"There is no account {account[:40]!r}; {known}.")
    return account.strip().lower()
