"""What the tests of the server share: settings of a fresh home, an agent at its tools, and files to sync."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.types import TextContent

from handlers.stocks import Stock
from queues.clock import system_clock
from queues.database import Database
from server.desk import DATABASE_NAME, Desk, migrations
from server.settings import Settings, load_settings

TABLES = ("tasks", "holds", "snapshots", "holdings", "facts", "verdicts", "sessions", "attempts")
# Of what no stand-in here has.
NOTHING_BESIDE_PRICES: dict[str, Any] = {
    "fundamentals_sources": ("none",),
    "news_sources": ("none",),
    "filing_sources": ("none",),
}
SAMPLE_DAY = date(2022, 12, 28)
KITE_HEADER = '"Instrument","Qty.","Avg. cost","LTP","Invested","Cur. val","P&L","Net chg.","Day chg.",""'


def sample_settings(home: Path, **chosen: Any) -> Settings:
    """A home in which rules judge the bundled prices, unless something else is chosen."""
    usual = {
        "home": home,
        "analyst": "baseline",
        "price_sources": ("sample",),
        "as_of": SAMPLE_DAY,
        "log_level": "WARNING",
    }
    return load_settings(**{**usual, **chosen})


@dataclass(frozen=True, slots=True)
class Agent:
    """An MCP client, as a model uses it."""

    client: Client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What the tool answered; the client has held it against the tool's output schema."""
        result = await self.client.call_tool(tool, arguments)
        text = _text(result.content)
        assert not result.is_error, text
        assert result.structured_content is not None
        assert json.loads(text) == result.structured_content
        return result.structured_content

    async def full_verdicts(self) -> list[dict[str, Any]]:
        """Every verdict in its full form, over all pages."""
        verdicts: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = await self.call("get_verdicts", full=True, cursor=cursor)
            verdicts += page["verdicts"]
            if (cursor := page["next_cursor"]) is None:
                return verdicts

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The text of the error with which the tool answered."""
        result = await self.client.call_tool(tool, arguments)
        text = _text(result.content)
        assert result.is_error, text
        prefix = f"Error executing tool {tool}: "
        assert text.startswith(prefix), text
        return text.removeprefix(prefix)


def _text(content: Any) -> str:
    (only,) = content
    assert isinstance(only, TextContent)
    return only.text


def kite_csv(*symbols: str) -> str:
    """Kite's holdings export of ten shares each."""
    rows = [f'"{symbol}",10,100.5,0,1005,0,0,0,0,""' for symbol in symbols]
    return "\n".join([KITE_HEADER, *rows]) + "\n"


def csv_of(*stocks: Stock, quantity: int = 10) -> str:
    rows = [f"{stock.symbol},{stock.exchange},{quantity},100.5" for stock in stocks]
    return "\n".join(["Symbol,Exchange,Quantity,Average Price", *rows]) + "\n"


def earlier(settings: Settings, span: timedelta) -> Database:
    """The database of the home, as a process sees it whose clock is behind by `span`."""
    return Database(settings.home / DATABASE_NAME, migrations(), clock=lambda: system_clock() - span)


def counts(desk: Desk) -> dict[str, int]:
    """How many rows each table of the home has that a request could change; and its uploads."""

    def count(table: str) -> int:
        row = desk.database.read_now(lambda tx: tx.row(f"SELECT count(*) FROM {table}"))
        assert row is not None
        return row[0]

    return {**{table: count(table) for table in TABLES}, "uploads": len(list(desk.uploads.iterdir()))}
