"""Requests for the accounts: to sync one from a file or a broker, and to remove one."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
from pydantic import ValidationError

from handlers.planning import Plan, sync_task
from handlers.portfolio_sync import ColumnHead, ColumnMeaning, LiveBroker, SyncPayload
from queues.database import Transaction
from queues.model import QueueName
from queues.schedules import all_schedules
from server.change_views import EnqueueView
from server.desk import Desk
from server.enqueueing import ADVICE, RequestError, enqueue_planned, exchange_of
from server.explaining import explain

FOLLOWS = "Its fetches and analysis sessions of 2-3 stocks join the same run once the file is read."
# A file that is attached in a chat arrives as text; anything larger comes as a path.
MAX_CSV_BYTES = 1_000_000


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
    return await enqueue_planned(desk, lambda _: Plan([sync_task(payload)], {}), advice)


async def request_removal(desk: Desk, account: str) -> EnqueueView:
    """Enqueue that an account, named as it is stored, holds nothing any more; names the schedules that sync it anew."""
    payload = SyncPayload(account=account, remove=True)
    resyncs = await desk.database.read(lambda tx: _schedules_of(tx, account))
    advice = [f"It removes the account {account}: what only that held counts as sold."]
    if resyncs:
        advice.append(f"{' and '.join(resyncs)} will sync it again; delete_schedule ends that.")
    return await enqueue_planned(desk, lambda _: Plan([sync_task(payload)], {}), " ".join([*advice, ADVICE]))


def _schedules_of(tx: Transaction, account: str) -> list[str]:
    """Those that are on. The end of an id may follow the name that they sync under."""
    return [
        each.name
        for each in all_schedules(tx)
        if each.is_on
        and each.queue is QueueName.PORTFOLIO_SYNC
        and f"{account}-".startswith(f"{SyncPayload.model_validate(each.payload).account}-")
    ]


def sync_payload(desk: Desk, wish: SyncWish, upload: str | None = None) -> SyncPayload:
    """What the task carries, `upload` in the place of a text; raises as `request_sync` for what cannot be used."""
    try:
        return SyncPayload(
            account=wish.account,
            default_exchange=exchange_of(desk, wish.exchange),
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
        raise RequestError(" ".join(explain(error))) from error


def _what_follows(desk: Desk) -> list[str]:
    if desk.settings.analyst != "claude":
        return [FOLLOWS]
    limit = desk.settings.session_budget_usd
    return [FOLLOWS, f"Their cost is estimated then (get_spend): at most ${limit:.2f} for each session."]


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
