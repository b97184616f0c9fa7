"""Commands that look at the desk, whichever process runs its queues."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from handlers.grouping import Grouping
from queues.model import QueueName, TaskState
from server.cli.running import AsJson, app, fail, print_json, run, run_at_desk, say, show

if TYPE_CHECKING:  # slow to import, for every command
    from queues.database import Transaction
    from server.desk import Desk
    from server.portfolio_views import PortfolioView
    from server.settings import Settings
    from server.spending import SpendView
    from server.verdict_views import VerdictPage
    from server.views import TaskDetail, TaskPage

# Those of `Action`, whose module is slow to import, for every command.
ActionName: TypeAlias = Literal["ADD", "HOLD", "TRIM", "EXIT", "INSUFFICIENT_DATA"]

command = partial(app.command, rich_help_panel="Look")

# A page of the desk is what a model can read; a person can scroll.
MOST_TASKS = 1000


@command()
def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing it, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the queues of the home, whichever process runs them."""
    from server.cli.watching import watch_desk  # noqa: PLC0415 (see the package's docstring)
    from server.dashboard.view import dashboard_view  # noqa: PLC0415
    from server.inspection import desk_status  # noqa: PLC0415
    from server.rendering.lanes import lanes  # noqa: PLC0415

    if watch:
        run_at_desk("status", partial(watch_desk, as_json=as_json))
    elif as_json:
        print_json(run_at_desk("status", desk_status))
    else:
        show(run_at_desk("status", dashboard_view), lanes, as_json=False)


@command()
def tasks(
    *,
    queue: Annotated[QueueName | None, typer.Option(help="Only this queue.")] = None,
    state: Annotated[list[TaskState] | None, typer.Option(help="Only this state; repeatable.")] = None,
    run_id: Annotated[str | None, typer.Option("--run", help="Only this run, like sync-1.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_TASKS, help="How many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="From where the list before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """List tasks, newest first: state, what they are about, what they wait for, errors."""
    from server.inspection import page_of_tasks  # noqa: PLC0415
    from server.rendering.tasks import task_table  # noqa: PLC0415

    async def look(desk: "Desk") -> "TaskPage":
        ask = partial(page_of_tasks, desk, queue=queue, states=state or (), run_id=run_id)
        page = await ask(limit=limit, cursor=cursor)
        found = page.tasks
        while page.next_cursor is not None and len(found) < limit:
            page = await ask(limit=limit - len(found), cursor=page.next_cursor)
            found = [*found, *page.tasks]
        return page.model_copy(update={"tasks": found})

    is_chosen = bool(queue or state or run_id or cursor)
    show(run_at_desk("tasks", look), partial(task_table, is_chosen=is_chosen), as_json=as_json)


@command()
def task(
    task_id: Annotated[str, typer.Argument(metavar="TASK", help="Like analysis-12.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one task with all its attempts, and its run."""
    from server.inspection import detail_of  # noqa: PLC0415
    from server.rendering.tasks import task_list  # noqa: PLC0415

    async def look(desk: "Desk") -> "TaskDetail":
        return await desk.database.read(lambda tx: detail_of(tx, task_id))

    show(run_at_desk("task", look), task_list, as_json=as_json)


@command()
def portfolio(
    *,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is held, with the last close, value and gain."""
    from server.enqueueing import known_account  # noqa: PLC0415
    from server.portfolio_views import portfolio_view  # noqa: PLC0415
    from server.rendering.tables import portfolio_table  # noqa: PLC0415

    async def look(desk: "Desk") -> "PortfolioView":
        base = desk.settings.base_currency
        return await desk.database.read(lambda tx: portfolio_view(tx, known_account(tx, account), base=base))

    show(run_at_desk("portfolio", look), portfolio_table, as_json=as_json)


@command()
def verdicts(
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOL]...", help="Like INFY or NSE:INFY; all if left out."),
    ] = None,
    *,
    full: Annotated[
        bool | None,
        typer.Option("--full/--short", help="With evidence and sources; so for symbols that are named."),
    ] = None,
    action: Annotated[ActionName | None, typer.Option(case_sensitive=False, help="Only these.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest verdict of each stock; of named ones with evidence, the fact behind it, and its source."""
    from handlers.verdict import Action  # noqa: PLC0415
    from handlers.verdicts import judged_stocks  # noqa: PLC0415
    from server.rendering.verdicts import verdict_page  # noqa: PLC0415
    from server.verdict_reading import all_verdicts  # noqa: PLC0415

    wanted = symbols or []
    whole = bool(wanted) if full is None else full
    only = None if action is None else Action(action)

    def read(tx: "Transaction", settings: "Settings") -> tuple["VerdictPage", list[str]]:
        page = all_verdicts(tx, settings, wanted, full=whole, action=only)
        missed = {stock.partition(":")[2] for stock in page.unknown}
        return page, sorted(str(stock) for stock in judged_stocks(tx) if stock.symbol in missed)

    async def look(desk: "Desk") -> tuple["VerdictPage", list[str]]:
        return await desk.database.read(lambda tx: read(tx, desk.settings))

    page, twins = run_at_desk("verdicts", look)
    show(page, partial(verdict_page, is_chosen=only is not None, twins=twins), as_json=as_json)


@command()
def spend(
    *,
    by: Annotated[Grouping, typer.Option(help="How to add up the sessions.")] = "day",
    days: Annotated[int, typer.Option(min=1, max=3660, help="Days back, today included.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Show what Claude sessions cost, and what is left of today's budget."""
    from server.rendering.tables import spend_table  # noqa: PLC0415
    from server.spending import spend_view  # noqa: PLC0415

    async def look(desk: "Desk") -> "SpendView":
        return await desk.database.read(
            lambda tx: spend_view(tx, desk.settings, by, days=days, offset=0, limit=50)
        )

    show(run_at_desk("spend", look), spend_table, as_json=as_json)


@command()
def report(
    *,
    kind: Annotated[
        Literal["html", "markdown", "csv"], typer.Option("--format", help="Of the file.")
    ] = "html",
    out: Annotated[Path | None, typer.Option(help="Where to; - is stdout. Else a name with the day.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write the whole desk as one file that opens offline and prints well."""
    from server.cli.progress import counted  # noqa: PLC0415
    from server.report.command import STDOUT, ReportError, write_report  # noqa: PLC0415

    try:
        with counted("stocks") as progress:
            sentence = run(
                lambda settings: write_report(settings, kind, out, replace=force, progress=progress)
            )
    except ReportError as error:
        fail(str(error))
    say(sentence, err=out == STDOUT)
