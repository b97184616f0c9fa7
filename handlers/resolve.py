"""From what a person calls a stock to the stock, inside a transaction."""

from collections.abc import Sequence

from handlers.portfolio import current_holdings, held_exchanges
from handlers.prices import fetched_exchanges
from handlers.stocks import Exchange, Stock, StockError, parse_stock
from queues.database import Transaction


def resolve_stocks(
    tx: Transaction, symbols: Sequence[str], exchange: Exchange | None, default_exchange: Exchange | None
) -> list[Stock]:
    """Each symbol as a stock, in order, doubles removed.

    The exchange is the symbol's own prefix, else `exchange`, else the only one on which the symbol is held,
    else `default_exchange`, else the only one whose prices of it were fetched before.

    Raises:
        StockError: a text is no symbol, or its exchange cannot be known.
    """
    return list(dict.fromkeys(_resolve(tx, symbol, exchange, default_exchange) for symbol in symbols))


def _resolve(tx: Transaction, text: str, exchange: Exchange | None, default: Exchange | None) -> Stock:
    if ":" in text or exchange is not None:
        return parse_stock(text, exchange)
    held = held_exchanges(tx, text.strip().upper())
    if len(held) > 1:
        both = " and ".join(f"{each}:{text.strip().upper()}" for each in held)
        raise StockError(f"{text!r} is held as {both}; write the one that is meant.")
    exchanges = held or ([default] if default else fetched_exchanges(tx, text.strip().upper()))
    return parse_stock(text, exchanges[0] if len(exchanges) == 1 else None)


def held_stocks(tx: Transaction, account: str | None = None) -> list[Stock]:
    """Every stock held now in one account, or in all, without doubles."""
    return list(dict.fromkeys(held.holding.stock for held in current_holdings(tx, account)))
