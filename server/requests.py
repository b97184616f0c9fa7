"""What a request does to the desk: each function checks its input, writes once, and answers with a view."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
from pydantic import ValidationError

from handlers.freshness import oldest_first
from handlers.planning import (
    AnalysisOptions,
    Plan,
    enqueue_plan,
    plan_analysis,
    plan_fetch,
    plan_single_analysis,
    sync_task,
)
from handlers.portfolio import accounts
from handlers.portfolio_sync import ColumnHead, ColumnMeaning, LiveBroker, SyncPayload
from handlers.resolve import held_stocks, resolve_stocks
from handlers.stocks import Exchange, parse_exchange
from queues.database import Transaction
from queues.holds import ask_again, raise_priority
from queues.store import find_task
from server.change_views import EnqueueView, enqueue_view, raised_to
from server.desk import Desk
from server.spending import estimate_view

ADVICE = (
    "Tasks run in the background while this client or `stockdesk worker` is open; get_task shows how far."
)
FOLLOWS = "Its fetches and analysis sessions of 2-3 stocks join the same run once the file is read."
# A file that is attached in a chat arrives as text; anything larger comes as a path.
MAX_CSV_BYTES = 1_000_000


class RequestError(Exception):
    """A request cannot be carried out as given; the message says what to change. Nothing was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncWish:
    """What is to be synced: one file, given by path or as text, or a live account of `broker`.

    With `then_review` a review follows, with `only_changes` one of the stocks alone that are new, or of which more or
    less is held than before.
    """

    path: str | None = None
    csv_text: str | None = None
    broker: LiveBroker | None = None
    account: str = "main"
    exchange: str | None = None
    columns: Mapping[ColumnMeaning, ColumnHead] | None = None
    then_review: bool = False
    only_changes: bool = False
    force: bool = False


async def request_sync(desk: Desk, wish: SyncWish) -> EnqueueView:
    """Enqueue a sync, and what shall follow it.

    Raises:
        RequestError: not exactly one file or live account, or a file that cannot be used.
        StockError: the exchange is not known.
    """
    if sum(each is not None for each in (wish.path, wish.csv_text, wish.broker)) != 1:
        raise RequestError(
            "Give exactly one of path (absolute or ~), csv_text (the file's content) and broker (a live account)."
        )
    upload = None if wish.csv_text is None else _upload_name(wish.csv_text)
    payload = sync_payload(desk, wish, upload)
    if payload.path is not None:
        await anyio.to_thread.run_sync(_require_file, payload.path)
    if wish.csv_text is not None and upload is not None:
        await anyio.to_thread.run_sync(_keep_upload, desk.uploads / upload, wish.csv_text)
    advice = " ".join([*(_what_follows(desk) if wish.then_review else ()), ADVICE])
    return await _enqueue(desk, lambda _: Plan([sync_task(payload)], {}), advice)


def sync_payload(desk: Desk, wish: SyncWish, upload: str | None = None) -> SyncPayload:
    """What the task carries, `upload` in the place of a text; raises as `request_sync` for what cannot be used."""
    try:
        return SyncPayload(
            account=wish.account,
            default_exchange=_exchange(desk, wish.exchange),
            path=wish.path,
            upload=upload,
            columns=wish.columns,
            broker=wish.broker,
            then_review=wish.then_review,
            only_changes=wish.only_changes,
            analyst=desk.settings.analyst if wish.then_review else None,
            force=wish.force,
        )
    except ValidationError as error:
        raise RequestError(sentence(error)) from error


async def request_review(
    desk: Desk,
    *,
    path: str | None,
    csv_text: str | None,
    account: str | None,
    exchange: str | None,
    force: bool = False,
) -> EnqueueView:
    """Enqueue a whole review: of a file that is synced first, or of what is held now.

    Raises:
        RequestError: neither a file nor holdings, or a file that cannot be used.
        StockError: the exchange is not known.
    """
    if path is not None or csv_text is not None:
        wish = SyncWish(
            path=path,
            csv_text=csv_text,
            account=account or "main",
            exchange=exchange,
            then_review=True,
            force=force,
        )
        return await request_sync(desk, wish)

    def plan(tx: Transaction) -> Plan:
        stocks = oldest_first(tx, held_stocks(tx, known_account(tx, account)))
        if not stocks:
            raise RequestError("Nothing is held yet; pass path or csv_text of a broker's export.")
        return plan_analysis(tx, stocks, _options(desk, force=force), now=desk.clock())

    return await _enqueue(desk, plan, force=force)


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
            stocks = resolve_stocks(tx, symbols, _exchange(None, exchange), desk.settings.default_exchange)
        elif not (stocks := oldest_first(tx, held_stocks(tx))):
            raise RequestError(
                "The portfolio holds nothing yet; name symbols, or sync a broker's export first."
            )
        return plan_fetch(stocks, force=force)

    return await _enqueue(desk, plan)


