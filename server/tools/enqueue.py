"""Tools that enqueue work. Each answers at once."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from server import icons, requests
from server.change_views import EnqueueView
from server.desk import Desk
from server.errors import told_to_the_model
from server.syncs import SyncWish, request_sync
from server.tools.arguments import (
    ENQUEUE,
    MOST_SYMBOLS,
    AnalyseChanges,
    Columns,
    CsvText,
    ExchangeCode,
    ExportPath,
    Force,
    Live,
    Symbol,
)


def add_enqueue_tools(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Review the portfolio", annotations=ENQUEUE, icons=icons.ENQUEUE)
    async def enqueue_portfolio_review(
        path: ExportPath = None,
        csv_text: CsvText = None,
        account: Annotated[
            str | None,
            Field(
                max_length=40,
                description="With a file: the account it describes (main if left out), whose holdings it replaces. "
                "Without: the one to review, all if left out.",
            ),
        ] = None,
        exchange: ExchangeCode = None,
        columns: Columns = None,
        force: Force = False,
    ) -> EnqueueView:
        """Review a whole portfolio in the background: sync the export, fetch prices, analyse every stock.

        Pass path or csv_text to sync a broker's export first; without either, what is held now is reviewed.
        Analysis runs in sessions of 2-3 stocks, and spends money when the analyst is Claude, so call it only
        when the user asks for a review; for a few stocks use enqueue_ai_analysis. It answers at once; follow with
        get_task(wait_for="run"), then get_verdicts.
        """
        with told_to_the_model():
            return await requests.request_review(
                desk,
                path=path,
                csv_text=csv_text,
                account=account,
                exchange=exchange,
                columns=columns,
                force=force,
            )

    @mcp.tool(title="Sync holdings", annotations=ENQUEUE, icons=icons.ENQUEUE)
    async def enqueue_portfolio_sync(
        path: ExportPath = None,
        csv_text: CsvText = None,
        account: Annotated[
            str, Field(max_length=40, description="Account that the file describes.")
        ] = "main",
        exchange: ExchangeCode = None,
        columns: Columns = None,
        broker: Live = None,
        analyse_changes: AnalyseChanges = False,
    ) -> EnqueueView:
        """Bring the holdings of a broker's export into the desk, in the background.

        Knows Zerodha Kite and Console (also XLSX), Groww, Schwab, Fidelity, IBKR Flex XML, and any table with symbol
        or ISIN, quantity and average price; give path, csv_text, or the broker of a live account that the user has
        logged in to (`stockdesk login kite`, `stockdesk login alpaca`). It replaces what the account held
        before; where it names accounts itself, each becomes one like main-1234. It only syncs, unless
        analyse_changes is set: to analyse everything use enqueue_portfolio_review.
        """
        with told_to_the_model():
            wish = SyncWish(
                path=path,
                csv_text=csv_text,
                broker=broker,
                account=account,
                exchange=exchange,
                columns=columns,
                then_review=analyse_changes,
                only_changes=analyse_changes,
            )
            return await request_sync(desk, wish)

    @mcp.tool(title="Fetch prices", annotations=ENQUEUE, icons=icons.ENQUEUE)
    async def enqueue_data_fetch(
        symbols: Annotated[
            list[Symbol] | None,
            Field(max_length=MOST_SYMBOLS, description="Like INFY or NSE:INFY; everything held if left out."),
        ] = None,
        exchange: ExchangeCode = None,
        force: Annotated[bool, Field(description="Ask the source even where prices are fresh.")] = False,
    ) -> EnqueueView:
        """Fetch daily prices of stocks in the background, and compute the facts that verdicts cite.

        Fresh ones are left alone unless force is set. Analysis fetches what it needs by itself, so call this
        only to refresh prices without an analysis.
        """
        with told_to_the_model():
            return await requests.request_fetch(desk, symbols=symbols, exchange=exchange, force=force)

    @mcp.tool(title="Analyse stocks", annotations=ENQUEUE, icons=icons.ENQUEUE)
    async def enqueue_ai_analysis(
        symbols: Annotated[
            list[Symbol], Field(min_length=1, max_length=MOST_SYMBOLS, description="Like INFY or NSE:INFY.")
        ],
        exchange: ExchangeCode = None,
        priority: Annotated[int, Field(ge=-100, le=100, description="Higher runs earlier; 0 is usual.")] = 0,
        force: Force = False,
    ) -> EnqueueView:
        """Analyse some stocks in the background, in sessions of 2-3, with a verdict for each.

        Missing or stale prices are fetched first. It spends money when the analyst is Claude, so call it only
        for stocks that the user asks about; to read verdicts that are there use get_verdicts. A stock whose analysis
        is queued already is not analysed twice; one of which nothing has changed keeps its verdict, at no cost,
        unless force is set.
        """
        with told_to_the_model():
            return await requests.request_analysis(
                desk, symbols=symbols, exchange=exchange, priority=priority, force=force
            )
