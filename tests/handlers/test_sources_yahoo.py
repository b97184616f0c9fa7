"""Yahoo's endpoint, played by a real HTTP server on loopback."""

import socket
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.lowlevel
import httpx
import pytest

from handlers.sources.base import BadDataError, Bar, NotCoveredError, SourceBusyError, SourceError
from handlers.sources.http import Host
from handlers.sources.pace import Pace
from handlers.sources.yahoo import YahooSource
from handlers.stocks import Exchange, Stock
from tests.standins.http_source import HttpSource, Reply, always, chart, chart_of, json_reply, not_found

INFY = Stock("INFY", Exchange.NSE)
AAPL = Stock("AAPL", Exchange.NASDAQ)
MONDAY, TUESDAY, WEDNESDAY = date(2022, 12, 26), date(2022, 12, 27), date(2022, 12, 28)


async def ask(yahoo: YahooSource, stock: Stock = AAPL) -> Sequence[Bar]:
    return await yahoo.daily_prices(stock, MONDAY, WEDNESDAY)


@pytest.mark.parametrize(
    ("stock", "path"),
    [
        (Stock("INFY", Exchange.NSE), "INFY.NS"),
        (Stock("INFY", Exchange.BSE), "INFY.BO"),
        (Stock("M&M", Exchange.NSE), "M%26M.NS"),
        (Stock("BAJAJ-AUTO", Exchange.NSE), "BAJAJ-AUTO.NS"),
        (Stock("BRK.B", Exchange.NYSE), "BRK-B"),
        (Stock("AAPL", Exchange.NASDAQ), "AAPL"),
        (Stock("ABCDEFGHIJKLMNOPQRST", Exchange.BSE), "ABCDEFGHIJKLMNOPQRST.BO"),
    ],
)
async def test_yahoo_receives_its_own_name_of_the_stock(
    server: HttpSource, yahoo: YahooSource, stock: Stock, path: str
) -> None:
    await ask(yahoo, stock)
    target = urlsplit(server.requests[0].target)
    assert target.path == f"/v8/finance/chart/{path}"
    assert parse_qs(target.query) == {
        "period1": [str(int(datetime(2022, 12, 26, tzinfo=UTC).timestamp()))],
        "period2": [str(int(datetime(2022, 12, 29, tzinfo=UTC).timestamp()))],
        "interval": ["1d"],
        "events": ["div,splits"],
    }


async def test_the_documented_shape_becomes_bars(server: HttpSource, yahoo: YahooSource) -> None:
    quote = {
        "open": [1.0, 0],
        "high": [3.0, 4.0],
        "low": [0.5, 1.5],
        "close": [2.0, 2.5],
        "volume": [10, None],
    }
    server.script = always(
        chart_of("AAPL", [(MONDAY, 2.0), (TUESDAY, 2.5)], quote=quote, adjclose=[1.9, 2.5])
    )
    assert await ask(yahoo) == [
        Bar(day=MONDAY, close=2.0, adj_close=1.9, open=1.0, high=3.0, low=0.5, volume=10),
        Bar(day=TUESDAY, close=2.5, adj_close=2.5, high=4.0, low=1.5),
    ]


async def test_sessions_without_a_close_are_left_out(server: HttpSource, yahoo: YahooSource) -> None:
    server.script = always(chart_of("AAPL", [(MONDAY, 2.0), (TUESDAY, None), (WEDNESDAY, 3.0)]))
    assert [bar.day for bar in await ask(yahoo)] == [MONDAY, WEDNESDAY]


async def test_without_adjusted_closes_there_are_none(server: HttpSource, yahoo: YahooSource) -> None:
    server.script = always(chart_of("AAPL", [(MONDAY, 2.0)], adjclose=None))
    assert (await ask(yahoo))[0].adj_close is None


async def test_a_day_is_the_exchange_s_own_not_that_of_utc(server: HttpSource, yahoo: YahooSource) -> None:
    late = int(datetime(2022, 12, 28, 1, tzinfo=UTC).timestamp())  # Tuesday, 20:00 in New York
    server.script = always(chart_of("AAPL", [(WEDNESDAY, 2.0)], timestamp=[late]))
    assert [bar.day for bar in await ask(yahoo)] == [TUESDAY]


