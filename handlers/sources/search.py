"""Stocks by the name of their company, from Yahoo's own search; without a key.

`GET /v1/finance/search?q=…` answers `{"quotes": [{"symbol", "shortname", "longname", "exchange", "quoteType"}, …]}`.
"""

from collections.abc import Sequence
from datetime import timedelta

from pydantic import BaseModel

from handlers.instruments import Listing
from handlers.plain_text import cut, plain_text
from handlers.sources.base import SourceError
from handlers.sources.http import Host, parse
from handlers.stocks import SYMBOL, Exchange, Stock

_KEEP = timedelta(days=1)
_LONGEST_NAME = 100
# Yahoo's codes of the exchanges that the desk knows.
_EXCHANGES = {
    "NSI": Exchange.NSE,
    "BSE": Exchange.BSE,
    "NMS": Exchange.NASDAQ,
    "NGM": Exchange.NASDAQ,
    "NCM": Exchange.NASDAQ,
    "NYQ": Exchange.NYSE,
    "PCX": Exchange.ARCA,
    "ASE": Exchange.AMEX,
    "BTS": Exchange.BATS,
}


class _Quote(BaseModel):
    symbol: str
    exchange: str = ""
    shortname: str | None = None
    longname: str | None = None


class _Answer(BaseModel):
    quotes: list[_Quote]


async def search_yahoo(host: Host, words: str) -> Sequence[Listing]:
    """What Yahoo finds for a name or a part of one, best first; empty if nothing is on an exchange of the desk.

    Raises:
        SourceError: Yahoo gives no answer.
    """
    query = {"q": words, "quotesCount": 20, "newsCount": 0}
    subject = f"stocks called {words[:40]!r}"
    answer = await host.get("/v1/finance/search", subject, query, keep=_KEEP)
    if not answer.is_success:
        raise SourceError(f"Yahoo answered {answer.status} for {subject}.")
    quotes = parse(_Answer, answer, host, subject).quotes
    return [found for quote in quotes if (found := _listing(quote)) is not None]


def _listing(quote: _Quote) -> Listing | None:
    exchange = _EXCHANGES.get(quote.exchange)
    if exchange is None:
        return None
    if exchange.currency == "INR":
        symbol = quote.symbol.removesuffix(".NS").removesuffix(".BO")
    else:
        symbol = quote.symbol.replace("-", ".")
    if not SYMBOL.fullmatch(symbol):
        return None
    name = cut(plain_text(quote.longname or quote.shortname or ""), _LONGEST_NAME)
    return Listing(Stock(symbol, exchange), name or None)
