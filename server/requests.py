"""What a request for work does to the desk: it checks its input, writes once, and answers with a view."""

from collections.abc import Mapping, Sequence

from handlers.freshness import oldest_first
from handlers.planning import AnalysisOptions, Plan, plan_analysis, plan_fetch, plan_single_analysis
from handlers.portfolio_sync import ColumnHead, ColumnMeaning
from handlers.resolve import held_stocks, resolve_stocks
from queues.database import Transaction
from server.change_views import EnqueueView
from server.desk import Desk
from server.enqueueing import RequestError, enqueue_planned, exchange_of, known_account
from server.syncs import SyncWish, request_sync


async def request_review(
    desk: Desk,
    *,
    path: str | None,
    csv_text: str | None,
    account: str | None,
    exchange: str | None,
    columns: Mapping[ColumnMeaning, ColumnHead] | None = None,
    force: bool = False,
) -> EnqueueView:
    """Enqueue a whole review: of a file that is synced first, or of what is held now.

    Raises:
        RequestError: neither a file nor holdings, a file that cannot be used, or `columns` without a file.
        StockError: the exchange is not known.
    """
    if path is not None or csv_text is not None:
        wish = SyncWish(
            path=path,
            csv_text=csv_text,
            account=account or "main",
            exchange=exchange,
            columns=columns,
            then_review=True,
            force=force,
        )
        return await request_sync(desk, wish)
    if columns is not None:
        raise RequestError("columns are of a file; pass its path or csv_text too.")

    def plan(tx: Transaction) -> Plan:
        stocks = oldest_first(tx, held_stocks(tx, known_account(tx, account)))
        if not stocks:
            raise RequestError("Nothing is held yet; pass path or csv_text of a broker's export.")
        return plan_analysis(tx, stocks, _options(desk, force=force), now=desk.clock())

    return await enqueue_planned(desk, plan, force=force)


async def request_fetch(
    desk: Desk, *, symbols: Sequence[str] | None, exchange: str | None, force: bool
) -> EnqueueView:
    """Enqueue fetches of these symbols, or of everything held.

    Raises:
        RequestError: no symbols and no holdings.
        StockError: a text is no symbol, or its exchange cannot be known.
    """

    def plan(tx: Transaction) -> Plan:
        if symbols:
            stocks = resolve_stocks(tx, symbols, exchange_of(None, exchange), desk.settings.default_exchange)
        elif not (stocks := oldest_first(tx, held_stocks(tx))):
            raise RequestError(
                "The portfolio holds nothing yet; name symbols, or sync a broker's export first."
            )
        return plan_fetch(stocks, force=force)

    return await enqueue_planned(desk, plan)


async def request_analysis(
    desk: Desk, *, symbols: Sequence[str], exchange: str | None, priority: int, force: bool = False
) -> EnqueueView:
    """Enqueue the analysis of these symbols, and the fetches that it needs; one alone may join another's session.

    Raises:
        StockError: a text is no symbol, or its exchange cannot be known.
    """

    def plan(tx: Transaction) -> Plan:
        stocks = resolve_stocks(tx, symbols, exchange_of(None, exchange), desk.settings.default_exchange)
        options = _options(desk, priority=priority, force=force)
        if len(stocks) == 1:
            return plan_single_analysis(tx, stocks[0], options, now=desk.clock())
        return plan_analysis(tx, stocks, options, now=desk.clock())

    return await enqueue_planned(desk, plan, priority=priority, force=force)


def _options(desk: Desk, *, priority: int = 0, force: bool = False) -> AnalysisOptions:
    return AnalysisOptions(
        analyst=desk.settings.analyst,
        stocks_per_session=desk.settings.stocks_per_session,
        session_deadline=desk.settings.session_deadline,
        force=force,
        priority=priority,
    )
