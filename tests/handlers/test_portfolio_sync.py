"""A sync, from the file of a broker to the snapshot of an account."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest
from pydantic import ValidationError

from handlers.brokers.holding import Holding
from handlers.portfolio import accounts, current_holdings, held_exchanges, store_snapshot
from handlers.portfolio_sync import SyncPayload, portfolio_sync
from handlers.stocks import Exchange, Stock
from queues.context import TaskContext
from queues.database import Database, Transaction
from queues.model import NewTask, QueueName, Task
from queues.outcome import Completed, Failed, Outcome
from queues.store import find_task
from tests.handlers.conftest import TaskRunner

HEADER = "symbol,quantity,average price,sector\n"


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


def payload(upload: str, **more: Any) -> dict[str, Any]:
    return SyncPayload(upload=upload, default_exchange=Exchange.NSE, **more).model_dump(mode="json")


async def sync(
    uploads: Path, running_task: TaskRunner, rows: str, **more: Any
) -> tuple[TaskContext, Outcome]:
    (uploads / "export.csv").write_text(HEADER + rows, encoding="utf-8")
    ctx = running_task(QueueName.PORTFOLIO_SYNC, payload("export.csv", **more))
    return ctx, await portfolio_sync(uploads)(ctx)


def quantities(database: Database, account: str | None = None) -> dict[str, str]:
    held = database.read_now(lambda tx: current_holdings(tx, account))
    return {f"{each.account} {each.holding.stock}": str(each.holding.quantity) for each in held}


async def test_a_sync_stores_the_holdings_and_says_what_changed(
    uploads: Path, running_task: TaskRunner, database: Database
) -> None:
    running_task.end(*await sync(uploads, running_task, "INFY,10,1500,IT\nTCS,2,3000,\nM&M,5,1200,\n"))
    ctx, outcome = await sync(
        uploads, running_task, "INFY,12.5,1510,IT\nM&M,5,1200,\nITC,0,1,\nHDFCBANK,7,1600,\n"
    )
    task = running_task.end(ctx, outcome)
    assert task.result == {
        "account": "main",
        "format": "generic",
        "holdings": 3,
        "added": [{"stock": "NSE:HDFCBANK", "quantity": 7, "before": 0}],
        "removed": [{"stock": "NSE:TCS", "quantity": 0, "before": 2}],
        "changed": [{"stock": "NSE:INFY", "quantity": 12.5, "before": 10}],
        "skipped_rows": 1,
        "skipped": {"quantity 0": 1},
    }
    assert quantities(database) == {"main NSE:HDFCBANK": "7", "main NSE:INFY": "12.5", "main NSE:M&M": "5"}
    infy = database.read_now(current_holdings)[1].holding
    assert infy == Holding(
        stock=Stock("INFY", Exchange.NSE),
        quantity=Decimal("12.5"),
        average_price=Decimal(1510),
        currency="INR",
        sector="IT",
    )


async def test_the_same_file_again_is_a_new_snapshot_without_a_difference(
    uploads: Path, running_task: TaskRunner, database: Database
) -> None:
    running_task.end(*await sync(uploads, running_task, "INFY,10,1500,\n"))
    ctx, outcome = await sync(uploads, running_task, "INFY,10,1500,\n")
    running_task.end(ctx, outcome)
    assert isinstance(outcome, Completed)
    assert (outcome.result["added"], outcome.result["removed"], outcome.result["changed"]) == ([], [], [])
    assert database.read_now(lambda tx: tx.row("SELECT count(*) FROM snapshots")) == (2,)


async def test_nothing_is_stored_before_the_completion_is_recorded(
    uploads: Path, running_task: TaskRunner, database: Database
) -> None:
    ctx, outcome = await sync(uploads, running_task, "INFY,10,1500,\n")
    assert quantities(database) == {}
    running_task.end(ctx, outcome)
    assert quantities(database) == {"main NSE:INFY": "10"}


async def test_accounts_do_not_touch_each_other(
    uploads: Path, running_task: TaskRunner, database: Database
) -> None:
    running_task.end(*await sync(uploads, running_task, "INFY,10,1500,\n"))
    running_task.end(*await sync(uploads, running_task, "INFY,3,1400,\nTCS,1,1,\n", account=" Second "))
    assert quantities(database) == {"main NSE:INFY": "10", "second NSE:INFY": "3", "second NSE:TCS": "1"}
    assert quantities(database, "main") == {"main NSE:INFY": "10"}
    assert quantities(database, "nobody") == {}
    named = database.read_now(accounts)
    assert [(each.name, each.source, each.holdings) for each in named] == [
        ("main", "generic export export.csv", 1),
        ("second", "generic export export.csv", 2),
    ]
    assert database.read_now(lambda tx: held_exchanges(tx, "INFY")) == [Exchange.NSE]
    assert database.read_now(lambda tx: held_exchanges(tx, "WIPRO")) == []


async def test_a_bad_file_is_a_failed_task_and_the_old_snapshot_stays_current(
    uploads: Path, running_task: TaskRunner, database: Database
) -> None:
    running_task.end(*await sync(uploads, running_task, "INFY,10,1500,\n"))
    ctx, outcome = await sync(uploads, running_task, "INFY,11,1500,\nTCS,many,1,\n")
    assert outcome == Failed("Row 3: the quantity 'many' is not a number; write it like 1234.5.")
    running_task.end(ctx, outcome)
    assert quantities(database) == {"main NSE:INFY": "10"}


async def test_what_follows_is_enqueued_with_the_completion(
    uploads: Path, running_task: TaskRunner, database: Database
) -> None:
    def follow_up(tx: Transaction, task: Task, stocks: Sequence[Stock]) -> Sequence[NewTask]:
        # The snapshot is stored already.
        assert [held.holding.stock for held in current_holdings(tx)] == sorted(stocks)
        body = {"after": task.id, "stocks": [str(stock) for stock in stocks]}
        return [NewTask(queue=QueueName.DATA_FETCHER, kind="fetch", payload=body)]

    (uploads / "export.csv").write_text(HEADER + "TCS,1,1,\nINFY,1,1,\n", encoding="utf-8")
    ctx = running_task(QueueName.PORTFOLIO_SYNC, payload("export.csv"))
    running_task.end(ctx, await portfolio_sync(uploads, follow_up)(ctx))
    follower = database.read_now(lambda tx: find_task(tx, "fetch-2"))
    assert follower.payload == {"after": ctx.task.id, "stocks": ["NSE:TCS", "NSE:INFY"]}
    assert follower.run_id == ctx.task.run_id


async def test_a_path_may_begin_with_a_tilde(
    tmp_path: Path, uploads: Path, running_task: TaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.csv").write_text(
        "ticker,exchange,shares,avg cost\nAAPL,NASDAQ,1,100\n", encoding="utf-8"
    )
    ctx = running_task(QueueName.PORTFOLIO_SYNC, {"path": "~/mine.csv"})
    outcome = await portfolio_sync(uploads)(ctx)
    assert isinstance(outcome, Completed)
    assert outcome.result["holdings"] == 1


async def test_a_missing_file_is_a_failed_task_that_says_where_it_looked(
    tmp_path: Path, uploads: Path, running_task: TaskRunner
) -> None:
    ctx = running_task(QueueName.PORTFOLIO_SYNC, {"path": str(tmp_path / "gone.csv")})
    outcome = await portfolio_sync(uploads)(ctx)
    assert isinstance(outcome, Failed)
    assert str(tmp_path / "gone.csv") in outcome.error


@pytest.mark.parametrize(
    "content",
    [
        {"path": "holdings.csv"},
        {"path": "./holdings.csv"},
        {"upload": "../settings.toml"},
        {"upload": "/etc/passwd"},
        {"upload": "a/b.csv"},
        {"upload": ""},
        {},
        {"path": "/a.csv", "upload": "b.csv"},
        {"path": "/a.csv", "account": ""},
        {"path": "/a.csv", "account": "x" * 41},
        {"path": "/a.csv", "acount": "main"},
    ],
)
def test_a_payload_that_names_no_single_file_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SyncPayload.model_validate(content)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE snapshots SET account = 'other'", "DELETE FROM holdings", "UPDATE holdings SET quantity = '1'"],
)
def test_a_snapshot_never_changes(database: Database, statement: str) -> None:
    holding = Holding(
        stock=Stock("INFY", Exchange.NSE), quantity=Decimal(1), average_price=Decimal(2), currency="INR"
    )
    database.write_now(lambda tx: store_snapshot(tx, "main", [holding], "test", "sync-1"))
    with pytest.raises(apsw.ConstraintError, match=r"a snapshot (never changes|stays)"):
        database.write_now(lambda tx: tx.run(statement))


async def test_a_file_of_several_accounts_is_one_account_of_the_desk_for_each(
    running_task: TaskRunner, database: Database
) -> None:
    sample = Path(__file__).parent / "brokers" / "schwab.csv"
    ctx = running_task(QueueName.PORTFOLIO_SYNC, {"path": str(sample), "account": "schwab"})
    task = running_task.end(ctx, await portfolio_sync(sample.parent)(ctx))
    assert quantities(database) == {
        "schwab-123 NASDAQ:AAPL": "3.125",
        "schwab-123 NYSE:BRK.B": "12",
        "schwab-456 NASDAQ:AAPL": "10",
    }
    assert task.result is not None
    assert (task.result["account"], task.result["format"]) == ("schwab-123, schwab-456", "schwab")
    assert task.result["skipped"] == {"option": 1, "cash and money market": 2, "total": 2}
    assert task.result["added"] == [
        {"account": "schwab-123", "stock": "NASDAQ:AAPL", "quantity": 3.125, "before": 0},
        {"account": "schwab-123", "stock": "NYSE:BRK.B", "quantity": 12, "before": 0},
        {"account": "schwab-456", "stock": "NASDAQ:AAPL", "quantity": 10, "before": 0},
    ]


async def test_a_name_that_leaves_no_room_for_the_end_of_an_id_is_refused(running_task: TaskRunner) -> None:
    sample = Path(__file__).parent / "brokers" / "schwab.csv"
    ctx = running_task(QueueName.PORTFOLIO_SYNC, {"path": str(sample), "account": "x" * 37})
    outcome = await portfolio_sync(sample.parent)(ctx)
    assert isinstance(outcome, Failed)
    assert outcome.error.endswith("has more than 40 characters; sync under a shorter name.")


async def test_a_users_broken_list_is_a_failed_task(
    tmp_path: Path, uploads: Path, running_task: TaskRunner
) -> None:
    (tmp_path / "instruments.csv").write_text("isin,symbol\n", encoding="utf-8")
    (uploads / "export.csv").write_text(HEADER + "INFY,10,1500,\n", encoding="utf-8")
    ctx = running_task(QueueName.PORTFOLIO_SYNC, payload("export.csv"))
    outcome = await portfolio_sync(uploads, instruments=tmp_path)(ctx)
    assert isinstance(outcome, Failed)
    assert "instruments.csv cannot be used, for its row 1: 'exchange' is not in list" in outcome.error


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"quantity": "Held", "average price": " held"}, "stands for quantity and something else"),
        ({}, "columns name nothing"),
    ],
)
def test_columns_that_say_nothing_or_two_things_of_one_are_refused(
    columns: dict[str, str], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        SyncPayload.model_validate({"upload": f"{'0' * 32}.csv", "columns": columns})


async def test_a_payload_may_say_what_the_columns_mean(uploads: Path, running_task: TaskRunner) -> None:
    (uploads / "export.csv").write_text("Code,Held,Paid\nINFY,10,1500\n", encoding="utf-8")
    columns = {"symbol": "Code", "quantity": "Held", "average price": "Paid"}
    ctx = running_task(QueueName.PORTFOLIO_SYNC, payload("export.csv", columns=columns))
    assert isinstance(await portfolio_sync(uploads)(ctx), Completed)
