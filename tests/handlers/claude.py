"""A desk whose Claude is the real CLI before a stand-in of its API."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from handlers.ai_analysis import AnalystSettings, ai_analysis
from handlers.facts import NewFact, store_facts
from handlers.freshness import expected_session
from handlers.planning import fetch_then_analyse
from handlers.prices import log_fetched, log_missing
from handlers.stocks import Exchange, Stock
from queues.context import TaskContext
from queues.database import Database, Transaction
from queues.model import NewTask
from queues.outcome import Completed, Outcome
from tests.standins.messages_api import MessagesApi

INFY = Stock("INFY", Exchange.NSE)
TCS = Stock("TCS", Exchange.NSE)
WIPRO = Stock("WIPRO", Exchange.NSE)
AS_OF = date(2022, 12, 28)


def new_facts(shift: float = 0.0) -> list[NewFact]:
    """`shift` keeps the numbers of two stocks apart."""
    numbers = [
        ("last_close", 1503.4567 + shift, "INR"),
        ("return_3m", -5.25 + shift, "percent"),
        ("rsi_14", 44.1234 + shift, "points"),
    ]
    return [
        NewFact(name=name, value=value, unit=unit, as_of=AS_OF, source="sample")
        for name, value, unit in numbers
    ]


def know(database: Database, *stocks: Stock) -> None:
    """Store three facts of each of these stocks, as a fetch of the last session does."""

    def store(tx: Transaction) -> None:
        for shift, stock in enumerate(stocks):
            store_facts(tx, stock, new_facts(shift * 7))
            log_fetched(tx, stock, "sample", expected_session(tx.now, stock.exchange), "fetch-0")

    database.write_now(store)


def lack(database: Database, *stocks: Stock, why: str = "Nobody has it.") -> None:
    """Log that the last session of these stocks was asked for in vain."""

    def store(tx: Transaction) -> None:
        for stock in stocks:
            log_missing(tx, stock, why, expected_session(tx.now, stock.exchange), "fetch-0")

    database.write_now(store)


def payload(*stocks: Stock) -> dict[str, Any]:
    return {"stocks": [str(stock) for stock in stocks]}


def until(predicate: Callable[[], bool], limit: float = 10.0) -> None:
    """Return as soon as `predicate` holds; fail where it never does."""
    deadline = time.monotonic() + limit
    while not predicate():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie, which only waits to be reaped, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def launched_pid(folder: Path) -> int:
    """The process id of the one session that runs in this folder."""
    [file] = folder.glob("*/pid")
    return int(file.read_text(encoding="utf-8"))


def processes_that_name(session_id: str) -> list[str]:
    """The command lines, of living processes other than this one, in which the session's id stands."""
    lines: list[str] = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended in between
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if session_id in line]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesApi]:
    """The stand-in, and an environment in which the CLI talks to it and to nobody else."""
    for name in [name for name in os.environ if name.startswith(("CLAUDE", "ANTHROPIC"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "claude home"
    home.mkdir()
    with MessagesApi() as standin:
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home / ".claude"))
        monkeypatch.setenv("ANTHROPIC_BASE_URL", standin.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "dummy")
        yield standin


@pytest.fixture
def claude(tmp_path: Path) -> AnalystSettings:
    return AnalystSettings(analyst="claude", model="claude-sonnet-4-5", folder=tmp_path / "the sessions")


@pytest.fixture
def baseline(claude: AnalystSettings) -> AnalystSettings:
    return replace(claude, analyst="baseline")


async def analyse(ctx: TaskContext, settings: AnalystSettings) -> Outcome:
    return await ai_analysis(settings, lambda: ctx.now, fetch_then_analyse)(ctx)


def follow_ups(database: Database, outcome: Outcome) -> list[NewTask]:
    """The tasks that would be enqueued with the completion."""
    assert isinstance(outcome, Completed)
    on_record = outcome.on_record
    return [] if on_record is None else list(database.read_now(on_record))
