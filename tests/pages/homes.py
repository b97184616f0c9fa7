"""Homes whose dashboard is looked at, and the servers on them."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import start_blocking_portal

from handlers.sources.sample import sample_holdings
from queues.database import Work
from server.desk import open_desk
from server.requests import request_fetch, request_review
from tests.hosts.serve import desk_environment, look, opened
from tests.hosts.serve_http import HttpServe
from tests.server.desks import sample_settings
from tests.standins.apps_host import HttpMcp
from tests.standins.claude_scripts import always
from tests.standins.http_source import HttpSource, not_found
from tests.standins.messages_api import MessagesApi, Stalls

T = TypeVar("T")

HOLD_REASON = "The broker answers nothing before the opening bell"
# Of which no source here knows anything.
UNKNOWN = ("NSE:NOSUCH", "NSE:NOTHING")


def review_the_sample(home: Path) -> None:
    """Both accounts of the demo, judged by rules from real closes; and two fetches that failed, see `UNKNOWN`."""

    async def review() -> None:
        async with open_desk(sample_settings(home), "test") as desk:
            for account, file in sample_holdings().items():
                text = file.read_text("utf-8")
                await request_review(desk, path=None, csv_text=text, account=account, exchange=None)
            for symbol in UNKNOWN:
                await request_fetch(desk, symbols=[symbol], exchange=None, force=False)
            await desk.manager.execute_queues()

    # In a thread of its own: where a browser runs, this one has an event loop already.
    with start_blocking_portal() as portal:
        portal.call(review)


@dataclass(frozen=True, slots=True)
class Served:
    """A real `stockdesk serve --http` on the home in `folder`."""

    folder: Path
    serve: HttpServe
    mcp: HttpMcp

    @property
    def address(self) -> str:
        return self.mcp.url.removesuffix("mcp")

    @property
    def signed_in(self) -> str:
        """The address at which the page opens with the token."""
        return f"{self.address}#token={self.mcp.token}"

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return self.mcp.call(tool, **arguments)

    def queue(self, name: str) -> dict[str, Any]:
        return next(queue for queue in self.call("get_queue_status")["queues"] if queue["queue"] == name)

    def state_of(self, task_id: str) -> str:
        return self.call("get_task", task_id=task_id)["task"]["state"]

    def stored(self, work: Work[T]) -> T:
        return look(self.folder, work)

    def beside(self, work: Work[object]) -> None:
        """Write to the home as another process does."""
        with opened(self.folder) as database:
            database.write_now(work)


@contextmanager
def served(
    folder: Path, settings: Mapping[str, str] | None = None, *, api_url: str | None = None, port: int = 0
) -> Generator[Served]:
    with HttpServe(desk_environment(folder, api_url, **settings or {}), "--port", str(port)) as serve:
        serve.wait_for_stderr("This process leads")
        yield Served(folder, serve, HttpMcp(serve.url, serve.token))


@dataclass(frozen=True, slots=True)
class Busy:
    """All that a dashboard can show at once; see `busy`. The rest are ids of tasks."""

    desk: Served
    running: Mapping[str, str]
    queued: str
    failed: Sequence[str]


@contextmanager
def busy(folder: Path) -> Generator[Busy]:
    """A desk in mid-work on the reviewed home in `folder`.

    A real Claude session over KO and PG and a fetch of INFY and TCS run until the end: the stand-in of the API does
    not answer, and a price source may be asked once in a quarter of an hour. Another session and another fetch wait;
    portfolio_sync is held, with a task. AAPL and MSFT have verdicts by Claude, that is by the stand-in, the other
    stocks by rules.
    """
    with MessagesApi() as api, HttpSource(lambda _: not_found()) as prices:
        settings = {
            "STOCKDESK_PRICE_SOURCES": "sample,yahoo",
            "STOCKDESK_YAHOO_BASE_URL": prices.url,
            "STOCKDESK_REQUESTS_PER_SECOND": "0.001",
            "STOCKDESK_API_TIMEOUT_SECONDS": "600",
        }
        with served(folder, settings, api_url=api.url) as desk:
            judged = desk.call("enqueue_ai_analysis", symbols=["AAPL", "MSFT"], exchange="NASDAQ", force=True)
            desk.call("get_task", task_id=judged["run_id"], wait_seconds=50, wait_for="run")
            api.script, asked = always(Stalls()), len(api.requests)
            desk.call("hold_queue", queue="portfolio_sync", reason=HOLD_REASON)
            holdings = sample_holdings()["main"].read_text("utf-8")
            desk.call("enqueue_portfolio_sync", csv_text=holdings, account="main")
            held = ["KO", "PG", "WMT", "JNJ"]
            analyses = desk.call("enqueue_ai_analysis", symbols=held, exchange="NYSE", force=True)["task_ids"]
            fetch = desk.call("enqueue_data_fetch", symbols=["INFY", "TCS"], exchange="NSE")["run_id"]
            desk.call("enqueue_data_fetch", symbols=["SBIN", "HDFCBANK", "RELIANCE"], exchange="NSE")
            api.wait_for_requests(asked + 1)
            assert prices.wait_for_requests(1)
            failed = [task["id"] for task in desk.call("list_tasks", state=["failed"])["tasks"]]
            running = {"ai_analysis": analyses[0], "data_fetcher": fetch}
            yield Busy(desk, running, analyses[1], failed)