async def request_analysis(
    desk: Desk, *, symbols: Sequence[str], exchange: str | None, priority: int, force: bool = False
) -> EnqueueView:
    """Enqueue the analysis of these symbols, and the fetches that it needs; one alone may join another's session.

    Raises:
        StockError: a text is no symbol, or its exchange cannot be known.
    """

    def plan(tx: Transaction) -> Plan:
        stocks = resolve_stocks(tx, symbols, _exchange(None, exchange), desk.settings.default_exchange)
        options = _options(desk, priority=priority, force=force)
        if len(stocks) == 1:
            return plan_single_analysis(tx, stocks[0], options, now=desk.clock())
        return plan_analysis(tx, stocks, options, now=desk.clock())

    return await _enqueue(desk, plan, priority=priority, force=force)


def _what_follows(desk: Desk) -> list[str]:
    if desk.settings.analyst != "claude":
        return [FOLLOWS]
    limit = desk.settings.session_budget_usd
    return [FOLLOWS, f"Their cost is estimated then (get_spend): at most ${limit:.2f} for each session."]


def _options(desk: Desk, *, priority: int = 0, force: bool = False) -> AnalysisOptions:
    return AnalysisOptions(
        analyst=desk.settings.analyst,
        stocks_per_session=desk.settings.stocks_per_session,
        session_deadline=desk.settings.session_deadline,
        force=force,
        priority=priority,
    )


async def _enqueue(
    desk: Desk,
    plan: Callable[[Transaction], Plan],
    advice: str = ADVICE,
    *,
    priority: int = 0,
    force: bool = False,
) -> EnqueueView:
    """Enqueue what is planned; what does part of it already becomes as young and as urgent as this request."""

    def work(tx: Transaction) -> EnqueueView:
        planned = plan(tx)
        enqueued = enqueue_plan(tx, planned, force=force)
        new = [each.task for each in enqueued if not each.already_queued]
        joined = {} if planned.joining is None else {str(planned.joining[0]): planned.joining[1].id}
        covered = {str(stock): task.id for stock, task in planned.covered.items()}
        met = [each.task.id for each in enqueued if each.already_queued]
        # One request for a stock does not make another stock's request younger, though they share a session.
        ask_again(tx, [*covered.values(), *met], tx.now)
        doing = list(dict.fromkeys([*joined.values(), *covered.values(), *met]))
        raised = raise_priority(tx, doing, priority)
        said = [f"{stock} joins {task_id} and shares its session." for stock, task_id in joined.items()]
        if raised:
            said.append(raised_to(priority, raised))
        return enqueue_view(
            enqueued,
            {**joined, **covered},
            run_of_holder=find_task(tx, doing[0]).run_id if doing else None,
            estimate=estimate_view(
                tx, desk.settings, [*new, *(find_task(tx, task_id) for task_id in joined.values())]
            ),
            advice=" ".join([*said, advice]),
        )

    return await desk.database.write(work)


def _exchange(desk: Desk | None, exchange: str | None) -> Exchange | None:
    if exchange is not None:
        return parse_exchange(exchange)
    return None if desk is None else desk.settings.default_exchange


def known_account(tx: Transaction, account: str | None) -> str | None:
    """The account's name as it is stored, whatever its case; None, for all accounts, stays None.

    Raises:
        RequestError: nothing was ever synced into an account of this name.
    """
    if account is None:
        return None
    names = [each.name for each in accounts(tx)]
    if account.strip().lower() not in names:
        known = f"the accounts are {', '.join(names)}" if names else "sync a broker's export first"
        raise RequestError(f"There is no account {account[:40]!r}; {known}.")
    return account.strip().lower()


def _upload_name(csv_text: str) -> str:
    """A file name made from the content, so that the same text is the same file."""
    if not csv_text.strip():
        raise RequestError("csv_text is empty; pass the content of the broker's export.")
    try:
        content = csv_text.encode()
    except UnicodeEncodeError as error:
        raise RequestError(
            f"csv_text holds half a character ({csv_text[error.start]!r} at position {error.start}); "
            "pass the file's path."
        ) from error
    if len(content) > MAX_CSV_BYTES:
        raise RequestError(
            f"csv_text has {len(content)} bytes, more than {MAX_CSV_BYTES}; pass the file's path."
        )
    return f"{hashlib.sha256(content).hexdigest()[:32]}.csv"


def _keep_upload(file: Path, csv_text: str) -> None:
    part = file.with_suffix(".part")
    try:
        part.write_bytes(csv_text.encode())
        part.replace(file)
    except OSError as error:
        raise RequestError(f"csv_text cannot be kept in the home: {error}; free some space there.") from error


def _require_file(path: str) -> None:
    try:
        found = Path(path).expanduser().is_file()
    except (RuntimeError, OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RequestError(
            f"The path {path[:80]!r} cannot be used: {reason}; check it, or pass csv_text."
        ) from error
    if not found:
        raise RequestError(
            f"There is no file {path[:200]!r} on the machine that runs Stockdesk; "
            "check the path, or pass csv_text."
        )


def sentence(error: ValidationError) -> str:
    """What is wrong with the first value that is, with the value."""
    problem = error.errors()[0]
    name = problem["loc"][0] if problem["loc"] else "the request"
    return f"{name}: {problem['msg'].removeprefix('Value error, ')} (got {str(problem['input'])[:80]!r})."
