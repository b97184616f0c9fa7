"""Reads the newest verdicts as the tools and the command line show them, a page at a time or all."""

from collections.abc import Sequence

from handlers.resolve import resolve_stocks
from handlers.stocks import parse_exchange
from handlers.verdict import Action
from handlers.verdicts import judged_stocks, latest_verdicts
from queues.database import Transaction
from server.inspection import stock_of
from server.settings import Settings
from server.verdict_views import VerdictPage, VerdictView, verdict_page

# A verdict with all that stands behind it is some 10,000 characters.
MOST_FULL, MOST_SHORT = 5, 50


def page_of_verdicts(
    tx: Transaction,
    settings: Settings,
    symbols: Sequence[str] | None,
    *,
    exchange: str | None = None,
    full: bool,
    limit: int,
    cursor: str | None = None,
) -> VerdictPage:
    """The newest verdict of each of these stocks, or of all.

    Raises:
        RequestError: `cursor` is not one that a page gave.
        StockError: a text is no symbol, or its exchange cannot be known.
    """
    size = min(limit, MOST_FULL) if full else limit
    wanted = None
    if symbols:
        asked = None if exchange is None else parse_exchange(exchange)
        wanted = resolve_stocks(tx, symbols, asked, settings.default_exchange)
    after = None if cursor is None else stock_of(cursor)
    found = latest_verdicts(tx, wanted, limit=size + 1, after=after)
    judged = judged_stocks(tx)
    unknown = [stock for stock in wanted or () if stock not in judged]
    total = len(judged) if wanted is None else len(wanted) - len(unknown)
    return verdict_page(tx, found, limit=size, full=full, total=total, unknown=map(str, unknown))


def all_verdicts(
    tx: Transaction, settings: Settings, symbols: Sequence[str], *, full: bool, action: Action | None
) -> VerdictPage:
    """All pages as one; with `action`, only what says that."""
    verdicts: list[VerdictView] = []
    cursor = None
    while True:
        page = page_of_verdicts(tx, settings, symbols, full=full, limit=MOST_SHORT, cursor=cursor)
        verdicts += [each for each in page.verdicts if action in (None, each.action)]
        if (cursor := page.next_cursor) is None:
            return page.model_copy(update={"verdicts": verdicts, "total": len(verdicts)})
