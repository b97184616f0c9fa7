"""The task of the `portfolio_sync` queue: an account's holdings, from a broker's export to the store; or none."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import anyio.to_thread
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StringConstraints,
    field_validator,
    model_validator,
)

from handlers.brokers.holding import BrokerFileError, Holding, HoldingsFile
from handlers.instruments import InstrumentsError, load_instruments
from handlers.portfolio import REMOVED, QuantityChange, SnapshotDiff, compare_with_current, store_snapshot
from handlers.sold import withdraw_sold
from handlers.stocks import Exchange, Stock
from handlers.verdict import AnalystChoice
from queues.context import Handler, TaskContext
from queues.database import Transaction
from queues.model import Json, JsonObject, NewTask, Task
from queues.outcome import Completed, Failed, Outcome, Retry, Snooze

if TYPE_CHECKING:  # it brings HTTP and the keyring, which no start of a server should pay
    from handlers.brokers.live.asking import LiveHoldings

KIND = "sync"
LiveBroker: TypeAlias = Literal["kite", "alpaca"]
LiveAccounts: TypeAlias = Callable[[LiveBroker, str], Awaitable["LiveHoldings | Retry | Snooze | Failed"]]
"""Given a broker and the name of an account, what that holds now, or how the attempt ends instead."""

FollowUp: TypeAlias = Callable[[Transaction, Task, Sequence[Stock]], Sequence[NewTask]]
"""Given the synced task and the stocks that its review would be of, the tasks that shall follow."""


def _absolute(path: str) -> str:
    if not (path.startswith("~") or Path(path).is_absolute()):
        raise ValueError(f"the path {path[:80]!r} must be absolute or begin with ~")
    return path


# Lower case, so that "Main" and "main" are one account and nothing is counted twice.
AccountName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$"),
]
# The end of an account's id is joined to the name, which then has at most 40 characters.
_MOST_OF_A_NAME = 40
ExportPath = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_absolute)]
# The name of a file, never a path out of the folder.
UploadName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


ColumnMeaning = Literal[
    "symbol", "isin", "quantity", "average price", "exchange", "currency", "name", "sector"
]
ColumnHead = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]


class SyncPayload(BaseModel):
    """A file anywhere (`path`, absolute or with ~), one in the home's uploads (`upload`, its name), or a live account.

    That one is asked for by its `broker`, and `account` selects the credentials. With `remove` instead of these three,
    the account holds nothing any more, and is not among the accounts until it is synced again.
    An account that the file names itself is stored as `account` with the end of its id, like `main-1234`.
    `columns` gives the heads of a file's columns by what they mean. `then_review` is for whoever makes the
    follow-up: the stocks shall be reviewed once they are stored, by `analyst`, with `force` even if nothing has
    changed; with `only_changes` those alone that are new, or of which more or less is held than before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: AccountName = "main"
    default_exchange: Exchange | None = None
    path: ExportPath | None = None
    upload: UploadName | None = None
    broker: LiveBroker | None = None
    remove: bool = False
    columns: Mapping[ColumnMeaning, ColumnHead] | None = None
    then_review: bool = False
    only_changes: bool = False
    analyst: AnalystChoice | None = None
    force: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> "SyncPayload":
        if sum(bool(each) for each in (self.path, self.upload, self.broker, self.remove)) != 1:
            raise ValueError("give exactly one of path, upload and broker, or remove")
        if self.path is None and self.upload is None and self.columns is not None:
            raise ValueError("columns are of a file; a live account has none")
        return self

    @field_validator("columns")
    @classmethod
    def _each_of_its_own(cls, columns: Mapping[str, str] | None) -> Mapping[str, str] | None:
        if columns is None:
            return None
        if not columns:
            raise ValueError(
                "columns name nothing; leave them out, or give the head of a column for each meaning"
            )
        heads = [head.lower() for head in columns.values()]
        for meaning, head in columns.items():
            if heads.count(head.lower()) > 1:
                raise ValueError(
                    f"{head!r} stands for {meaning} and something else; a column has one meaning"
                )
        return columns


@dataclass(frozen=True, slots=True)
class _Read:
    """What is held by account, where that was read, and what the result tells of the reading."""

    accounts: Mapping[str, Sequence[Holding]]
    source: str
    told: JsonObject

    @property
    def stocks(self) -> list[Stock]:
        return list(dict.fromkeys(holding.stock for held in self.accounts.values() for holding in held))


