"""The sync of a live account, from the broker's API to the snapshot; one that needs a login lets others go on."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from handlers.brokers.live.asking import LiveHoldings
from handlers.brokers.live.credentials import Broker
from handlers.brokers.live.syncing import Brokers, live_holdings
from handlers.portfolio import accounts, current_holdings
from handlers.portfolio_sync import LiveBroker, SyncPayload, portfolio_sync
from queues.context import TaskContext
from queues.database import Database
from queues.inspection import waiting_for
from queues.model import JsonObject, QueueName, TaskState
from queues.outcome import Failed, Outcome, Retry, Snooze
from tests.handlers.conftest import NOW, TaskRunner
from tests.handlers.live import brokers, with_keys
from tests.standins.brokers import alpaca, position
from tests.standins.http_source import HttpSource

SYNC = QueueName.PORTFOLIO_SYNC
AAPL, KO = position("AAPL", "NASDAQ", "5", "100"), position("KO", "NYSE", "2", "50")
Sync = Callable[[TaskContext], Awaitable[Outcome]]


@pytest.fixture
def server() -> Iterator[HttpSource]:
    with HttpSource(alpaca([AAPL, KO])) as started:
        yield started


@pytest.fixture
def desk(tmp_path: Path, server: HttpSource) -> Brokers:
    return brokers(tmp_path, server.url)


@pytest.fixture
def sync(tmp_path: Path, desk: Brokers) -> Sync:
    async def live(broker: LiveBroker, account: str) -> LiveHoldings | Retry | Snooze | Failed:
        return await live_holdings(Broker(broker), account, desk, NOW)

    return portfolio_sync(tmp_path, live=live)


def payload(broker: LiveBroker, account: str = "main") -> JsonObject:
    return SyncPayload(broker=broker, account=account).model_dump(mode="json")


async def test_a_live_account_becomes_a_snapshot_that_names_its_source(
    desk: Brokers, sync: Sync, server: HttpSource, running_task: TaskRunner, database: Database
) -> None:
    with_keys(desk)
    ctx = running_task(SYNC, payload("alpaca"))
    task = running_task.end(ctx, await sync(ctx))
    assert task.result == {
        "account": "main",
        "format": "alpaca",
        "holdings": 2,
        "skipped_rows": 0,
        "added": [
            {"stock": "NASDAQ:AAPL", "quantity": 5, "before": 0},
            {"stock": "NYSE:KO", "quantity": 2, "before": 0},
        ],
        "removed": [],
        "changed": [],
    }
    [account] = database.read_now(accounts)
    assert account.source == "alpaca live"

    server.script = alpaca([])  # all is sold
    ctx = running_task(SYNC, payload("alpaca"))
    running_task.end(ctx, await sync(ctx))
    assert database.read_now(current_holdings) == []


async def test_an_account_that_needs_a_login_waits_and_says_how_while_another_is_synced(
    desk: Brokers, sync: Sync, running_task: TaskRunner, database: Database
) -> None:
    waiting = running_task(SYNC, payload("kite", "zerodha"))
    task = running_task.end(waiting, await sync(waiting))
    assert (task.state, task.attempt) == (TaskState.QUEUED, 0)
    shown = database.read_now(lambda tx: waiting_for(tx, task))
    assert shown is not None
    assert "run `stockdesk login kite --account 'zerodha'`" in shown.what

    with_keys(desk)
    other = running_task(SYNC, payload("alpaca"))
    assert running_task.end(other, await sync(other)).state is TaskState.COMPLETED
    assert task.due_at - NOW <= timedelta(hours=1)


def test_a_payload_names_exactly_one_source() -> None:
    for wrong in ({}, {"path": "/a.csv", "broker": "kite"}, {"broker": "kite", "columns": {"symbol": "A"}}):
        with pytest.raises(ValueError, match=r"exactly one of path, upload and broker|columns are of a file"):
            SyncPayload.model_validate(wrong)
