"""The task of the `portfolio_sync` queue: an account's holdings, from a broker's export into the store."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeAlias

import anyio.to_thread
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

from handlers.brokers import BrokerFileError, HoldingsFile, read_holdings, read_text
from handlers.portfolio import QuantityChange, SnapshotDiff, compare_with_current, store_snapshot
from handlers.stocks import Exchange, Stock
from handlers.verdict import AnalystChoice
from queues.context import Handler, TaskContext
from queues.database import Transaction
from queues.model import Json, JsonObject, NewTask, Task
from queues.outcome import Completed, Failed, Outcome

KIND = "sync"

FollowUp: TypeAlias = Callable[[Transaction, Task, Sequence[Stock]], Sequence[NewTask]]
"""Given the synced task and the stocks that its account now holds, the tasks that shall follow."""


def _absolute(path: str) -> str:
    if not (path.startswith("~") or Path(path).is_absolute()):
        raise ValueError(f"the path {path[:80]!r} must be absolute or begin with ~")
    return path


# Lower case, so that "Main" and "main" are one account and nothing is counted twice.
AccountName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$"),
]
ExportPath = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_absolute)]
# The name of a file, never a path out of the folder.
UploadName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class SyncPayload(BaseModel):
    """A file anywhere (`path`, absolute or with ~), or one in the home's uploads (`upload`, its name).

    `then_review` is for whoever makes the follow-up: the stocks shall be reviewed once they are stored, by
    `analyst`, with `force` even if nothing has changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: AccountName = "main"
    default_exchange: Exchange | None = None
    path: ExportPath | None = None
    upload: UploadName | None = None
    then_review: bool = False
    analyst: AnalystChoice | None = None
    force: bool = False

    @model_validator(mode="after")
    def _one_file(self) -> "SyncPayload":
        if (self.path is None) == (self.upload is None):
            raise ValueError("give exactly one of path and upload")
        return self


def portfolio_sync(uploads: Path, follow_up: FollowUp | None = None) -> Handler:
    """A handler that reads exports; the snapshot, its completion and what follows are stored together.

    A file that cannot be read with one meaning only is a failed task, and the last snapshot stays current.
    """

    async def handle(ctx: TaskContext) -> Outcome:
        payload = SyncPayload.model_validate(ctx.task.payload)
        try:
            file = await anyio.to_thread.run_sync(_read, payload, uploads)
        except BrokerFileError as error:
            return Failed(str(error))
        # The queue is serial: no other sync can come between this comparison and the record.
        diff = await ctx.database.read(lambda tx: compare_with_current(tx, payload.account, file.holdings))

        def record(tx: Transaction) -> Sequence[NewTask]:
            store_snapshot(tx, payload.account, file.holdings, _source(payload, file), ctx.task.id)
            stocks = [holding.stock for holding in file.holdings]
            return () if follow_up is None else follow_up(tx, ctx.task, stocks)

        return Completed(_result(payload, file, diff), record)

    return handle


def _read(payload: SyncPayload, uploads: Path) -> HoldingsFile:
    return read_holdings(read_text(_file(payload, uploads)), payload.default_exchange)


def _file(payload: SyncPayload, uploads: Path) -> Path:
    if payload.path is None:
        assert payload.upload is not None
        return uploads / payload.upload
    try:
        return Path(payload.path).expanduser()
    except RuntimeError as error:  # no such user, or no home
        raise BrokerFileError(
            f"The ~ in {payload.path} names no home folder; write the whole path."
        ) from error


def _source(payload: SyncPayload, file: HoldingsFile) -> str:
    name = Path(payload.path).name if payload.path is not None else payload.upload
    return f"{file.format} export {name}"


def _result(payload: SyncPayload, file: HoldingsFile, diff: SnapshotDiff) -> JsonObject:
    return {
        "account": payload.account,
        "format": file.format.value,
        "holdings": len(file.holdings),
        "added": _changes(diff.added),
        "removed": _changes(diff.removed),
        "changed": _changes(diff.changed),
        "skipped_rows": file.skipped_rows,
    }


def _changes(changes: Sequence[QuantityChange]) -> list[Json]:
    return [
        {"stock": str(change.stock), "quantity": _json(change.quantity), "before": _json(change.before)}
        for change in changes
    ]


def _json(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)
