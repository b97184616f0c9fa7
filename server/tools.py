"""The tools. Each validates by its types, makes one call, and answers with one view."""

from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations
from pydantic import Field

from handlers.resolve import resolve_stocks
from handlers.stocks import parse_exchange, parse_stock
from handlers.verdicts import latest_verdicts
from queues.database import Transaction
from queues.model import QueueName, TaskState
from server import control, inspection, requests
from server.desk import Desk
from server.domain_views import PortfolioView, VerdictPage, portfolio_view, verdict_page
from server.errors import told_to_the_model
from server.views import (
    CancelView,
    ClearView,
    EnqueueView,
    HoldChange,
    RetryView,
    StatusView,
    TaskDetail,
    TaskPage,
)

# Claude Desktop cuts a local tool call off after 60 s.
LONGEST_WAIT_SECONDS = 50
# A thousand symbols are ten times a large portfolio.
MOST_SYMBOLS = 1000

_READ = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
# Enqueuing twice is harmless: the second call is answered with the task of the first.
_ENQUEUE = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
_CONTROL = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_DESTROY = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)

Symbol: TypeAlias = Annotated[str, Field(min_length=1, max_length=40)]
Exchange: TypeAlias = Annotated[
    str | None,
    Field(
        max_length=10,
        description="Exchange of symbols written without one: NSE, BSE, NYSE, NASDAQ, ARCA, AMEX.",
    ),
]
Account: TypeAlias = Annotated[
    str | None, Field(max_length=40, description="Name of one account; all if left out.")
]
Path: TypeAlias = Annotated[
    str | None,
    Field(max_length=1000, description="Broker's export on the server's disk, absolute or with ~."),
]
CsvText: TypeAlias = Annotated[
    str | None, Field(description="Content of the export (at most 1 MB), for a file attached in the chat.")
]
TaskId: TypeAlias = Annotated[str, Field(min_length=1, max_length=40, description="Like analysis-12.")]
RunId: TypeAlias = Annotated[str | None, Field(max_length=40, description="Id of a run's first task.")]
Cursor: TypeAlias = Annotated[
    str | None, Field(max_length=60, description="next_cursor of the page before; left out for the first.")
]


def add_tools(mcp: MCPServer, desk: Desk) -> None:
    """Register every tool, in the order in which a review uses them."""
    _add_enqueue_tools(mcp, desk)
    _add_inspection_tools(mcp, desk)
    _add_control_tools(mcp, desk)
    _add_result_tools(mcp, desk)


