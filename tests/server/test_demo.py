"""`stockdesk demo`, as a newcomer types it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from handlers.sources.sample import sample_holdings, sample_stocks
from queues.database import Database
from queues.holds import hold_queue
from queues.inspection import Interval, intervals, overlaps
from queues.model import NewTask, QueueName
from queues.store import enqueue
from server.demo import demo_findings
from server.desk import Desk, open_database
from tests.server.desks import sample_settings
from tests.server.whole import STOCKDESK, of


@dataclass(frozen=True, slots=True)
class Shown:
    exit_code: int
    text: str
    errors: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def run_demo(folder: Path, *arguments: str, **variables: str) -> Shown:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), **variables}
    ended = subprocess.run(
        [STOCKDESK, "demo", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return Shown(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a newcomer")


@pytest.fixture(scope="module")
def shown(folder: Path) -> Shown:
    return run_demo(folder, "--keep")


@pytest.fixture(scope="module")
def kept(shown: Shown, folder: Path) -> Iterator[Database]:
    """The home that the demo left behind."""
    assert shown.exit_code == 0
    (home,) = [path for path in folder.iterdir() if path.name.startswith("stockdesk-demo-")]
    database = open_database(sample_settings(home))
    yield database
    database.close()
    shutil.rmtree(home)


def test_it_succeeds_without_a_word_on_stderr(shown: Shown) -> None:
    assert (shown.exit_code, shown.errors) == (0, "")


def test_it_shows_both_accounts_and_every_holding(shown: Shown) -> None:
    for account, file in sample_holdings().items():
        rows = len(file.read_text("utf-8").splitlines()) - 1
        assert sum(line.startswith(f"{account} ") for line in shown.lines) == rows
    assert "unknown" not in shown.text


def test_it_shows_a_verdict_of_each_stock_and_who_judged(shown: Shown) -> None:
    for stock in sample_stocks():
        (line,) = [line for line in shown.lines if line.startswith(f" {stock} ")]
        assert re.search(r"(ADD|HOLD|TRIM|EXIT) +0\.\d\d +baseline +The ", line), line
    assert "Verdicts, from prices of 2022-12-28" in shown.text
    assert "AI-generated, not investment advice" in shown.text


def test_it_says_that_the_prices_are_old_and_who_judges(shown: Shown) -> None:
    introduction = " ".join(shown.text.split("portfolio_sync")[0].split())
    assert "real daily closes" in introduction
    assert "their last day, 2022-12-28" in introduction
    assert "the baseline analyst (rules over prices, no Claude)" in introduction


def test_it_ends_with_a_timeline_of_the_three_queues_and_the_promise_kept(shown: Shown) -> None:
    timeline = shown.lines[shown.lines.index("Timeline") :]
    for queue, line in zip(QueueName, timeline[1:4], strict=True):
        assert re.match(rf"{queue} .*[█▓].* \d+ tasks, ", line)
    assert "No two tasks of one queue ran at once." in timeline


def test_it_fits_a_terminal_of_80_columns(shown: Shown) -> None:
    assert max(map(len, shown.lines)) <= 80


def test_the_second_account_is_imported_while_the_stocks_of_the_first_are_at_work(kept: Database) -> None:
    attempts = kept.read_now(intervals)
    assert overlaps(attempts) == []
    second_sync = of(QueueName.PORTFOLIO_SYNC, attempts)[1]
    of_the_first = [each for each in attempts[1:] if number(each) < number(second_sync)]
    assert {each.queue for each in of_the_first} == {QueueName.DATA_FETCHER, QueueName.AI_ANALYSIS}
    assert min(each.started_at for each in of_the_first) < second_sync.started_at
    assert max(ended(each) for each in of_the_first) > ended(second_sync)


def test_sessions_run_while_prices_of_others_are_still_fetched(kept: Database) -> None:
    attempts = kept.read_now(intervals)
    first_session = of(QueueName.AI_ANALYSIS, attempts)[0]
    assert first_session.started_at < ended(of(QueueName.DATA_FETCHER, attempts)[-1])


def number(interval: Interval) -> int:
    """Tasks are numbered in the order in which they were enqueued."""
    return int(interval.task_id.partition("-")[2])


def ended(interval: Interval) -> datetime:
    assert interval.ended_at is not None
    return interval.ended_at


def test_it_leaves_nothing_behind_unless_asked_and_touches_no_home_of_the_user(tmp_path: Path) -> None:
    home = tmp_path / "mine"
    home.mkdir()
    assert run_demo(tmp_path, STOCKDESK_HOME=str(home)).exit_code == 0
    assert list(tmp_path.rglob("*")) == [home]


def test_a_setting_that_cannot_be_used_ends_it_with_one_sentence(tmp_path: Path) -> None:
    shown = run_demo(tmp_path, STOCKDESK_STOCKS_PER_SESSION="7")
    assert shown.exit_code == 1
    assert shown.errors.startswith("STOCKDESK_STOCKS_PER_SESSION = '7' cannot be used: ")
    assert shown.errors.count("\n") == 1


async def test_two_tasks_of_one_queue_at_once_are_a_finding(desk: Desk) -> None:
    now = desk.database.clock()
    second = timedelta(seconds=1)
    attempts = [
        Interval("fetch-1", QueueName.DATA_FETCHER, now, now + 2 * second),
        Interval("analysis-2", QueueName.AI_ANALYSIS, now, now + 2 * second),
        Interval("fetch-3", QueueName.DATA_FETCHER, now + second, now + 3 * second),
    ]
    found = desk.database.read_now(lambda tx: demo_findings(tx, attempts))
    assert [each.sentence for each in found] == ["fetch-1 and fetch-3 of data_fetcher ran at the same time."]


async def test_work_that_is_not_done_is_a_finding_and_so_is_a_hold(desk: Desk) -> None:
    task = NewTask(queue=QueueName.DATA_FETCHER, kind="fetch", payload={})
    desk.database.write_now(lambda tx: enqueue(tx, [task]))
    desk.database.write_now(lambda tx: hold_queue(tx, QueueName.AI_ANALYSIS, "sign_in", "Nobody signed in."))
    found = desk.database.read_now(lambda tx: demo_findings(tx, []))
    assert [each.sentence for each in found] == [
        "1 tasks of data_fetcher are queued.",
        "ai_analysis is held: Nobody signed in.",
    ]
