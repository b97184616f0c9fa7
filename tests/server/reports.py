"""A desk to report on: two stocks that are held and judged, one without data, and texts that try to be markup."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from math import sin
from pathlib import Path

from handlers.ai_analysis import analysis_task
from handlers.analyst.costs import Spent, close_session, open_session
from handlers.audit import store_inputs, store_refusal
from handlers.benchmarks import BENCHMARKS
from handlers.brokers.holding import Holding
from handlers.facts import NewFact, current_facts, store_facts
from handlers.portfolio import store_snapshot
from handlers.prices import log_fetched, log_missing, store_bars
from handlers.sources.base import Bar
from handlers.stocks import Exchange, Stock
from handlers.verdict import Analyst, VerdictSubmission
from handlers.verdicts import store_verdict
from queues.database import Transaction
from queues.model import Task
from queues.moments import to_micros
from queues.store import enqueue
from server.desk import desk_clock, make_folders, open_database
from server.report.content import Report
from server.report.gathering import gather
from server.settings import Settings
from tests.server.desks import SAMPLE_DAY, sample_settings

APPLE = Stock("AAPL", Exchange.NASDAQ)
MAHINDRA = Stock("M&M", Exchange.NSE)
LOST = Stock("LOST", Exchange.NYSE)
SPY = BENCHMARKS["USD"]

BAIT = "<img src=x onerror=alert(1)> *b* [l](http://evil.example) | `c` &lt;i&gt; http://evil.example"
HIDDEN = "safe\u202eefas\x1b[2J\u2066"
FORMULA = '=HYPERLINK("http://evil.example")'
WEB, SCRIPT = "https://news.example/a?b=1&copy=<2>", "javascript:alert(1)"


def bars(first: float, swing: float) -> list[Bar]:
    """Every third day of the year before the sample's last."""
    days = (SAMPLE_DAY - timedelta(days=age) for age in range(360, -1, -3))
    return [Bar(day=day, close=first + swing * sin(number / 7)) for number, day in enumerate(days)]


APPLE_BARS, SPY_BARS = bars(150.0, 23.456), bars(400.0, 31.4159)


def fill(tx: Transaction) -> None:
    """The newest facts of AAPL are not those that its verdict cites."""
    task = enqueue(tx, [analysis_task([APPLE, MAHINDRA])])[0].task
    store_snapshot(tx, "main", [_held(APPLE, "USD"), _held(LOST, "USD")], "generic export a.csv", "sync-1")
    store_snapshot(tx, BAIT, [_held(MAHINDRA, "INR"), _held(APPLE, "USD")], BAIT, "sync-2")
    store_snapshot(tx, "third", [_held(APPLE, "EUR")], "generic export c.csv", "sync-3")
    store_bars(tx, APPLE, APPLE_BARS, "test")
    store_bars(tx, SPY, SPY_BARS, "test")
    store_bars(tx, MAHINDRA, APPLE_BARS[-1:], "test")
    for stock in (APPLE, MAHINDRA):
        log_fetched(tx, stock, "test", SAMPLE_DAY, "fetch-1")
        store_facts(tx, stock, _facts(stock, rsi=55.5))
    log_missing(tx, LOST, BAIT, SAMPLE_DAY, "fetch-1")
    _judge(tx, task, APPLE, before=True)
    _judge(tx, task, MAHINDRA)
    store_facts(tx, APPLE, _facts(APPLE, rsi=61.25))
    tx.run(
        "INSERT INTO outcomes (verdict, weeks, day, close, return, benchmark_return, filled_at)"
        " SELECT max(verdict), 4, day, close, -0.0345, 0.0123, :now FROM starts",
        now=tx.micros,
    )
    _publish(tx, APPLE, "Results", WEB)
    _publish(tx, APPLE, BAIT, SCRIPT)


def filled_home(home: Path) -> Settings:
    settings = sample_settings(home)
    make_folders(settings)
    with closing(open_database(settings)) as database:
        database.write_now(fill)
    return settings


def gathered(settings: Settings) -> Report:
    with closing(open_database(settings)) as database:
        return database.read_now(lambda tx: gather(tx, settings, desk_clock(settings)()))


