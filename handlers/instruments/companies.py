"""Stocks by the name of their company, from the lists alone."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from handlers.instruments.isin import require_isin
from handlers.instruments.lists import Instruments, spellings
from handlers.stocks import Exchange, Stock

# What a company is called with and without.
_FORMS = frozenset(
    {"the", "and", "of", "ltd", "limited", "pvt", "plc", "inc", "incorporated", "corp", "corporation"}
    | {"co", "company", "cos", "holdings"}
)


@dataclass(frozen=True, slots=True)
class Listing:
    """`company` is None for a stock of the user's own list, which names no companies."""

    stock: Stock
    company: str | None


def search_lists(query: str, lists: Instruments) -> list[Listing]:
    """What a company's name, the beginnings of its words, a symbol or an ISIN may mean; the likeliest first.

    A symbol that NSE gave up finds today's. Empty if no list has it.
    """
    text, wanted = query.strip().upper(), _words(query)
    stocks = {**dict.fromkeys((*lists.by_isin.values(), *lists.tickers.values())), **lists.companies}
    ranked = [
        (rank, Listing(stock, company))
        for stock, company in stocks.items()
        if (rank := _rank(stock, _words(company or ""), text, wanted)) is not None
    ]
    ranked.sort(key=lambda each: each[0])
    meant = _by_code(text, lists)
    return [
        *(Listing(stock, stocks[stock]) for stock in meant),
        *(each for _, each in ranked if each.stock not in meant),
    ]


def _by_code(text: str, lists: Instruments) -> list[Stock]:
    """The stock of an ISIN, or that to which a symbol of NSE was renamed."""
    try:
        stock = lists.by_isin.get(require_isin(text))
    except ValueError:
        renaming = lists.renaming(Stock(text, Exchange.NSE), None)
        stock = None if renaming is None else Stock(renaming.symbol, Exchange.NSE)
    return [] if stock is None else [stock]


def _rank(stock: Stock, name: Sequence[str], text: str, wanted: Sequence[str]) -> tuple[int, int] | None:
    """0 is the symbol, its marks aside, 1 all words of the name, 2 the symbol's beginning; then by what is left."""
    if text in (stock.symbol, str(stock)):
        return 0, 0
    (_, asked), (_, bare) = spellings(text), spellings(stock.symbol)
    if asked in (bare, f"{stock.exchange}{bare}"):
        return 0, 1
    if wanted and all(any(word.startswith(each) for word in name) for each in wanted):
        begins = name[0].startswith(wanted[0])
        return 1, len(name) - len(wanted) + (0 if begins else len(name))
    return (2, len(stock.symbol)) if len(text) > 1 and stock.symbol.startswith(text) else None


@functools.lru_cache(maxsize=20_000)  # every name of the lists, once
def _words(text: str) -> tuple[str, ...]:
    words = tuple(re.findall(r"[^\W_]+", text.casefold().replace("'", "")))
    return tuple(word for word in words if word not in _FORMS) or words
