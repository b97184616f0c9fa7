"""How fast the dashboard shows a full desk and its changes. `.venv/bin/python benchmarks/dashboard.py`, ten minutes

A home with 500 stocks, each with a verdict as long as it can be, and 10,000 tasks; on it a real `stockdesk serve
--http`, whose page a real Chromium opens, as a page of the browser and as an MCP App in the host of the tests. Printed
are medians and the worst, in milliseconds:
- first paint: from the navigation until the lanes and the first verdicts are painted;
- whole board: from the navigation until all 500 stocks stand on it;
- update: from the answer that tells of another process's change until the page has painted it, as the page counts it;
- longest block: of the thread of the page, in which it hears no click, while an update or a changed verdict came in.
  0 is less than 50 ms, the least that Chromium tells of; a median may lie between that and one that it told of.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from playwright.sync_api import Browser, Frame, Page, expect

from benchmarks.machine import describe
from handlers.facts import current_facts
from handlers.stocks import Stock
from handlers.verdict import Analyst
from handlers.verdicts import store_verdict
from queues.database import Transaction
from queues.holds import hold_queue
from queues.model import QueueName
from queues.store import enqueue, find_task
from tests.hosts.serve import opened
from tests.pages.chromium import launched
from tests.pages.homes import Served, served
from tests.server.seeding import fetches, hold_all, judge_all, know_all, many_stocks, run_tasks, syncs, wordy
from tests.standins.apps_host import AppsHost

FIRST_PAINT_MS, UPDATE_MS = 1_000, 100
PATIENCE_MS = 120_000
TASKS, QUEUED = 10_000, 100
STOCKS = many_stocks(500)
# Before the page's own script: what a person sees, counted without it; and each update that it counts itself.
WATCH = """
const watched = window.watched = { updates: [], longest: 0 }
const afterPaint = (then) => requestAnimationFrame(() => setTimeout(then))
const appears = new MutationObserver(() => {
  const rows = document.querySelectorAll("[data-testid^=verdict-]").length
  if (rows && document.querySelector("[data-testid^=lane-]") && !("painted" in watched)) {
    watched.painted = null
    afterPaint(() => { watched.painted = performance.now() })
  }
  if (rows < STOCKS) return
  appears.disconnect()
  afterPaint(() => { watched.whole = performance.now() })
})
appears.observe(document, { childList: true, subtree: true })
new MutationObserver(() => watched.updates.push(+document.documentElement.dataset.updated)).observe(
  document, { subtree: true, attributeFilter: ["data-updated"] })
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) watched.longest = Math.max(watched.longest, duration)
}).observe({ type: "longtask" })
""".replace("STOCKS", str(len(STOCKS)))

Open: TypeAlias = Callable[[Page], Frame]
"""Opens the dashboard in a page, and gives the frame in which it is."""


class Figures(NamedTuple):
    name: str
    values: Sequence[float]
    at_most: float | None = None

    @property
    def is_met(self) -> bool:
        return self.at_most is None or statistics.median(self.values) <= self.at_most

    def __str__(self) -> str:
        target = "" if self.at_most is None else f"   at most {self.at_most:,}"
        return f"  {self.name:32}{statistics.median(self.values):8,.0f}{max(self.values):8,.0f}{target}"


def fill(folder: Path) -> None:
    def judge(tx: Transaction) -> None:
        hold_all(tx, STOCKS)
        know_all(tx, STOCKS)
        judge_all(tx, STOCKS)

    def finish(tx: Transaction) -> None:
        run_tasks(tx, QueueName.PORTFOLIO_SYNC, syncs(400), [])
        run_tasks(tx, QueueName.DATA_FETCHER, fetches(STOCKS), [])

    def wait(tx: Transaction) -> None:
        for queue in QueueName:
            hold_queue(tx, queue, "benchmark", "Nothing may run")
        enqueue(tx, syncs(QUEUED))

    with opened(folder) as database:
        database.write_now(judge)
        for _ in range((TASKS - QUEUED) // (400 + len(STOCKS) // 10)):
            database.write_now(finish)
        database.write_now(wait)


def in_a_browser(desk: Served) -> Open:
    def open_(page: Page) -> Frame:
        page.goto(desk.signed_in)
        return page.main_frame

    return open_


def in_a_host(host: AppsHost) -> Open:
    def open_(page: Page) -> Frame:
        page.goto(host.url)
        frame = page.frame(url="**/view")
        assert frame is not None
        return frame

    return open_


def measure(browser: Browser, desk: Served, open_: Open, stocks: Sequence[Stock]) -> list[Figures]:
    paints: list[float] = []
    boards: list[float] = []
    for _ in stocks:
        with browser.new_context() as context:
            context.add_init_script(WATCH)
            frame = open_(context.new_page())
            until(frame, "watched.whole")
            paints.append(frame.evaluate("watched.painted"))
            boards.append(frame.evaluate("watched.whole"))
    with browser.new_context() as context:
        context.add_init_script(WATCH)
        frame = open_(context.new_page())
        until(frame, "watched.whole")
        updates = [change(frame, desk, f"Until {stock} is judged") for stock in stocks]
        verdicts = [judge_anew(frame, desk, stock) for stock in stocks]
    return [
        Figures("first paint", paints, FIRST_PAINT_MS),
        Figures("whole board", boards),
        Figures("update", [took for took, _ in updates], UPDATE_MS),
        Figures("longest block in an update", [block for _, block in updates], UPDATE_MS),
        Figures("longest block, changed verdict", verdicts, UPDATE_MS),
    ]


def until(frame: Frame, expression: str) -> None:
    """Playwright's own way would have the page evaluate a string, which its policy forbids."""
    frame.evaluate(f"async () => {{ while (!{expression}) await new Promise(look => setTimeout(look, 20)) }}")


