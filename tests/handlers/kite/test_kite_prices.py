"""Prices over Kite Connect, from a stand-in on loopback."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from handlers.brokers.live.syncing import Brokers
from handlers.sources.base import BadDataError, Bar, NotCoveredError, SourceBusyError
from handlers.sources.cache import Cache
from handlers.sources.kite import KiteSource
from handlers.stocks import Exchange, Stock, parse_stock
from tests.handlers.conftest import MovableClock
from tests.handlers.kite.prices import (
    MONDAY,
    WEDNESDAY,
    Market,
    ask,
    candles,
    csv_of,
    day,
    paths,
    refusal,
    row,
    source_of,
)
from tests.standins.brokers import TOKEN, kite_error
from tests.standins.http_source import HttpSource, Reply


async def test_the_documented_shapes_become_bars_without_adjusted_closes(
    kite: KiteSource, server: HttpSource
) -> None:
    server.script = Market(candles(day(23), day(26, 1504.5), day(28, 1490, 0), day(29)))
    assert await ask(kite) == [
        Bar(day=MONDAY, close=1504.5, open=1500, high=1512.4, low=1498.05, volume=2499),
        Bar(day=WEDNESDAY, close=1490, open=1500, high=1512.4, low=1498.05, volume=0),
    ]
    assert paths(server) == ["/NSE", "/historical/100/day"]
    assert parse_qs(urlsplit(server.requests[1].target).query) == {
        "from": ["2022-12-26 00:00:00"],
        "to": ["2022-12-28 23:59:59"],
    }
    assert {request.headers["X-Kite-Version"] for request in server.requests} == {"3"}


@pytest.mark.parametrize(
    ("stock", "number"),
    [
        ("NSE:M&M", "101"),
        ("NSE:BAJAJ-AUTO", "102"),
        ("NSE:NEWCO", "103"),
        ("NSE:NEWCO-BE", "103"),
        ("NSE:SMALLCO", "104"),
        ("BSE:INFY", "200"),
    ],
)
async def test_a_stock_is_asked_for_by_the_number_that_its_exchange_s_list_gives_it(
    kite: KiteSource, server: HttpSource, stock: str, number: str
) -> None:
    await ask(kite, parse_stock(stock))
    assert paths(server)[1] == f"/historical/{number}/day"


@pytest.mark.parametrize(
    ("stock", "reason"),
    [
        (Stock("GONE", Exchange.NSE), "Kite does not list NSE:GONE; is it renamed or delisted?"),
        (Stock("NIFTY 50", Exchange.NSE), "Kite does not list NSE:NIFTY 50"),
        (Stock("NEWCO", Exchange.BSE), "Kite does not list BSE:NEWCO"),
        (Stock("AAPL", Exchange.NASDAQ), "Kite has prices of NSE and BSE only, and none of NASDAQ:AAPL."),
    ],
)
async def test_what_is_no_listed_stock_of_the_two_exchanges_is_not_covered(
    kite: KiteSource, stock: Stock, reason: str
) -> None:
    with pytest.raises(NotCoveredError) as caught:
        await ask(kite, stock)
    assert str(caught.value).startswith(reason)


async def test_a_period_without_candles_is_not_covered(kite: KiteSource, server: HttpSource) -> None:
    server.script = Market(candles(day(23)))
    with pytest.raises(NotCoveredError, match="no prices of NSE:INFY from 2022-12-26 to 2022-12-28"):
        await ask(kite)


async def test_a_list_is_asked_for_once_a_day_whoever_asks(
    desk: Brokers, clock: MovableClock, server: HttpSource, tmp_path: Path
) -> None:
    async with source_of(desk, clock, cache=Cache(tmp_path / "cache")) as kite:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, kite)
            group.start_soon(ask, kite, Stock("M&M", Exchange.NSE))
        assert paths(server).count("/NSE") == 1
    async with source_of(desk, clock, cache=Cache(tmp_path / "cache")) as kite:
        await ask(kite)
        assert paths(server).count("/NSE") == 1
        clock.now += timedelta(days=1)
        await ask(kite)
        assert paths(server).count("/NSE") == 2


@pytest.mark.parametrize(
    ("reply", "pause"),
    [
        (kite_error("NetworkException", "Too many requests", 429), None),
        (Reply(429, b"", {"Retry-After": "7"}), timedelta(seconds=7)),
        (Reply(503, b"<html>maintenance</html>", {"Retry-After": "60"}), timedelta(seconds=60)),
        (Reply(200, b'{"data', content_length=900), None),  # breaks off
    ],
)
async def test_a_kite_that_is_busy_says_until_when(
    kite: KiteSource, server: HttpSource, reply: Reply, pause: timedelta | None
) -> None:
    server.script = Market(reply)
    with pytest.raises(SourceBusyError, match="NSE:INFY") as caught:
        await ask(kite)
    assert caught.value.retry_after == pause


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (kite_error("InputException", f"<b>no</b> such {TOKEN}", 400), "400 no such [hidden]"),
        (Reply(404, b"<html>nothing</html>"), "404 no reason"),
        (Reply(302, b"", {"Location": "/orders/regular"}), "302 no reason"),
    ],
)
async def test_any_other_refusal_is_told_in_kite_s_words_without_the_token(
    kite: KiteSource, server: HttpSource, reply: Reply, said: str
) -> None:
    server.script = Market(reply)
    assert await refusal(kite) == f"Kite refused the request for NSE:INFY ({said})."
    assert not any("orders" in path for path in paths(server))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Log in</html>"),
        Reply(200, b'{"status": "success", "data": {"candles": [["2022-12-2'),
        Reply(200, b'{"status": "success", "data": null}'),
        Reply(200, b"no gzip", {"Content-Encoding": "gzip"}),
        candles(day(26)[:5]),
        candles(["2022-12-26", 1, 1, 1, 1, 1]),
        candles(["0001-01-01T00:00:00+0530", 1, 1, 1, 1, 1]),
        candles([1672012800000, 1, 1, 1, 1, 1]),
        candles([*day(26)[:4], "1504.5", 1]),
        candles(day(26, volume=2**63)),
        candles(day(26, volume=-1)),
        candles(day(26, 0)),
        candles(day(26, float("nan"))),
        candles(day(26), day(26)),
        candles(day(27), day(26)),
        candles(day(26, 1500), day(27, 15)),
    ],
)
async def test_candles_in_another_shape_or_that_cannot_be_are_bad_data(
    kite: KiteSource, server: HttpSource, reply: Reply
) -> None:
    server.script = Market(reply)
    with pytest.raises(BadDataError, match="NSE:INFY"):
        await ask(kite)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (
            Reply(200, b"<html>Log in</html>"),
            "lacks one of the columns instrument_token, tradingsymbol, segment",
        ),
        (Reply(200, b""), "lacks one of the columns"),
        (Reply(200, b"\xff\xfe\x00"), "cannot be read"),
        (csv_of(), "holds no stock"),
        (csv_of(row("256265", "NIFTY 50", "INDICES")), "holds no stock"),
        (csv_of(row("100", "INFY"), "101,1594,TC"), "is broken in line 3"),
        (csv_of(row("../../orders", "INFY")), "is broken in line 2"),
        (csv_of(row("-1", "INFY")), "is broken in line 2"),
        (csv_of('100,"INFY'), "cannot be read"),
    ],
)
async def test_a_list_with_anything_wrong_is_refused_whole(
    kite: KiteSource, server: HttpSource, reply: Reply, reason: str
) -> None:
    server.script = Market(listed=reply)
    with pytest.raises(BadDataError, match=f"^Kite's list of NSE {reason}"):
        await ask(kite)
    assert paths(server) == ["/NSE"]