def _add_enqueue_tools(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Review the portfolio", annotations=_ENQUEUE)
    async def enqueue_portfolio_review(
        path: Path = None, csv_text: CsvText = None, account: Account = None, exchange: Exchange = None
    ) -> EnqueueView:
        """Review a whole portfolio in the background: sync the export, fetch prices, analyse every stock.

        Pass path or csv_text to sync a broker's export first; without either, what is held now is reviewed.
        Analysis runs in sessions of 2-3 stocks, and spends money when the analyst is Claude, so call it only
        when the user asks for a review. It answers at once; follow with get_task(wait_for="run"), then
        get_verdicts.
        """
        with told_to_the_model():
            return await requests.request_review(
                desk, path=path, csv_text=csv_text, account=account, exchange=exchange
            )

    @mcp.tool(title="Sync holdings", annotations=_ENQUEUE)
    async def enqueue_portfolio_sync(
        path: Path = None,
        csv_text: CsvText = None,
        account: Annotated[
            str, Field(max_length=40, description="Account that the file describes.")
        ] = "main",
        exchange: Exchange = None,
    ) -> EnqueueView:
        """Bring the holdings of one account from a broker's export into the desk, in the background.

        Reads Zerodha Kite's holdings CSV (always NSE) and any CSV with symbol, quantity and average price
        columns. Give either path or csv_text. It only syncs: use enqueue_portfolio_review to analyse as well.
        """
        with told_to_the_model():
            return await requests.request_sync(
                desk, path=path, csv_text=csv_text, account=account, exchange=exchange
            )

    @mcp.tool(title="Fetch prices", annotations=_ENQUEUE)
    async def enqueue_data_fetch(
        symbols: Annotated[
            list[Symbol] | None,
            Field(max_length=MOST_SYMBOLS, description="Like INFY or NSE:INFY; everything held if left out."),
        ] = None,
        exchange: Exchange = None,
        force: Annotated[bool, Field(description="Ask the source even where prices are fresh.")] = False,
    ) -> EnqueueView:
        """Fetch daily prices of stocks in the background, and compute the facts that verdicts cite.

        Fresh ones are left alone unless force is set. Analysis fetches what it needs by itself, so call this
        only to refresh prices without an analysis.
        """
        with told_to_the_model():
            return await requests.request_fetch(desk, symbols=symbols, exchange=exchange, force=force)

    @mcp.tool(title="Analyse stocks", annotations=_ENQUEUE)
    async def enqueue_ai_analysis(
        symbols: Annotated[
            list[Symbol], Field(min_length=1, max_length=MOST_SYMBOLS, description="Like INFY or NSE:INFY.")
        ],
        exchange: Exchange = None,
        priority: Annotated[int, Field(ge=-100, le=100, description="Higher runs earlier; 0 is usual.")] = 0,
    ) -> EnqueueView:
        """Analyse some stocks in the background, in sessions of 2-3, with a verdict for each.

        Missing or stale prices are fetched first. It spends money when the analyst is Claude, so call it only
        for stocks that the user asks about. A stock whose analysis is queued already is not analysed twice.
        """
        with told_to_the_model():
            return await requests.request_analysis(
                desk, symbols=symbols, exchange=exchange, priority=priority
            )


def _add_inspection_tools(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Status of the queues", annotations=_READ)
    async def get_queue_status() -> StatusView:
        """Show the three queues: state, holds with their reasons, running task, counts, estimated finish.

        Start here when something seems stuck: message names everything that needs somebody. For one task use
        get_task, for many list_tasks.
        """
        with told_to_the_model():
            return await inspection.desk_status(desk)

    @mcp.tool(title="List tasks", annotations=_READ)
    async def list_tasks(
        queue: Annotated[QueueName | None, Field(description="Only this queue.")] = None,
        state: Annotated[list[TaskState] | None, Field(description="Only these states.")] = None,
        run_id: RunId = None,
        limit: Annotated[int, Field(ge=1, le=50, description="Tasks on one page.")] = 10,
        cursor: Cursor = None,
    ) -> TaskPage:
        """List tasks, newest first, with state, progress, what they wait for, and result or error.

        Filter by queue, state or run_id; page with cursor. To wait for one task use get_task.
        """
        with told_to_the_model():
            return await inspection.page_of_tasks(
                desk, queue=queue, states=state or (), run_id=run_id, limit=limit, cursor=cursor
            )

    @mcp.tool(title="Look at a task", annotations=_READ)
    async def get_task(
        task_id: TaskId,
        wait_seconds: Annotated[
            float, Field(ge=0, le=LONGEST_WAIT_SECONDS, description="Wait so long for the end; 0 looks only.")
        ] = 0,
        wait_for: Annotated[
            Literal["task", "run"],
            Field(description="What must end: this task, or all that its request caused."),
        ] = "task",
    ) -> TaskDetail:
        """Show one task with all its attempts, and how far its run is; a run_id works as well.

        With wait_seconds it returns as soon as the task (or the run) ends; call it again while it has not.
        """
        with told_to_the_model():
            return await inspection.task_detail(
                desk, task_id, wait=timedelta(seconds=wait_seconds), wait_for=wait_for
            )


def _add_control_tools(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Cancel tasks", annotations=_DESTROY)
    async def cancel_tasks(
        task_ids: Annotated[list[TaskId] | None, Field(max_length=MOST_SYMBOLS, description="Ids.")] = None,
        run_id: RunId = None,
        reason: Annotated[str | None, Field(max_length=200, description="Kept with the tasks.")] = None,
    ) -> CancelView:
        """Cancel queued and running tasks, by id or all of one run; what waits for them is cancelled too.

        A running task is stopped within moments; what it stored so far stays. retry_task brings one back.
        """
        with told_to_the_model():
            return await control.cancel(desk, task_ids=task_ids or (), run_id=run_id, reason=reason)

    @mcp.tool(title="Retry a task", annotations=_ENQUEUE)
    async def retry_task(task_id: TaskId) -> RetryView:
        """Queue a failed, cancelled or completed task anew, and what was cancelled because of it.

        Retry the task that failed first, not those that waited for it. An analysis by Claude spends money again.
        """
        with told_to_the_model():
            return await control.retry(desk, task_id)

    @mcp.tool(title="Hold a queue", annotations=_CONTROL)
    async def hold_queue(
        queue: QueueName,
        reason: Annotated[str, Field(min_length=1, max_length=200, description="Shown in every status.")],
        minutes: Annotated[
            int | None,
            Field(ge=1, le=60 * 24 * 30, description="End of the hold; until released if left out."),
        ] = None,
    ) -> HoldChange:
        """Let a queue start nothing more; its running task goes on and its queued tasks stay.

        Use it to pause spending or fetching. release_queue ends it.
        """
        with told_to_the_model():
            return await control.hold(desk, queue, reason=reason, minutes=minutes)

    @mcp.tool(title="Release a queue", annotations=_CONTROL)
    async def release_queue(
        queue: QueueName,
        include_old: Annotated[
            bool,
            Field(description="Also start analyses that were asked for over a day ago; they spend money."),
        ] = False,
    ) -> HoldChange:
        """End every hold of a queue, whoever set it: a person, a usage limit, a missing sign-in.

        If the cause of a hold is not mended, the queue holds itself again. Set include_old only when the user
        agrees to old analyses.
        """
        with told_to_the_model():
            return await control.release(desk, queue, include_old=include_old)

    @mcp.tool(title="Clear a queue", annotations=_DESTROY)
    async def clear_queue(queue: QueueName) -> ClearView:
        """Cancel every queued task of one queue, and what waits for them; the running task goes on.

        Call it only when the user wants all of that work dropped; cancel_tasks is finer.
        """
        with told_to_the_model():
            return await control.clear(desk, queue)


def _add_result_tools(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Show the portfolio", annotations=_READ)
    async def get_portfolio(
        account: Account = None,
        limit: Annotated[int, Field(ge=1, le=50, description="Holdings on one page.")] = 40,
        cursor: Cursor = None,
    ) -> PortfolioView:
        """Show what is held: quantity, average price, last close with its date, value, gain, totals per currency.

        A number that is not known is null. Nothing is converted between currencies.
        """
        with told_to_the_model():
            offset = 0 if cursor is None else inspection.number_of(cursor)
            return await desk.database.read(
                lambda tx: portfolio_view(tx, account, offset=offset, limit=limit)
            )

    @mcp.tool(title="Show verdicts", annotations=_READ)
    async def get_verdicts(
        symbols: Annotated[
            list[Symbol] | None, Field(max_length=MOST_SYMBOLS, description="Like INFY; all if left out.")
        ] = None,
        exchange: Exchange = None,
        full: Annotated[
            bool, Field(description="With evidence, points and data quality; fewer to a page.")
        ] = False,
        limit: Annotated[
            int, Field(ge=1, le=50, description="Verdicts on one page; at most 5 if full.")
        ] = 15,
        cursor: Cursor = None,
    ) -> VerdictPage:
        """Show the newest verdict of each stock: action, conviction, thesis, who judged and from what date.

        Use full for the evidence: each number with its fact, unit, date and source. A verdict is AI-generated
        and not investment advice; say so when you pass it on.
        """
        size = min(limit, 5) if full else limit

        def read(tx: Transaction) -> VerdictPage:
            wanted = None
            if symbols:
                asked = None if exchange is None else parse_exchange(exchange)
                wanted = resolve_stocks(tx, symbols, asked, desk.settings.default_exchange)
            after = None if cursor is None else parse_stock(cursor)
            found = latest_verdicts(tx, wanted, limit=size + 1, after=after)
            known = {verdict.stock for verdict in latest_verdicts(tx, wanted, limit=MOST_SYMBOLS)}
            unknown = [str(stock) for stock in wanted or () if stock not in known]
            return verdict_page(found, limit=size, full=full, unknown=unknown)

        with told_to_the_model():
            return await desk.database.read(read)
