"""Dated rates: what the bank publishes is stored as it stands, and is asked for only where something is foreign."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal

import apsw
import httpx
import pytest

from handlers.brokers.holding import Holding
from handlers.portfolio import store_snapshot
from handlers.rates import rates_to, store_rates, with_rates
from handlers.sources.base import SourceError
from handlers.sources.ecb import DayOfRates, newest_rates, open_ecb
from handlers.sources.http import Host
from handlers.sources.pace import Pace
from handlers.stocks import Exchange, Stock
from queues.context import Handler, TaskContext
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed, Outcome
from tests.handlers.conftest import NOW, MovableClock, TaskRunner
from tests.standins.http_source import HttpSource, Reply, always

DAY = date(2022, 12, 28)
# As documented; prefixes, quotes and all.
FILE = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
	<gesmes:subject>Reference rates</gesmes:subject>
	<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
	<Cube><Cube time='{day}'>{rates}</Cube></Cube>
</gesmes:Envelope>"""
USD, INR = ("<Cube currency='USD' rate='1.0640'/>", "<Cube currency='INR' rate='88.1455'/>")


def xml(rates: str = USD + INR, day: object = DAY) -> Reply:
    return Reply(200, FILE.format(day=day, rates=rates).encode())


@pytest.fixture
async def ecb(server: HttpSource) -> AsyncIterator[Host]:
    async with httpx.AsyncClient(timeout=10) as client:
        yield Host("The ECB", server.url, client, Pace(1e6), clock=lambda: NOW)


async def test_the_rates_are_read_as_they_are_published(server: HttpSource, ecb: Host) -> None:
    server.script = always(xml())
    assert await newest_rates(ecb) == DayOfRates(DAY, {"USD": Decimal("1.0640"), "INR": Decimal("88.1455")})
    assert server.requests[0].path == "/stats/eurofxref/eurofxref-daily.xml"


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Cube time="2022-12-28">&b;</Cube>'


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(404), "The ECB answered 404 for the reference rates"),
        (Reply(503), "The ECB answered 503"),
        (Reply(200, b"<html><p>Sorry</html>"), "cannot be read: mismatched tag"),
        (Reply(200, b"<html></html>"), "it has 0 days"),
        (Reply(200, xml().body[:300]), "cannot be read"),
        (Reply(200, BOMB), "cannot be read: DTDForbidden"),
        (xml(""), "it has no rates"),
        (xml(day="28.12.2022"), "Invalid isoformat string"),
        (xml(day=DAY + timedelta(days=30)), "is of 2023-01-27, which is to come"),
        (xml("<Cube currency='USD' rate='N/A'/>"), "cannot be read"),
        (xml("<Cube currency='USD' rate='NaN'/>"), "cannot be read"),
        (xml("<Cube currency='USD' rate='-1'/>"), "'USD' cannot be at '-1'"),
        (xml("<Cube currency='USD' rate='0'/>"), "'USD' cannot be at '0'"),
        (xml("<Cube currency='&lt;b&gt;' rate='1'/>"), "'<b>' cannot be at '1'"),
    ],
)
async def test_what_is_no_day_of_rates_is_refused_in_one_sentence(
    server: HttpSource, ecb: Host, reply: Reply, reason: str
) -> None:
    server.script = always(reply)
    with pytest.raises(SourceError) as refused:
        await newest_rates(ecb)
    assert reason in str(refused.value)


def store(database: Database, day: date, **per_euro: str) -> None:
    rates = {currency: Decimal(rate) for currency, rate in per_euro.items()}
    database.write_now(lambda tx: store_rates(tx, DayOfRates(day, rates)))


def test_two_currencies_are_compared_through_the_euro_on_the_newest_day(database: Database) -> None:
    assert database.read_now(lambda tx: rates_to(tx, "INR")) == []
    store(database, DAY, USD="1.0640", INR="88.1455")
    store(database, date(2022, 12, 27), USD="2", INR="100", JPY="141")
    to_rupees, to_euros, to_yen = (
        {each.currency: each for each in database.read_now(lambda tx, base=base: rates_to(tx, base))}
        for base in ("INR", "EUR", "JPY")
    )
    assert {currency: rate.rate for currency, rate in to_rupees.items()} == {
        "EUR": Decimal("88.1455"),
        "USD": Decimal("82.843515"),  # 88.1455 / 1.0640
    }
    assert (to_rupees["USD"].day, to_rupees["USD"].source) == (DAY, "ECB reference rates")
    assert to_euros["USD"].rate == Decimal("0.93984962")
    assert to_yen == {}


def test_a_stored_rate_never_changes(database: Database) -> None:
    store(database, DAY, USD="1.0640", INR="88.1455")
    store(database, DAY, USD="9")
    assert database.read_now(lambda tx: tx.rows("SELECT per_euro FROM rates WHERE currency = 'USD'")) == [
        ("1.0640",)
    ]
    with pytest.raises(apsw.ConstraintError, match="a rate never changes"):
        database.write_now(lambda tx: tx.run("UPDATE rates SET per_euro = '9'"))


async def fetched(ctx: TaskContext) -> Outcome:
    return Completed({"stocks": [], "task": ctx.task.id})


@pytest.fixture
async def handler(server: HttpSource) -> AsyncIterator[Handler]:
    async with open_ecb(1e6, server.url) as ask:
        yield with_rates(fetched, ask, "INR")


async def run(running_task: TaskRunner, handler: Handler) -> object:
    """What a fetch's result says of the rates, None if nothing."""
    ctx = running_task(QueueName.DATA_FETCHER, {})
    outcome = await handler(ctx)
    assert isinstance(outcome, Completed)
    running_task.end(ctx, outcome)
    assert outcome.result["task"] == ctx.task.id
    return outcome.result.get("rates")


def hold(database: Database, exchange: Exchange, currency: str) -> None:
    holding = Holding(
        stock=Stock("X", exchange), quantity=Decimal(1), average_price=Decimal(1), currency=currency
    )
    database.write_now(lambda tx: store_snapshot(tx, "main", [holding], "file", "sync-1"))


async def test_the_bank_is_asked_once_an_hour_and_only_where_something_is_foreign(
    server: HttpSource, handler: Handler, running_task: TaskRunner, database: Database, clock: MovableClock
) -> None:
    server.script = always(xml())
    hold(database, Exchange.NSE, "INR")
    assert await run(running_task, handler) is None
    hold(database, Exchange.NYSE, "USD")
    assert await run(running_task, handler) == "ECB reference rates of 2022-12-28"
    assert await run(running_task, handler) is None
    clock.now += timedelta(hours=1)
    assert await run(running_task, handler) == "ECB reference rates of 2022-12-28"
    assert len(server.requests) == 2


async def test_a_bank_that_does_not_answer_is_told_and_stops_no_fetch(
    server: HttpSource, handler: Handler, running_task: TaskRunner, database: Database
) -> None:
    server.script = always(Reply(503))
    hold(database, Exchange.NSE, "USD")  # paid in dollars, priced in rupees
    assert await run(running_task, handler) == "None: The ECB answered 503 for the reference rates."


async def test_a_base_that_the_bank_does_not_know_is_told(
    server: HttpSource, handler: Handler, running_task: TaskRunner, database: Database
) -> None:
    server.script = always(xml(USD))
    hold(database, Exchange.NYSE, "USD")
    assert await run(running_task, handler) == "ECB reference rates of 2022-12-28, none of INR"
