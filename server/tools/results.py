"""Tools that show holdings and verdicts."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from handlers.track_record import Weeks, track_record
from server import icons, inspection
from server.desk import Desk
from server.enqueueing import known_account
from server.errors import told_to_the_model
from server.portfolio_views import PortfolioView, portfolio_view
from server.tools.arguments import MOST_SYMBOLS, READ, Account, Cursor, ExchangeCode, Symbol
from server.track_record_views import TrackRecordView, track_record_view
from server.verdict_reading import page_of_verdicts
from server.verdict_views import VerdictPage


def add_result_tools(mcp: MCPServer, desk: Desk) -> None:
    _add_portfolio_tool(mcp, desk)
    _add_verdict_tool(mcp, desk)
    _add_track_record_tool(mcp, desk)


def _add_portfolio_tool(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Show the portfolio", annotations=READ, icons=icons.RESULT)
    async def get_portfolio(
        account: Account = None,
        limit: Annotated[int, Field(ge=1, le=50, description="Holdings on one page.")] = 40,
        cursor: Cursor = None,
    ) -> PortfolioView:
        """Show what is held: quantity, average price, last close with its date, value, gain, totals per currency.

        A number that is not known is null, and only `converted`, if the desk has a base currency, adds up several. Use
        it for positions and their worth, a page at a time; what to do with a stock is in get_verdicts. It reads what
        was last synced: enqueue_portfolio_sync brings a newer export.
        """
        with told_to_the_model():
            offset = 0 if cursor is None else inspection.number_of(cursor)
            return await desk.database.read(
                lambda tx: portfolio_view(
                    tx,
                    known_account(tx, account),
                    offset=offset,
                    limit=limit,
                    base=desk.settings.base_currency,
                )
            )


def _add_verdict_tool(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Show verdicts", annotations=READ, icons=icons.RESULT)
    async def get_verdicts(
        symbols: Annotated[
            list[Symbol] | None, Field(max_length=MOST_SYMBOLS, description="Like INFY; all if left out.")
        ] = None,
        exchange: ExchangeCode = None,
        full: Annotated[
            bool, Field(description="With evidence, points and data quality; fewer to a page.")
        ] = False,
        limit: Annotated[
            int, Field(ge=1, le=50, description="Verdicts on one page; at most 5 if full.")
        ] = 15,
        cursor: Cursor = None,
    ) -> VerdictPage:
        """Show the newest verdict of each stock: action, conviction, thesis, who judged and from what date.

        Use full for the evidence: each number with its fact, unit, date and source. It never analyses: for a stock
        in unknown, or a verdict that is too old, use enqueue_ai_analysis. A verdict is AI-generated and not
        investment advice; say so when you pass it on.
        """
        with told_to_the_model():
            return await desk.database.read(
                lambda tx: page_of_verdicts(
                    tx, desk.settings, symbols, exchange=exchange, full=full, limit=limit, cursor=cursor
                )
            )


def _add_track_record_tool(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="Show the track record", annotations=READ, icons=icons.RESULT)
    async def get_track_record(
        weeks: Annotated[Weeks, Field(description="How long after the verdict: 1, 4 or 12 weeks.")] = 4,
    ) -> TrackRecordView:
        """Show how good earlier verdicts were: hit rate, return beside the benchmark, and Brier score, with n.

        Grouped by action and by conviction, for Claude and the baseline apart; a hit is an ADD or HOLD that did better
        than the benchmark, or a TRIM or EXIT that did worse. Use it when the user asks how far verdicts can be
        trusted, and pass on what message says of small n. For the verdicts themselves use get_verdicts.
        """
        with told_to_the_model():
            record = await desk.database.read(lambda tx: track_record(tx, weeks))
            return track_record_view(record, weeks)