def _held(stock: Stock, currency: str) -> Holding:
    return Holding(
        stock=stock,
        quantity=Decimal("10.5"),
        average_price=Decimal("101.25"),
        currency=currency,
        name=FORMULA if stock == MAHINDRA else f"{stock.symbol} & Co",
        sector=BAIT if stock == MAHINDRA else "IT",
    )


def _facts(stock: Stock, rsi: float) -> list[NewFact]:
    numbers = {
        "last_close": (APPLE_BARS[-1].close, stock.exchange.currency),
        "return_1y": (-12.3456789, "percent"),
        "rsi_14": (rsi, "points"),
        "revenue_ttm": (394_328_000_000.0, stock.exchange.currency),
        "debt_to_equity": (0.004567, "ratio"),
    }
    return [
        NewFact(name=name, value=value, unit=unit, as_of=SAMPLE_DAY, source=BAIT, inputs=HIDDEN)
        for name, (value, unit) in numbers.items()
    ]


def _judge(tx: Transaction, task: Task, stock: Stock, *, before: bool = False) -> None:
    """By Claude; `before` that, rules judged it in another way."""
    facts = current_facts(tx, stock)
    if before:
        earlier = enqueue(tx, [analysis_task([stock])])[0].task
        store_verdict(
            tx, earlier, stock, _submission(stock, "HOLD", facts[2].id), facts, analyst=Analyst.BASELINE
        )
    session = f"session-{stock.symbol}"
    open_session(tx, task, session, model=BAIT, stocks=[stock], prompt_version="abc123")
    close_session(
        tx,
        session,
        ended_as="Completed",
        detail="",
        spent=Spent(cost_usd=0.125),
        duration=timedelta(minutes=1),
    )
    store_refusal(tx, session, stock, BAIT)
    store_verdict(
        tx,
        task,
        stock,
        _submission(stock, "EXIT", facts[2].id, facts[4].id),
        facts,
        analyst=Analyst.CLAUDE,
        session_id=session,
        model=BAIT,
        inputs=store_inputs(tx, stock.symbol.ljust(64), {"facts": [], "texts": [{"id": "t1"}]}),
    )


def _submission(stock: Stock, action: str, *facts: str) -> VerdictSubmission:
    """Not validated, as if the border had let everything through."""
    sound = VerdictSubmission.model_validate(
        {
            "symbol": str(stock),
            "action": action,
            "conviction": 0.62,
            "horizon_months": 9,
            "thesis": "A thesis that is long enough to be let in by the border.",
            "evidence": [
                {"claim": "It stands there.", "fact_id": facts[0], "value": 55.5, "unit": "points"},
                *(
                    {
                        "claim": "Less of that.",
                        "fact_id": facts[0],
                        "value": 55.4954,
                        "unit": "points",
                        "operation": "difference",
                        "other_fact_id": other,
                    }
                    for other in facts[1:]
                ),
            ],
            "bull_points": ["It grows."],
            "bear_points": ["It falls."],
            "risks": ["It may turn."],
            "would_change_view": ["Another number."],
            "catalysts": [{"what": "Results.", "date": "2023-02-02"}],
        }
    )
    return sound.model_copy(
        update={"thesis": f"{BAIT} {HIDDEN}", "bull_points": [BAIT], "risks": [f"# {BAIT}"]}
    )


def _publish(tx: Transaction, stock: Stock, title: str, url: str) -> None:
    """As no source can, because what it gives is cleaned."""
    tx.run(
        "INSERT INTO texts (symbol, exchange, kind, title, body, source, url, published_at, fetched_at)"
        " VALUES (:symbol, :exchange, 'news', :title, 'Text.', :source, :url, :at, :at)",
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        title=title,
        source=BAIT,
        url=url,
        at=to_micros(datetime(2022, 12, 27, tzinfo=UTC)),
    )


@dataclass(slots=True)
class Element:
    tag: str
    attributes: Mapping[str, str]
    parts: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())


class Page(HTMLParser):
    """The elements of a page in their order, each with all the text in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag != "meta":
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.parts.append(data)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Those with the tag and attributes, `data_x` for data-x; "" stands for any value."""
        return list(self._found(tag, {name.replace("_", "-"): value for name, value in attributes.items()}))

    def _found(self, tag: str, wanted: Mapping[str, str]) -> Iterator[Element]:
        for element in self.elements:
            own = element.attributes
            if element.tag == tag and all(
                name in own and value in ("", own[name]) for name, value in wanted.items()
            ):
                yield element
