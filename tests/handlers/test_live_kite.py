"""Holdings over Kite Connect, from a stand-in on loopback."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from handlers.brokers.live.asking import ForbiddenRequestError, LiveHoldings, open_client
from handlers.brokers.live.credentials import Broker, kite_expiry
from handlers.brokers.live.kite import READING
from handlers.brokers.live.syncing import Brokers, live_holdings
from handlers.stocks import Exchange, Stock
from queues.database import Database
from queues.inspection import waiting_for
from queues.model import QueueName
from queues.outcome import Failed, Retry, Snooze
from tests.handlers.conftest import NOW, TaskRunner
from tests.handlers.live import INFY, INFY_ISIN, Ring, brokers, logged_in
from tests.standins.brokers import KEY, TOKEN, Kite, holding, kite_error, net
from tests.standins.http_source import HttpSource, Reply, always

LINK = f"log in at https://kite.zerodha.com/connect/login?v=3&api_key={KEY}, then run `stockdesk login kite`"


@pytest.fixture
def kite() -> Iterator[HttpSource]:
    with HttpSource(Kite([holding(INFY, INFY_ISIN, 10, 1500.55)])) as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path, kite: HttpSource) -> Brokers:
    made = brokers(tmp_path, kite.url)
    logged_in(made)
    return made


async def sync(desk: Brokers, account: str = "main") -> LiveHoldings | Retry | Snooze | Failed:
    return await live_holdings(Broker.KITE, account, desk, NOW)


async def held(desk: Brokers) -> LiveHoldings:
    found = await sync(desk)
    assert isinstance(found, LiveHoldings), found
    return found


async def failure(desk: Brokers) -> str:
    ended = await sync(desk)
    assert isinstance(ended, Failed), ended
    return ended.error


async def test_shares_that_are_free_on_their_way_and_pledged_are_all_held(
    desk: Brokers, kite: HttpSource
) -> None:
    row = holding(INFY, INFY_ISIN, 10, 1500.55, t1_quantity=3, collateral_quantity=4)
    kite.script = Kite([row, holding("M&M", "INE101A01026", 0, 620.1)])
    found = await held(desk)
    (only,) = found.holdings
    assert (only.stock, only.quantity) == (Stock(INFY, Exchange.NSE), Decimal(17))
    assert (only.average_price, only.currency, only.isin) == (Decimal("1500.55"), "INR", INFY_ISIN)
    assert (found.owner, found.skipped) == ("1234", {"nothing left of it": 1})


async def test_an_account_that_holds_nothing_is_no_failure(desk: Brokers, kite: HttpSource) -> None:
    kite.script = Kite()
    assert (await held(desk)).holdings == ()


async def test_positions_are_no_holdings_and_are_told(desk: Brokers, kite: HttpSource) -> None:
    positions = [
        net(INFY, 5),
        net("TCS", -2),  # sold, and gone from the holdings already
        net("SBIN", 7, "MIS"),
        net("NIFTY22DECFUT", 50, "NRML", "NFO"),
        net("WIPRO", 0, "MIS"),
    ]
    kite.script = Kite([holding(INFY, INFY_ISIN, 10, 1500, mtf={"quantity": 6})], positions)
    found = await held(desk)
    assert [each.quantity for each in found.holdings] == [Decimal(10)]
    assert found.skipped == {"a position of the day, of margin or of derivatives": 2}
    assert found.remarks == (
        "Holding 1 (INFY): 6 bought on margin (MTF) are not counted.",
        "INFY: 5 bought today become a holding when they settle.",
    )


@pytest.mark.parametrize(
    ("symbol", "isin", "exchange", "stock"),
    [
        ("INFY-BE", INFY_ISIN, "NSE", "NSE:INFY"),
        ("BAJAJ-AUTO", "INE917I01010", "NSE", "NSE:BAJAJ-AUTO"),
        ("ZOMATO", "INE758T01015", "NSE", "NSE:ETERNAL"),
        ("NEWCO-BE", "", "NSE", "NSE:NEWCO-BE"),
        (INFY, INFY_ISIN, "BSE", "BSE:INFY"),
    ],
)
async def test_a_symbol_is_what_the_exchange_calls_the_stock_today(
    desk: Brokers, kite: HttpSource, symbol: str, isin: str, exchange: str, stock: str
) -> None:
    kite.script = Kite([holding(symbol, isin, 1, 10, exchange=exchange)])
    assert [str(each.stock) for each in (await held(desk)).holdings] == [stock]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (holding("", "", 1, 10), "Holding 2 () of main at Kite cannot be taken: the symbol is blank"),
        (holding("TCS", "INE009A01022", 1, 10), "check digit"),
        (holding("TCS", "", 1, 10, exchange="MCX"), "Exchange 'MCX' is not known"),
        (holding("<b>TCS</b> OR 1", "", 1, 10), "is not a stock symbol"),
        (holding(INFY, INFY_ISIN, 1, 10), "tells the holding NSE:INFY of main twice"),
        (holding("TCS", "", -1, 10), "data.1.quantity: Input should be greater than or equal to 0"),
        (holding("TCS", "", 10**15, 10), "data.1.quantity: Input should be less than"),
        (holding("TCS", "", 1, float("nan")), "data.1.average_price: Input should be a finite number"),
        ({"tradingsymbol": "TCS"}, "data.1.exchange: Field required"),
    ],
)
async def test_a_row_that_cannot_be_taken_fails_the_whole_sync(
    desk: Brokers, kite: HttpSource, row: dict[str, Any], reason: str
) -> None:
    kite.script = Kite([holding(INFY, INFY_ISIN, 10, 1500), row])
    assert reason in await failure(desk)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(200, b"<html>Log in</html>"), "Kite's answer for main has another shape"),
        (Reply(200, b'{"status": "success", "data": [{"tradingsy'), "has another shape"),
        (Reply(200, b'{"status": "success", "data": null}'), "has another shape"),
        (Reply(200, b" " * (4 * 2**20 + 1)), "is larger than 4 MB"),
        (Reply(200, b"no gzip", {"Content-Encoding": "gzip"}), "cannot be read"),
        (Reply(404, b"<html>nothing</html>"), "Kite refused to tell the holdings of main (404 no reason)."),
        (kite_error("InputException", f"<b>no</b> such {TOKEN}", 400), "(400 no such [hidden])."),
        (kite_error("PermissionException", "The app is disabled", 403), "(403 The app is disabled)."),
        (Reply(302, b"", {"Location": "/orders/regular"}), "Kite refused to tell the holdings of main (302"),
    ],
)
async def test_an_answer_of_another_kind_is_a_failure_with_its_reason(
    desk: Brokers, kite: HttpSource, reply: Reply, reason: str
) -> None:
    kite.script = always(reply)
    assert reason in await failure(desk)


@pytest.mark.parametrize(
    ("reply", "delay"),
    [
        (kite_error("NetworkException", "Too many requests", 429), None),
        (Reply(429, b"", {"Retry-After": "7"}), timedelta(seconds=7)),
        (Reply(503, b"<html>maintenance</html>", {"Retry-After": "60"}), timedelta(seconds=60)),
        (Reply(200, b'{"data', content_length=900), None),  # breaks off
    ],
)
async def test_a_broker_that_is_busy_is_asked_again_when_it_wants(
    desk: Brokers, kite: HttpSource, reply: Reply, delay: timedelta | None
) -> None:
    kite.script = always(reply)
    ended = await sync(desk)
    assert isinstance(ended, Retry)
    assert ended.delay == delay


async def test_a_refusal_without_a_reason_is_taken_for_an_ended_session(
    desk: Brokers, kite: HttpSource
) -> None:
    kite.script = always(Reply(403, b"<html>Forbidden</html>"))
    ended = await sync(desk)
    assert isinstance(ended, Snooze)
    assert LINK in ended.reason


async def test_a_session_that_has_ended_waits_for_a_login_and_shows_the_link(
    desk: Brokers, kite: HttpSource, database: Database, running_task: TaskRunner
) -> None:
    kite.script = always(kite_error("TokenException", f"Token {TOKEN} is invalid", 403))
    ended = await sync(desk)
    assert isinstance(ended, Snooze)
    assert ended == Snooze(f"Kite's session of main has ended: {LINK}.", NOW + timedelta(hours=1))
    task = running_task.end(running_task(QueueName.PORTFOLIO_SYNC, {"account": "main"}), ended)
    waits = database.read_now(lambda tx: waiting_for(tx, task))
    assert waits is not None
    assert (waits.kind, LINK in waits.what, task.attempt) == ("due", True, 0)
    # The queue is not held: another account's sync starts.
    assert running_task(QueueName.PORTFOLIO_SYNC, {"account": "other"}).task.payload == {"account": "other"}


async def test_nothing_is_sent_once_the_session_is_known_to_have_ended(
    desk: Brokers, kite: HttpSource
) -> None:
    logged_in(desk, hours=0)
    assert isinstance(await sync(desk), Snooze)
    assert kite.requests == []


async def test_no_line_of_the_log_holds_the_token(
    desk: Brokers, kite: HttpSource, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await held(desk)
    kite.script = always(kite_error("GeneralException", f"{TOKEN} is odd", 500))
    assert isinstance(await sync(desk), Retry)
    assert "portfolio/holdings" in caplog.text
    assert TOKEN not in caplog.text


async def test_each_account_has_a_session_of_its_own(desk: Brokers) -> None:
    logged_in(desk, "second one", hours=0)
    ended = await sync(desk, "second one")
    assert isinstance(ended, Snooze)
    assert "run `stockdesk login kite --account 'second one'`" in ended.reason
    assert len((await held(desk)).holdings) == 1


async def test_a_token_in_the_environment_needs_no_login(tmp_path: Path, kite: HttpSource) -> None:
    found = await held(brokers(tmp_path, kite.url, {"KITE_API_KEY": KEY, "KITE_ACCESS_TOKEN": TOKEN}))
    assert (len(found.holdings), found.owner) == (1, None)


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "run `stockdesk login kite --account 'main'`"),
        ({"KITE_API_KEY": KEY}, LINK),
        ({"KITE_API_KEY": KEY, "KITE_ACCESS_TOKEN": f"{TOKEN}\r\nX: y"}, "access_token in the environment"),
    ],
)
async def test_missing_or_broken_credentials_wait_for_better_ones(
    tmp_path: Path, kite: HttpSource, environment: dict[str, str], reason: str
) -> None:
    ended = await sync(brokers(tmp_path, kite.url, environment))
    assert isinstance(ended, Snooze)
    assert (reason in ended.reason, TOKEN in ended.reason, kite.requests) == (True, False, [])


async def test_a_locked_keyring_waits_for_its_owner(tmp_path: Path, kite: HttpSource) -> None:
    ended = await sync(brokers(tmp_path, kite.url, ring=Ring(locked=True)))
    assert isinstance(ended, Snooze)
    assert "kite/main cannot be read: the collection is locked; unlock the keyring" in ended.reason


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/orders/regular"),
        ("GET", "/orders"),
        ("POST", "/portfolio/holdings"),
        ("DELETE", "/portfolio/holdings"),
        ("PUT", "/portfolio/positions"),
        ("GET", "/portfolio/holdings/../../orders"),
        ("GET", "//evil.example/portfolio/holdings"),
    ],
)
async def test_the_client_raises_before_it_sends_anything_but_a_reading(
    kite: HttpSource, method: str, path: str
) -> None:
    async with open_client(kite.url, READING) as client:
        with pytest.raises(ForbiddenRequestError, match="is none of the requests that may be sent"):
            await client.request(method, path if path.startswith("//") else kite.url + path)
    assert kite.requests == []


@pytest.mark.parametrize(
    ("logged_in_at", "ends_at"),
    [
        (
            datetime(2022, 12, 28, 23, 30, tzinfo=UTC),
            datetime(2022, 12, 29, 0, 30, tzinfo=UTC),
        ),  # 05:00 there
        (datetime(2022, 12, 29, 0, 30, tzinfo=UTC), datetime(2022, 12, 30, 0, 30, tzinfo=UTC)),  # 06:00
        (datetime(2022, 12, 31, 18, 0, tzinfo=UTC), datetime(2023, 1, 1, 0, 30, tzinfo=UTC)),  # 23:30
    ],
)
def test_a_session_ends_at_six_in_the_morning_in_india(logged_in_at: datetime, ends_at: datetime) -> None:
    assert kite_expiry(logged_in_at) == ends_at
