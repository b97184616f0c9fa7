"""Positions over Alpaca's API, from a stand-in on loopback."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from handlers.brokers.live.alpaca import ALPACA_PAPER, READING
from handlers.brokers.live.asking import ForbiddenRequestError, LiveHoldings, open_client
from handlers.brokers.live.credentials import ALPACA_LIVE, Broker, alpaca_of_environment
from handlers.brokers.live.syncing import Brokers, live_holdings
from queues.outcome import Failed, Retry, Snooze
from tests.handlers.conftest import NOW
from tests.handlers.live import brokers, with_keys
from tests.standins.brokers import KEY_ID, SECRET_KEY, alpaca, position
from tests.standins.http_source import HttpSource, Reply, always

AAPL = position("AAPL", "NASDAQ", "5.123456789", "100.10")
PAIR = {"APCA_API_KEY_ID": KEY_ID, "APCA_API_SECRET_KEY": SECRET_KEY}


@pytest.fixture
def server() -> Iterator[HttpSource]:
    with HttpSource(alpaca([AAPL])) as started:
        yield started


@pytest.fixture
def desk(tmp_path: Path, server: HttpSource) -> Brokers:
    made = brokers(tmp_path, server.url)
    with_keys(made)
    return made


async def sync(desk: Brokers) -> LiveHoldings | Retry | Snooze | Failed:
    return await live_holdings(Broker.ALPACA, "main", desk, NOW)


async def test_positions_are_exact_and_on_their_exchanges(desk: Brokers, server: HttpSource) -> None:
    others = [position("BRK.B", "NYSE", "2", "300"), position("SPY", "NYSEARCA", "1.50", "0")]
    others.append(position("ARKB", "BATS", "1", "50"))
    server.script = alpaca([AAPL, *others])
    found = await sync(desk)
    assert isinstance(found, LiveHoldings)
    assert [(str(each.stock), each.quantity, each.average_price) for each in found.holdings] == [
        ("NASDAQ:AAPL", Decimal("5.123456789"), Decimal("100.1")),
        ("NYSE:BRK.B", Decimal(2), Decimal(300)),
        ("ARCA:SPY", Decimal("1.5"), Decimal(0)),
        ("BATS:ARKB", Decimal(1), Decimal(50)),
    ]
    assert {each.currency for each in found.holdings} == {"USD"}


async def test_what_is_no_stock_of_a_known_exchange_is_counted_and_told(
    desk: Brokers, server: HttpSource
) -> None:
    coin = position("BTCUSD", "CRYPTO", "-1", "20000", asset_class="crypto", side="short")
    server.script = alpaca([AAPL, coin, position("NTDOY", "OTC", "1", "50")])
    found = await sync(desk)
    assert isinstance(found, LiveHoldings)
    assert (len(found.holdings), found.skipped) == (1, {"asset class crypto": 1, "another exchange": 1})
    assert found.remarks == (
        "Position 3 (NTDOY) of main at Alpaca: it is listed on 'OTC', which the desk does not know.",
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            position("MSFT", "NASDAQ", "-3", "100", side="short"),
            "Position 2 (MSFT) of main at Alpaca is short",
        ),
        (position("MSFT", "NASDAQ", "0", "100"), "is short or empty (long 0)"),
        (position("MSFT OR", "NASDAQ", "1", "100"), "is not a stock symbol"),
        (AAPL, "is the second one of NASDAQ:AAPL"),
        (position("MSFT", "NASDAQ", "1,000", "100"), "1.qty: Input should be a valid decimal"),
        (position("MSFT", "NASDAQ", "1", "Infinity"), "1.avg_entry_price: Input should be a finite number"),
        (position("MSFT", "NASDAQ", "1", "-1"), "1.avg_entry_price: Input should be greater"),
    ],
)
async def test_a_position_that_cannot_be_taken_fails_the_whole_sync(
    desk: Brokers, server: HttpSource, row: dict[str, Any], reason: str
) -> None:
    server.script = alpaca([AAPL, row])
    ended = await sync(desk)
    assert isinstance(ended, Failed)
    assert reason in ended.error


async def test_wrong_keys_wait_for_a_login(desk: Brokers) -> None:
    with_keys(desk, "canary-wrong-secret-key")
    ended = await sync(desk)
    assert isinstance(ended, Snooze)
    assert "does not accept the keys of main for a paper account: run `stockdesk login alpaca" in ended.reason
    assert "canary" not in ended.reason


async def test_too_many_requests_are_asked_again_when_alpaca_wants(desk: Brokers, server: HttpSource) -> None:
    server.script = always(Reply(429, b"{}", {"Retry-After": "30"}))
    ended = await sync(desk)
    assert isinstance(ended, Retry)
    assert ended.delay == timedelta(seconds=30)


@pytest.mark.parametrize("body", [b"<html>", b'[{"symbol": "AAPL"', b"{}", b"[1]"])
async def test_an_answer_of_another_shape_is_a_failure(
    desk: Brokers, server: HttpSource, body: bytes
) -> None:
    server.script = always(Reply(200, body))
    ended = await sync(desk)
    assert isinstance(ended, Failed)
    assert "Alpaca's answer for main has another shape" in ended.error


async def test_the_pair_in_the_environment_needs_no_login(tmp_path: Path, server: HttpSource) -> None:
    assert isinstance(await sync(brokers(tmp_path, server.url, PAIR)), LiveHoldings)
    half = await sync(brokers(tmp_path, server.url, {"APCA_API_KEY_ID": KEY_ID}))
    assert isinstance(half, Snooze)


@pytest.mark.parametrize(("address", "live"), [("", False), (ALPACA_PAPER, False), (f"{ALPACA_LIVE}/", True)])
def test_an_account_is_paper_unless_the_address_is_that_of_live_ones(address: str, *, live: bool) -> None:
    found = alpaca_of_environment({**PAIR, "APCA_API_BASE_URL": address})
    assert found is not None
    assert found.live is live


@pytest.mark.parametrize(("method", "path"), [("POST", "/v2/orders"), ("DELETE", "/v2/positions")])
async def test_the_client_raises_before_it_sends_anything_but_a_reading(
    server: HttpSource, method: str, path: str
) -> None:
    async with open_client(server.url, READING) as client:
        with pytest.raises(ForbiddenRequestError):
            await client.request(method, server.url + path)
    assert server.requests == []
