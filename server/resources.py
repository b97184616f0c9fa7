"""The desk as resources: the views with which the tools answer, as JSON under addresses that stay the same."""

import json
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from mcp import MCPError
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import (
    INVALID_PARAMS,
    Annotations,
    ListResourcesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    Resource,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from handlers.resolve import resolve_stocks
from handlers.stocks import Exchange, Stock, StockError, parse_stock
from handlers.verdict import Verdict
from handlers.verdicts import judged_stocks, latest_verdicts
from queues.database import Transaction
from queues.errors import EngineError, UnknownTaskError
from queues.inspection import TaskFilter, list_tasks
from queues.model import QueueName, Task
from server import icons
from server.desk import Desk
from server.inspection import desk_status, detail_of, stock_of
from server.portfolio_views import portfolio_view
from server.requests import RequestError
from server.verdict_views import VerdictPage, verdict_page
from server.views import TaskDetail, View

JSON = "application/json"
TASK_ID = re.compile(r"[a-z]+-[0-9]{1,18}")
HOLDINGS = 40  # as many as get_portfolio shows without arguments
PAGE = 50  # resources of one page of the list: 15,000 characters
RECENT_TASKS = 20  # older ones are found with list_tasks
LONGEST = 19_900  # characters; what is longer may not reach the model
LONGEST_URI = 200  # three times the longest there is
NOT_FOUND_2025 = -32002  # before SEP-2164 made it "Invalid params"


class NotYetError(ResourceNotFoundError):
    """The address may come to show something, but does not now."""


def add_resources(mcp: MCPServer, desk: Desk) -> None:
    """Register the resources, their templates, and a list of them that has pages."""
    _add_overviews(mcp, desk)
    _add_templates(mcp, desk)
    server = mcp._lowlevel_server  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (MCPServer has no pages)
    by_sdk = server.get_request_handler("resources/read")
    assert by_sdk is not None

    async def list_resources(
        _: ServerRequestContext[Any, Any], params: PaginatedRequestParams
    ) -> ListResourcesResult:
        always = await mcp.list_resources() if params.cursor is None else []
        try:
            listed, cursor = await desk.database.read(lambda tx: _page(tx, params.cursor))
        except RequestError as error:
            raise MCPError(INVALID_PARAMS, str(error)) from error
        return ListResourcesResult(resources=[*always, *listed], next_cursor=cursor)

    async def read_resource(
        ctx: ServerRequestContext[Any, Any], params: ReadResourceRequestParams
    ) -> HandlerResult:
        if len(params.uri) > LONGEST_URI:  # the SDK would log it
            raise not_found(ctx, params.uri)
        try:
            return await by_sdk.handler(ctx, params)
        except MCPError as error:
            if error.code != INVALID_PARAMS:
                raise
            raise not_found(ctx, params.uri, error) from error

    server.add_request_handler("resources/list", PaginatedRequestParams, list_resources)
    server.add_request_handler("resources/read", ReadResourceRequestParams, read_resource)


def not_found(ctx: ServerRequestContext[Any, Any], uri: str, why: Exception | None = None) -> MCPError:
    """The error of the client's protocol version for an address that shows nothing."""
    code = INVALID_PARAMS if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS else NOT_FOUND_2025
    sentence = "" if why is None else str(why)
    if not sentence or sentence.startswith("Unknown resource"):  # the SDK's, which names no next step
        known = "resources/list and resources/templates/list show what there is"
        sentence = f"There is no resource {uri[:80]!r}; {known}."
    return MCPError(code, sentence, {"uri": uri[:LONGEST_URI]})


def _add_overviews(mcp: MCPServer, desk: Desk) -> None:
    @mcp.resource(
        "stockdesk://status",
        title="Status of the desk",
        mime_type=JSON,
        annotations=_for_all(1.0),
        icons=icons.LOOK,
    )
    async def status() -> str:
        """What the three queues do, who runs them, what was spent today, and what needs somebody."""
        with _told_to_the_client():
            return _json(await desk_status(desk))

    @mcp.resource(
        "stockdesk://portfolio",
        title="Portfolio",
        mime_type=JSON,
        annotations=_for_all(0.9),
        icons=icons.RESULT,
    )
    async def portfolio() -> str:
        """Accounts, totals per currency, and the first 40 holdings; get_portfolio pages through all of them."""
        with _told_to_the_client():
            return _json(
                await desk.database.read(
                    lambda tx: portfolio_view(
                        tx, None, offset=0, limit=HOLDINGS, base=desk.settings.base_currency
                    )
                )
            )


def _add_templates(mcp: MCPServer, desk: Desk) -> None:
    @mcp.resource(
        "stockdesk://queues/{queue}",
        title="One queue",
        mime_type=JSON,
        annotations=_for_all(0.6),
        icons=icons.LOOK,
    )
    async def queue(queue: str) -> str:
        """State, holds, running task and counts of portfolio_sync, data_fetcher or ai_analysis."""
        if queue not in list(QueueName):
            raise ResourceNotFoundError(
                f"There is no queue {queue[:40]!r}; there are {', '.join(QueueName)}."
            )
        with _told_to_the_client():
            return _json(next(each for each in (await desk_status(desk)).queues if each.queue == queue))

    @mcp.resource(
        "stockdesk://tasks/{id}",
        title="One task",
        mime_type=JSON,
        annotations=_for_all(0.4),
        icons=icons.LOOK,
    )
    async def task(id: str) -> str:  # noqa: A002 (so the template names it)
        """A task with its attempts, and how far its run is; list_tasks shows the ids."""
        with _told_to_the_client():
            return _json(await desk.database.read(lambda tx: _task(tx, id)))

    @mcp.resource(
        "stockdesk://verdicts/{symbol}",
        title="Verdict of one stock",
        mime_type=JSON,
        annotations=_for_all(0.8),
        icons=icons.RESULT,
    )
    async def verdict(symbol: str) -> str:
        """The newest verdict of a stock like NSE:INFY, with its evidence; AI-generated, not investment advice."""
        with _told_to_the_client():
            return _cut(await desk.database.read(lambda tx: _verdict(tx, desk, symbol)))


@contextmanager
def _told_to_the_client() -> Generator[None]:
    """Raise what can be foreseen with the same sentence, as what it is to the protocol."""
    try:
        yield
    except UnknownTaskError as error:
        raise NotYetError(str(error)) from error
    except StockError as error:
        raise ResourceNotFoundError(str(error)) from error
    except EngineError as error:
        raise ResourceError(str(error)) from error


def _json(view: View) -> str:
    return view.model_dump_json()


def _task(tx: Transaction, task_id: str) -> TaskDetail:
    if not TASK_ID.fullmatch(task_id):
        raise ResourceNotFoundError(f"{task_id[:40]!r} is no id of a task; list_tasks shows the ids.")
    return detail_of(tx, task_id)


def _verdict(tx: Transaction, desk: Desk, symbol: str) -> VerdictPage:
    parse_stock(symbol, Exchange.NSE)  # so that nothing but a symbol reaches the database
    try:
        stocks = resolve_stocks(tx, [symbol], None, desk.settings.default_exchange)
    except StockError as error:
        raise NotYetError(str(error)) from error
    found = latest_verdicts(tx, stocks)
    if not found:
        raise NotYetError(f"{stocks[0]} has no verdict yet; enqueue_ai_analysis asks for one.")
    return verdict_page(tx, found, limit=1, full=True, total=1)


def _cut(page: VerdictPage) -> str:
    """Without the last of what the analyst was given, where that is too much."""
    text = _json(page)
    excess = len(text) - LONGEST
    if excess <= 0:
        return text
    shown = page.model_dump(mode="json")
    inputs: list[str] = shown["verdicts"][0]["detail"]["audit"]["inputs"]
    kept = len(inputs)
    while excess > 0 and kept:
        kept -= 1
        excess -= len(inputs[kept])
    cut = f"… {len(inputs) - kept} more; get_verdicts with full=true shows them all"
    inputs[kept:] = [cut]
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def listed_uris(tx: Transaction) -> set[str]:
    """The addresses that come and go in the list."""
    tasks, _ = list_tasks(tx, TaskFilter(), limit=RECENT_TASKS)
    return {*map(_task_uri, tasks), *map(_verdict_uri, judged_stocks(tx))}


def _page(tx: Transaction, cursor: str | None) -> tuple[list[Resource], str | None]:
    """Queues and the newest tasks, then the verdicts by stock; the cursor is the last stock of the page before."""
    after = None if cursor is None else stock_of(cursor)
    before_verdicts = [] if after else list(_before_verdicts(tx))
    room = PAGE - len(before_verdicts)
    verdicts = latest_verdicts(tx, limit=room + 1, after=after)
    shown = verdicts[:room]
    listed = [*before_verdicts, *map(_listed_verdict, shown)]
    return listed, str(shown[-1].stock) if len(verdicts) > room else None


def _before_verdicts(tx: Transaction) -> Iterator[Resource]:
    for queue in QueueName:
        yield Resource(
            uri=f"stockdesk://queues/{queue}",
            name=queue,
            title=f"Queue {queue}",
            mime_type=JSON,
            annotations=_for_all(0.6),
        )
    for task in list_tasks(tx, TaskFilter(), limit=RECENT_TASKS)[0]:
        yield Resource(
            uri=_task_uri(task),
            name=task.id,
            title=f"Task {task.id}",
            mime_type=JSON,
            annotations=_for_all(0.4),
        )


def _listed_verdict(verdict: Verdict) -> Resource:
    annotations = _for_all(0.8)
    annotations.last_modified = verdict.created_at.isoformat()
    return Resource(
        uri=_verdict_uri(verdict.stock),
        name=str(verdict.stock),
        title=f"Verdict of {verdict.stock}",
        mime_type=JSON,
        annotations=annotations,
    )


def _task_uri(task: Task) -> str:
    return f"stockdesk://tasks/{task.id}"


def _verdict_uri(stock: Stock) -> str:
    return f"stockdesk://verdicts/{quote(str(stock), safe=':')}"


def _for_all(priority: float) -> Annotations:
    return Annotations(audience=["user", "assistant"], priority=priority)