async def test_the_price_of_a_session_after_the_period_is_no_close(
    server: HttpSource, yahoo: YahooSource
) -> None:
    server.script = always(chart_of("AAPL", [(WEDNESDAY, 2.0), (date(2022, 12, 29), 9.0)]))
    assert [bar.close for bar in await ask(yahoo)] == [2.0]


async def test_of_a_last_session_given_twice_the_newer_row_is_kept(
    server: HttpSource, yahoo: YahooSource
) -> None:
    server.script = always(chart_of("AAPL", [(TUESDAY, 1.0), (WEDNESDAY, 2.0), (WEDNESDAY, 2.1)]))
    assert [bar.close for bar in await ask(yahoo)] == [1.0, 2.1]


@pytest.mark.parametrize(
    "reply",
    [
        not_found(),
        Reply(404, b"<html>"),
        json_reply({"chart": {"result": None, "error": {"code": "Not Found", "description": None}}}),
        json_reply(
            {
                "chart": {
                    "result": None,
                    "error": {"code": "Bad Request", "description": "Data doesn't exist"},
                }
            },
            400,
        ),
        json_reply({"chart": {"result": [{"meta": {"currency": "USD"}, "indicators": {"quote": [{}]}}]}}),
    ],
)
async def test_a_stock_that_yahoo_does_not_have_is_not_covered(
    server: HttpSource, yahoo: YahooSource, reply: Reply
) -> None:
    server.script = always(reply)
    with pytest.raises(NotCoveredError, match="NASDAQ:AAPL"):
        await ask(yahoo)


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, None),
        ({"Retry-After": "120"}, timedelta(minutes=2)),
        ({"Retry-After": "99999999999999"}, timedelta(hours=6)),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_server_is_left_alone_for_as_long_as_it_says(
    server: HttpSource, yahoo: YahooSource, status: int, headers: dict[str, str], pause: timedelta | None
) -> None:
    server.script = always(Reply(status, b"Too Many Requests", headers))
    with pytest.raises(SourceBusyError, match=f"^Yahoo answered {status} for NASDAQ:AAPL.$") as caught:
        await ask(yahoo)
    assert caught.value.retry_after == pause


async def test_yahoo_is_left_alone_by_everyone_until_its_retry_after_has_passed(server: HttpSource) -> None:
    now = 1000.0
    server.script = always(Reply(429, b"", {"Retry-After": "3600"}))
    async with httpx.AsyncClient() as client:
        yahoo = YahooSource(Host("Yahoo", server.url, client, Pace(1e6), monotonic=lambda: now))
        with pytest.raises(SourceBusyError, match="Yahoo answered 429"):
            await ask(yahoo)
        server.script = chart
        now += 3000
        with pytest.raises(
            SourceBusyError,
            match="Yahoo was not asked for NSE:INFY: it wants to be left alone for another 600 s",
        ) as caught:
            await ask(yahoo, INFY)
        assert caught.value.retry_after == timedelta(seconds=600)
        assert len(server.requests) == 1
        now += 600
        assert await ask(yahoo, INFY)
    assert len(server.requests) == 2


async def test_who_waits_for_a_turn_while_yahoo_asks_to_be_left_alone_sends_nothing(
    server: HttpSource,
) -> None:
    server.script = always(Reply(503, b"", {"Retry-After": "60"}))
    second_may_go = anyio.Event()
    refused: list[str] = []

    async def wait(seconds: float) -> None:
        if seconds > 0:
            await second_may_go.wait()

    async def ask_and_be_refused(stock: Stock) -> None:
        with pytest.raises(SourceBusyError) as caught:
            await ask(yahoo, stock)
        refused.append(str(caught.value))

    async with httpx.AsyncClient() as client:
        pace = Pace(1, monotonic=lambda: 0.0, sleep=wait)
        yahoo = YahooSource(Host("Yahoo", server.url, client, pace, monotonic=lambda: 0.0))
        async with anyio.create_task_group() as group:
            group.start_soon(ask_and_be_refused, AAPL)
            group.start_soon(ask_and_be_refused, INFY)
            while not refused:
                await anyio.lowlevel.checkpoint()
            second_may_go.set()
    assert len(server.requests) == 1
    assert refused[1].startswith("Yahoo was not asked for NSE:INFY")


