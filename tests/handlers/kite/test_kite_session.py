"""Whose session Kite is asked for prices with, what it may send, and what happens when it has ended."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from handlers.brokers.live.asking import ForbiddenRequestError, LiveHoldings, open_client
from handlers.brokers.live.credentials import Broker
from handlers.brokers.live.syncing import Brokers, live_holdings
from handlers.data_fetcher import data_fetcher
from handlers.portfolio import accounts
from handlers.portfolio_sync import LiveBroker, portfolio_sync
from handlers.prices import newest_day
from handlers.sources import kite as kite_prices
from handlers.sources.base import SourceBusyError
from handlers.sources.kite import READING, KiteSource, live_accounts, open_kite
from handlers.sources.opening import SourceSettings, open_sources
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Failed, Retry, Snooze
from tests.handlers.conftest import NOW, MovableClock, TaskRunner
from tests.handlers.fetching import lines, running_fetch
from tests.handlers.kite.prices import (
    ENDED,
    INFY,
    NO_PRICES,
    WEDNESDAY,
    Market,
    access_to,
    ask,
    candles,
    day,
    refusal,
    source_of,
)
from tests.handlers.live import Ring, brokers, logged_in
from tests.standins.brokers import TOKEN, Kite, holding, kite_error
from tests.standins.http_source import HttpSource, Reply, always


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (kite_error("TokenException", f"Token {TOKEN} is invalid", 403), ENDED),
        (Reply(403, b"<html>Forbidden</html>"), ENDED),
        (
            kite_error("PermissionException", f"Insufficient <b>permission</b> for that call, {TOKEN}.", 403),
            NO_PRICES,
        ),
    ],
)
async def test_a_closed_door_is_told_with_the_next_step_and_not_knocked_at_again_for_a_minute(
    kite: KiteSource, server: HttpSource, clock: MovableClock, reply: Reply, reason: str
) -> None:
    server.script = Market(reply)
    assert await refusal(kite) == reason
    sent = len(server.requests)
    assert await refusal(kite) == reason
    assert len(server.requests) == sent
    server.script = Market(candles(day(28)))
    clock.now += timedelta(minutes=1)
    assert len(await ask(kite)) == 1


async def test_a_login_is_noticed_within_a_minute(
    kite: KiteSource, desk: Brokers, server: HttpSource, clock: MovableClock
) -> None:
    logged_in(desk, hours=0)
    assert await refusal(kite) == ENDED
    logged_in(desk)
    assert await refusal(kite) == ENDED
    assert server.requests == []
    clock.now += timedelta(minutes=1)
    assert await ask(kite)


@pytest.mark.parametrize(
    ("ring", "reason"),
    [
        (
            Ring(),
            "Nobody has logged in to Kite for main: run `stockdesk login kite --account 'main'`.",
        ),
        (Ring(locked=True), "kite/main cannot be read: the collection is locked; unlock the keyring"),
    ],
)
async def test_without_a_session_nothing_is_sent(
    tmp_path: Path, server: HttpSource, clock: MovableClock, ring: Ring, reason: str
) -> None:
    async with source_of(brokers(tmp_path, server.url, ring=ring), clock) as kite:
        assert reason in await refusal(kite)
    assert server.requests == []


@pytest.mark.parametrize(
    ("live", "asked"),
    [(("family",), "family"), (("family", "wife"), "main"), ((), "main")],
)
async def test_the_session_is_that_of_the_only_live_account_or_of_main(
    tmp_path: Path, server: HttpSource, clock: MovableClock, live: Sequence[str], asked: str
) -> None:
    desk = brokers(tmp_path, server.url)
    logged_in(desk, asked)
    async with source_of(desk, clock, *live) as kite:
        assert await ask(kite)


async def test_only_an_account_that_was_synced_from_kite_itself_is_a_live_one(
    tmp_path: Path, desk: Brokers, database: Database, running_task: TaskRunner, server: HttpSource
) -> None:
    async def live(broker: LiveBroker, account: str) -> LiveHoldings | Retry | Snooze | Failed:
        return await live_holdings(Broker(broker), account, desk, NOW)

    server.script = Kite([holding("INFY", "INE009A01021", 10, 1500)])
    logged_in(desk, "family")
    (tmp_path / "h.csv").write_text("Symbol,Exchange,Quantity,Average Price\nINFY,NSE,1,10\n", "utf-8")
    sync = portfolio_sync(tmp_path, instruments=None, live=live)
    for payload in ({"account": "family", "broker": "kite"}, {"account": "filed", "upload": "h.csv"}):
        ctx = running_task(QueueName.PORTFOLIO_SYNC, payload)
        running_task.end(ctx, await sync(ctx))
    assert [account.name for account in database.read_now(accounts)] == ["family", "filed"]
    assert database.read_now(live_accounts) == ["family"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/orders/regular"),
        ("GET", "/orders"),
        ("GET", "/portfolio/holdings"),
        ("POST", "/instruments/NSE"),
        ("GET", "/instruments/NFO"),
        ("GET", "/instruments/historical/1/day/../../../../orders"),
        ("GET", "//evil.example/instruments/NSE"),
    ],
)
async def test_the_client_raises_before_it_sends_anything_but_a_reading(
    server: HttpSource, method: str, path: str
) -> None:
    async with open_client(server.url, READING) as client:
        with pytest.raises(ForbiddenRequestError, match="is none of the requests that may be sent"):
            await client.request(method, path if path.startswith("//") else server.url + path)
    assert server.requests == []


async def test_no_line_of_the_log_holds_the_token(
    kite: KiteSource, server: HttpSource, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx")  # which a test of the logs may have silenced
    await ask(kite)
    server.script = always(kite_error("GeneralException", f"{TOKEN} is odd", 500))
    with pytest.raises(SourceBusyError):
        await ask(kite)
    assert "historical/100/day" in caplog.text
    assert TOKEN not in caplog.text


async def test_when_kite_s_session_has_ended_the_next_source_gives_the_prices_and_the_result_says_so(
    desk: Brokers, server: HttpSource, running_task: TaskRunner, database: Database
) -> None:
    settings = SourceSettings(
        prices=["kite", "yahoo"], requests_per_second=100, yahoo_url=server.url, kite=access_to(desk)
    )
    async with open_sources(settings) as sources:
        fetch = data_fetcher(sources.prices, lambda: NOW, 4)
        first = running_fetch(running_task, "NSE:INFY")
        fetched = await fetch(first)
        running_task.end(first, fetched)
        server.script = Market(token="another")
        afterwards = lines(await fetch(running_fetch(running_task, "NSE:M&M")))
    assert lines(fetched)["NSE:INFY"]["source"] == "kite"
    assert database.read_now(lambda tx: newest_day(tx, INFY)) == WEDNESDAY
    assert (afterwards["NSE:M&M"]["source"], afterwards["NSE:M&M"]["passed_over"]) == ("yahoo", [ENDED])


@pytest.mark.parametrize(("chosen", "pace"), [(100, 3), (2, 2)])
async def test_kite_is_never_asked_faster_than_it_documents(
    desk: Brokers, monkeypatch: pytest.MonkeyPatch, chosen: float, pace: float
) -> None:
    made: list[float] = []
    monkeypatch.setattr(kite_prices, "Pace", made.append)
    async with open_kite(access_to(desk), chosen, None):
        assert made == [pace]