def portfolio_sync(
    uploads: Path,
    follow_up: FollowUp | None = None,
    instruments: Path | None = None,
    live: LiveAccounts | None = None,
) -> Handler:
    """A handler that reads exports; the snapshots, their completion and what follows are stored together.

    A file that cannot be read with one meaning only is a failed task, and the last snapshots stay current. In
    the folder `instruments` are the user's own lists of ISINs and symbols; `live` asks brokers for accounts.
    """

    async def read(payload: SyncPayload) -> _Read | Retry | Snooze | Failed:
        if payload.remove:
            return _Read({payload.account: ()}, REMOVED, {"holdings": 0})
        if payload.broker is None:
            return await anyio.to_thread.run_sync(_read_file, payload, uploads, instruments)
        assert live is not None
        try:
            found = await live(payload.broker, payload.account)
        except InstrumentsError as error:
            return Failed(str(error))
        return found if isinstance(found, (Retry, Snooze, Failed)) else _of_live(payload, found)

    async def handle(ctx: TaskContext) -> Outcome:
        payload = SyncPayload.model_validate(ctx.task.payload)
        found = await read(payload)
        if not isinstance(found, _Read):
            return found
        # The queue is serial: no other sync can come between this comparison and the record.
        diffs = await ctx.database.read(
            lambda tx: {name: compare_with_current(tx, name, held) for name, held in found.accounts.items()}
        )
        withdrawn: dict[Stock, str] = {}

        def record(tx: Transaction) -> Sequence[NewTask]:
            for name, held in found.accounts.items():
                store_snapshot(tx, name, held, found.source, ctx.task.id)
            withdrawn.clear()  # a record may be run again
            withdrawn.update(withdraw_sold(tx, _removed(diffs), f"Not held any more, says {ctx.task.id}."))
            stocks = _changed(diffs) if payload.only_changes else found.stocks
            return () if follow_up is None else follow_up(tx, ctx.task, stocks)

        def of_withdrawn(_: object) -> JsonObject:
            named = {str(stock): task_id for stock, task_id in withdrawn.items()}
            return {"withdrawn": named} if named else {}

        return Completed(_result(found, diffs), record, of_withdrawn)

    return handle


def _removed(diffs: Mapping[str, SnapshotDiff]) -> list[Stock]:
    return [change.stock for diff in diffs.values() for change in diff.removed]


def _changed(diffs: Mapping[str, SnapshotDiff]) -> list[Stock]:
    changes = [change for diff in diffs.values() for change in (*diff.added, *diff.changed)]
    return list(dict.fromkeys(change.stock for change in changes))


def _of_live(payload: SyncPayload, found: "LiveHoldings") -> _Read:
    owner = f" …{found.owner}" if found.owner else ""
    told = _told(found.holdings, found.skipped, found.remarks)
    return _Read(
        {payload.account: found.holdings},
        f"{found.broker} live{owner}",
        {"format": found.broker.value, **told},
    )


def _read_file(payload: SyncPayload, uploads: Path, instruments: Path | None) -> _Read | Failed:
    # In a thread, with the first file: servers that read none start faster.
    from handlers.brokers.content import read_file  # noqa: PLC0415
    from handlers.brokers.reader import Reading, read_export  # noqa: PLC0415

    try:
        reading = Reading(
            default_exchange=payload.default_exchange,
            mapping=None if payload.columns is None else {**payload.columns},
            instruments=load_instruments(instruments),
        )
        file = read_export(read_file(_file(payload, uploads)), reading)
        accounts = _accounts(payload, file)
    except (BrokerFileError, InstrumentsError) as error:
        return Failed(str(error))
    name = Path(payload.path).name if payload.path is not None else payload.upload
    sheet = {"sheet": file.sheet} if file.sheet else {}
    told = {"format": file.format.value, **sheet, **_told(file.holdings, file.skipped, file.remarks)}
    return _Read(accounts, f"{file.format} export {name}", told)


def _told(holdings: Sequence[Holding], skipped: Mapping[str, int], remarks: Sequence[str]) -> dict[str, Json]:
    return {
        "holdings": len(holdings),
        "skipped_rows": sum(skipped.values()),
        **({"skipped": dict(skipped)} if skipped else {}),
        **({"remarks": list(remarks)} if remarks else {}),
    }


def _accounts(payload: SyncPayload, file: HoldingsFile) -> dict[str, Sequence[Holding]]:
    """The desk's accounts. An id is joined even if the file has one alone: the next file may have two."""
    named = {"-".join(filter(None, (payload.account, end))): held for end, held in file.accounts.items()}
    if too_long := [name for name in named if len(name) > _MOST_OF_A_NAME]:
        raise BrokerFileError(
            f"The account {too_long[0]!r} has more than {_MOST_OF_A_NAME} characters; sync under a shorter name."
        )
    return dict(named)


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


def _result(found: _Read, diffs: Mapping[str, SnapshotDiff]) -> JsonObject:
    """The changes of all accounts in one list each; of several, each change names its own."""
    several = len(diffs) > 1

    def changes(of: Callable[[SnapshotDiff], Sequence[QuantityChange]]) -> list[Json]:
        return [
            {**({"account": name} if several else {}), **_change(change)}
            for name, diff in diffs.items()
            for change in of(diff)
        ]

    return {
        "account": ", ".join(diffs),
        **found.told,
        "added": changes(lambda diff: diff.added),
        "removed": changes(lambda diff: diff.removed),
        "changed": changes(lambda diff: diff.changed),
    }


def _change(change: QuantityChange) -> dict[str, Json]:
    return {
        "stock": str(change.stock),
        "quantity": _json(change.quantity),
        "before": _json(change.before),
    }


def _json(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)