async def test_a_retry_date_counts_from_the_server_s_own_clock() -> None:
    # The stand-in's server writes a Date of its own, so here the transport is a fake.
    headers = {"Date": "Wed, 28 Dec 2022 10:00:00 GMT", "Retry-After": "Wed, 28 Dec 2022 10:02:30 GMT"}
    transport = httpx.MockTransport(lambda _: httpx.Response(429, headers=headers))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(SourceBusyError) as caught:
            await ask(YahooSource(Host("Yahoo", "http://yahoo.test", client, Pace(1e6))))
    assert caught.value.retry_after == timedelta(seconds=150)


async def test_a_server_that_does_not_answer_in_time_is_busy(server: HttpSource) -> None:
    server.gate.clear()
    async with httpx.AsyncClient(timeout=0.05) as client:
        with pytest.raises(SourceBusyError, match="Yahoo did not answer for NASDAQ:AAPL: ReadTimeout"):
            await ask(YahooSource(Host("Yahoo", server.url, client, Pace(1e6))))


async def test_a_server_that_cannot_be_reached_is_busy() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with httpx.AsyncClient() as client:
            with pytest.raises(SourceBusyError, match="did not answer"):
                await ask(YahooSource(Host("Yahoo", url, client, Pace(1e6))))


async def test_an_answer_that_breaks_off_is_busy(server: HttpSource, yahoo: YahooSource) -> None:
    server.script = always(Reply(200, b'{"chart"', content_length=1000))
    with pytest.raises(SourceBusyError):
        await ask(yahoo)


@pytest.mark.parametrize("status", [401, 403, 301])
async def test_a_refusal_is_an_error_of_the_source(
    server: HttpSource, yahoo: YahooSource, status: int
) -> None:
    server.script = always(Reply(status, b"", {"Location": "/elsewhere"}))
    with pytest.raises(SourceError, match=f"status {status}") as caught:
        await ask(yahoo)
    assert type(caught.value) is SourceError


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Will be right back</html>",
        b'{"chart":{"result":[{"meta":{"cur',
        b"",
        b"[]",
        b'{"chart":{"result":[],"error":null}}',
        b'{"chart":{"result":[{"meta":{"currency":"USD"},"timestamp":["x"],"indicators":{"quote":[{"close":[1]}]}}]}}',
        b'{"chart":{"result":[{"meta":{"currency":"USD"},"timestamp":[1672151400000],"indicators":{"quote":[]}}]}}',
        b'{"chart":{"result":[{"meta":{"currency":"USD"},"timestamp":[1672151400],"indicators":{"quote":[]}}]}}',
        b'{"chart":{"result":[{"meta":{"currency":"USD"},"timestamp":[1672151400],"indicators":{"quote":[{}]}}]}}',
        chart_of("AAPL", [(MONDAY, 2.0)], quote={"close": ["2.0"]}).body,
        chart_of("AAPL", [(MONDAY, float("nan"))]).body,
    ],
)
async def test_a_body_in_another_shape_is_bad_data(
    server: HttpSource, yahoo: YahooSource, body: bytes
) -> None:
    server.script = always(Reply(200, body))
    with pytest.raises(BadDataError, match="NASDAQ:AAPL"):
        await ask(yahoo)


@pytest.mark.parametrize(
    ("closes", "changes", "reason"),
    [
        ([(MONDAY, 0.0)], {}, "the price 0.0 on 2022-12-26"),
        ([(MONDAY, -3.0)], {}, "the price -3.0"),
        ([(MONDAY, 1e999)], {}, "the price inf"),
        ([(MONDAY, 2.0)], {"adjclose": [-1.0]}, "the price -1.0"),
        ([(MONDAY, 2.0), (MONDAY, 2.0), (TUESDAY, 2.0)], {}, "two prices for 2022-12-26"),
        ([(TUESDAY, 2.0), (MONDAY, 2.0)], {}, "2022-12-26 after 2022-12-27"),
        ([(MONDAY, 2.0)], {"currency": "GBp"}, "in GBp, but NASDAQ quotes in USD"),
        ([(MONDAY, 2.0)], {"currency": None}, "in None, but NASDAQ quotes in USD"),
        ([(MONDAY, 2.0)], {"adjclose": [1.0, 2.0]}, "1 days, but not as many prices"),
    ],
)
async def test_impossible_prices_are_refused_with_the_reason(
    server: HttpSource, yahoo: YahooSource, closes: Any, changes: dict[str, Any], reason: str
) -> None:
    server.script = always(chart_of("AAPL", closes, **changes))
    with pytest.raises(BadDataError, match=reason):
        await ask(yahoo)