def change(frame: Frame, desk: Served, reason: str) -> tuple[float, float]:
    """Hold a queue for another reason; the milliseconds of the update that shows it, and of the longest block."""
    frame.evaluate("watched.longest = 0, watched.updates = []")
    desk.beside(lambda tx: hold_queue(tx, QueueName.AI_ANALYSIS, "benchmark", reason))
    lane = frame.get_by_test_id("lane-ai_analysis")
    expect(lane).to_contain_text(reason, timeout=PATIENCE_MS)
    until(frame, "watched.updates.length")
    return tuple(frame.evaluate("[watched.updates.at(-1), watched.longest]"))


def judge_anew(frame: Frame, desk: Served, stock: Stock) -> float:
    """Let a stock have a new verdict; the milliseconds of the longest block until the board shows it."""
    frame.evaluate("watched.longest = 0")

    def judge(tx: Transaction) -> None:
        facts = current_facts(tx, stock)
        submission = wordy(stock, facts).model_copy(update={"action": "EXIT"})
        task = find_task(tx, "sync-2")  # another one than that of the verdict before
        store_verdict(tx, task, stock, submission, facts, analyst=Analyst.BASELINE)

    desk.beside(judge)
    row = frame.get_by_test_id(f"verdict-{stock}")
    expect(row).to_contain_text("EXIT", timeout=PATIENCE_MS)
    return frame.evaluate("watched.longest")


def main() -> int:
    parser = argparse.ArgumentParser(description="First paint and updates of the dashboard on a full home.")
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("chromium is not on PATH; install it: apt-get install chromium")
    is_met = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder)
        with served(folder) as desk, AppsHost(desk.mcp) as host, launched(Path(program)) as browser:
            print(f"{describe('mcp', 'playwright')}, Chromium {browser.version}")
            print(f"{len(STOCKS)} stocks with verdicts, {TASKS:,} tasks; of {rounds}, in ms: median, worst")
            for place, open_, stocks in (
                ("in a browser", in_a_browser(desk), STOCKS[:rounds]),
                ("as an MCP App", in_a_host(host), STOCKS[-rounds:]),
            ):
                print(place, flush=True)
                for figures in measure(browser, desk, open_, stocks):
                    print(figures, flush=True)
                    is_met &= figures.is_met
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
