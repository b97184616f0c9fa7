"""The tool that finds stocks by the name of their company."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from handlers.finding import Finder, FindError, Found
from handlers.instruments import InstrumentsError
from handlers.sources.pace import Pace
from handlers.stocks import Exchange
from server import icons
from server.desk import Desk, instruments_folder
from server.enqueueing import RequestError
from server.errors import told_to_the_model
from server.tools.arguments import SEARCH
from server.views import View

# Of more, the query says too little.
MOST_FOUND = 10


class FoundStock(View):
    stock: str
    company: str | None


class FoundView(View):
    """The likeliest first; empty if nobody knows the name on an exchange of the desk."""

    stocks: list[FoundStock]
    message: str

    @classmethod
    def of(cls, query: str, found: Found) -> "FoundView":
        number = len(found.listings)
        shown = found.listings[:MOST_FOUND]
        if not number:
            message = (
                f"Nobody knows {query!r} on {', '.join(Exchange)}: neither the desk's lists nor {found.by}."
            )
        elif number > len(shown):
            message = f"The first {len(shown)} of {number} in {found.by}; write more of the name for fewer."
        else:
            message = f"{number} found in {found.by}."
        return cls(
            stocks=[FoundStock(stock=str(each.stock), company=each.company) for each in shown],
            message=message,
        )


def add_find_tool(mcp: MCPServer, desk: Desk) -> None:
    settings = desk.settings
    finder = Finder(
        instruments=instruments_folder(settings),
        cache=settings.home / "cache",
        yahoo_url=settings.yahoo_base_url if "yahoo" in settings.price_sources else None,
        pace=Pace(settings.requests_per_second),
    )

    @mcp.tool(title="Find stocks", annotations=SEARCH, icons=icons.LOOK)
    async def find_stocks(
        query: Annotated[
            str,
            Field(
                min_length=1,
                max_length=80,
                description="Part of a company's name, like reliance ind; or a symbol or an ISIN.",
            ),
        ],
    ) -> FoundView:
        """Find the symbols and exchanges of stocks by the name of their company, the likeliest first.

        It searches the desk's lists of NSE, NYSE and Nasdaq, and asks Yahoo only where these have nothing. Use it
        when the user names a company, or a symbol is refused; the other tools take stock as it stands here, like
        NSE:INFY. If several could be meant, ask the user.
        """
        with told_to_the_model():
            if not query.strip():
                raise RequestError("query is blank; write part of a company's name, a symbol or an ISIN.")
            try:
                return FoundView.of(query, await finder.find(query))
            except (FindError, InstrumentsError) as error:
                raise RequestError(str(error)) from error
