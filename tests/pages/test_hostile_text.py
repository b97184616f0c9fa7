"""Whatever a text holds that somebody else wrote, it stays text: in a browser, and in a host whose policy is laxer."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date

import pytest
from playwright.sync_api import Locator, expect

from handlers.audit import store_inputs, store_refusal
from handlers.facts import NewFact, current_facts, store_facts
from handlers.stocks import Exchange, Stock
from handlers.verdict import Analyst, VerdictSubmission
from handlers.verdicts import POINTS, store_verdict
from queues.context import store_progress
from queues.database import Transaction
from queues.holds import hold_queue
from queues.model import NewTask, Progress, QueueName, Task
from queues.store import enqueue, find_task
from tests.pages.conftest import OpenPage
from tests.pages.homes import UNKNOWN, Busy
from tests.standins.apps_host import AppsHost

# What the page shows of each text is this; behind it stand characters that turn or hide what is beside them.
MARKUP = """<img src=x onerror="alert(1)"><script>alert(2)</script></title>'{{7*7}}"""
UNSEEN = "\u202eEVIL\u202c\x1b[31m\x07"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
STOCK = Stock("PFE", Exchange.NYSE)
FOREIGN = """page => [...page.querySelectorAll("*")].filter(each =>
    each.matches("img, iframe, object, embed, :not(body) > script, script ~ script") ||
    [...each.attributes].some(({name}) => name.startsWith("on"))).map(each => each.outerHTML)"""
ATTRIBUTES = """page => [...page.querySelectorAll("*")].flatMap(each => [...each.attributes]).map(({value}) => value)"""


def bait(place: str) -> str:
    return f"{place} {MARKUP}{UNSEEN}"


def shown(view: Locator, *places: str) -> None:
    for place in places:
        expect(view.get_by_text(f"{place} {MARKUP}").first).to_be_visible()


@pytest.fixture(scope="module")
def baited(work: Busy) -> Busy:
    def write(tx: Transaction) -> None:
        judge(tx, find_task(tx, work.running["data_fetcher"]))
        hold_queue(tx, QueueName.AI_ANALYSIS, "tests", bait("hold"))
        waits = NewTask(queue=QueueName.PORTFOLIO_SYNC, kind="sync", payload={"account": bait("account")})
        enqueue(tx, [waits])
        store_progress(tx, find_task(tx, work.running["ai_analysis"]), Progress(1, 2, bait("progress")))
        tx.run("UPDATE tasks SET error = :error WHERE id = :id", error=bait("error"), id=work.failed[0])
        tx.run(
            "UPDATE attempts SET detail = :detail WHERE task_seq = (SELECT seq FROM tasks WHERE id = :id)",
            detail=bait("attempt"),
            id=work.failed[0],
        )

    work.desk.beside(write)
    return work


def judge(tx: Transaction, task: Task) -> None:
    """Store a verdict all of whose texts are baits, as if a session of another stock had submitted it."""
    fact = NewFact(
        name=bait("fact"),
        value=1.5,
        unit="USD",
        as_of=date(2022, 12, 28),
        source=bait("source"),
        inputs=bait("computed"),
    )
    store_facts(tx, STOCK, [fact])
    facts = [each for each in current_facts(tx, STOCK) if each.name == fact.name]
    [[session]] = tx.rows("SELECT session_id FROM sessions LIMIT 1")
    tx.run("UPDATE sessions SET model = :model WHERE session_id = :id", model=bait("model"), id=session)
    store_refusal(tx, session, STOCK, bait("refusal"))
    news = {"kind": "news", "date": "2022-12-28", "source": bait("feed"), "title": bait("title")}
    given = [{**asdict(fact), "id": facts[0].id, "as_of": "2022-12-28"}]
    inputs = store_inputs(
        tx, "0" * 64, {"facts": given, "texts": [{"id": "t1", **news, "text": bait("text")}]}
    )
    store_verdict(
        tx,
        task,
        STOCK,
        submission(facts[0].id),
        facts,
        analyst=Analyst.CLAUDE,
        session_id=session,
        model="sonnet",
        inputs=inputs,
    )


def submission(fact_id: str) -> VerdictSubmission:
    evidence = {"claim": bait("claim"), "fact_id": fact_id, "value": 1.5, "unit": "USD"}
    texts = {name: [bait(name)] for name in POINTS}
    rest = {"symbol": str(STOCK), "action": "HOLD", "conviction": 0.5, "horizon_months": 12}
    return VerdictSubmission.model_validate(
        {
            **rest,
            **texts,
            "thesis": bait("thesis"),
            "evidence": [evidence],
            "catalysts": [{"what": bait("catalyst")}],
        }
    )


@pytest.fixture(params=["browser", "host"])
def view(request: pytest.FixtureRequest, baited: Busy, open_page: OpenPage) -> Iterator[Locator]:
    """The document with the dashboard."""
    if request.param == "browser":
        yield open_page(baited.desk.signed_in).locator("html")
    else:
        with AppsHost(baited.desk.mcp) as host:
            yield open_page(host.url).frame_locator("iframe").locator("html")


def test_texts_of_others_stay_text_everywhere(view: Locator) -> None:
    shown(view, "thesis", "hold", "account", "progress", "error")
    is_harmless(view)
    drill = view.get_by_test_id("drill")
    view.get_by_test_id(f"verdict-{STOCK}").click()
    drill.get_by_test_id("evidence-0").wait_for()
    drill.evaluate("drill => drill.querySelectorAll('details').forEach(each => { each.open = true })")
    shown(drill, "thesis", "claim", "fact", "source", "computed", "catalyst", "model", "refusal", *POINTS)
    for place in ("feed", "title", "text"):
        expect(drill).to_contain_text(f"{place} {MARKUP}")
    is_harmless(view)
    drill.get_by_role("button", name="Close").click()
    view.get_by_role("button", name=UNKNOWN[-1]).click()
    shown(drill, "error", "attempt")
    is_harmless(view)


def is_harmless(view: Locator) -> None:
    """Whatever would have run has had its time: the page has shown itself, and answered, since it was written."""
    assert view.evaluate(FOREIGN) == []
    for text in [view.inner_text(), *view.evaluate(ATTRIBUTES)]:
        assert CONTROLS.search(text) is None
