"""What the command line prints, in a terminal of 80 columns."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from handlers.analyst.troubles import RELEASE
from queues.inspection import Interval
from queues.model import QueueName, TaskState
from server.cli.progress import counted
from server.dashboard.view import BoardView, DashboardView, UpcomingView
from server.rendering.commands import in_commands
from server.rendering.console import QUEUES, escaped, moment, new_console, readable
from server.rendering.lanes import lanes
from server.rendering.tables import settings_list, timeline
from server.settings import SettingOrigin
from server.views import (
    HoldView,
    LeaderView,
    ProgressView,
    QueueView,
    SpentToday,
    StatusView,
    TaskView,
    WaitingView,
)

NOW = datetime(2026, 11, 24, 5, 11, tzinfo=UTC)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(what: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def running_task(queue: QueueName) -> TaskView:
    return TaskView(
        id="analysis-12345",
        run_id="sync-1",
        queue=queue,
        kind="analyse",
        state=TaskState.RUNNING,
        priority=0,
        attempt=1,
        enqueued_at=NOW,
        due_at=NOW,
        started_at=NOW,
        finished_at=None,
        progress=ProgressView(done=10, total=10, message=""),
        waiting_for=None,
        payload={"stocks": ["NSE:INFY"]},
        result=None,
        error=None,
    )


def busy(queue: QueueName) -> QueueView:
    hold = HoldView(source="user", reason="Not now.", held_at=NOW, until=None)
    return QueueView(
        queue=queue,
        state="running",
        holds=[hold],
        running=running_task(queue),
        counts=dict.fromkeys(TaskState, 99_999),
        waiting_for_approval=0,
        oldest_wait_seconds=1.5,
        estimated_finish=NOW,
    )


def waiting(queue: QueueName, what: str) -> UpcomingView:
    return UpcomingView(
        task_id=f"{queue}-99999",
        queue=queue,
        title="NSE:LONGESTSYMBOLOF00001, NSE:LONGESTSYMBOLOF00002",
        waiting_for=WaitingView(on="tasks", what=what, until=None),
    )


def dashboard(*queues: QueueView, upcoming: list[UpcomingView]) -> DashboardView:
    today = SpentToday(
        spent_usd=0, at_most_usd=0, budget_usd=20, left_usd=20, next_day_at=NOW, message="$0.00 of $20."
    )
    leader = LeaderView(pid=42, command="worker", since=NOW, leads=True, is_this_process=False)
    return DashboardView(
        now=NOW + timedelta(seconds=65),
        day=NOW.date(),
        status=StatusView(
            queues=list(queues), leader=leader, analyst="claude", today=today, message="All is well."
        ),
        upcoming=upcoming,
        recent=[],
        troubles=[],
        board=BoardView(stocks=0, actions={}, analysts={}, newest_at=None, oldest_as_of=None),
    )


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("2 tasks failed; list_tasks shows why.", "2 tasks failed; `stockdesk tasks` shows why."),
        ("release_queue(ai_analysis, include_old=true)", "`stockdesk release ai_analysis --include-old`"),
        ("release_queue with include_old lets it", "`stockdesk release` with --include-old lets it"),
        ("find_stocks finds it.", "Claude's find_stocks finds it."),
        ("portfolio_sync of analysis-1: asked_at", "portfolio_sync of analysis-1: asked_at"),
        (f"Add credit, {RELEASE}.", f"Add credit, {RELEASE}."),
    ],
)
def test_a_sentence_names_the_command_where_it_named_a_tool(sentence: str, shown: str) -> None:
    assert in_commands(sentence) == shown


def test_the_lanes_of_a_busy_desk_fit_and_cut_nothing() -> None:
    upcoming = [waiting(queue, f"the end of task-{number}") for queue in QueueName for number in range(5)]
    text = printed(lanes(dashboard(*map(busy, QueueName), upcoming=upcoming), most_next=2))
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    for queue in QueueName:
        assert f"{queue} running 99999 queued, 99999 completed, 99999 failed" in words
        assert words.count(f"{queue}-99999 NSE:LONGESTSYMBOLOF00001, NSE:LONGESTSYMBOLOF00002") == 2
    assert words.count("analysis-12345 NSE:INFY") == 3
    assert words.count("10/10 0:01:05") == 3
    assert words.count("hold until released (user): Not now.") == 3
    assert words.count("waits for the end of task-1") == 3
    assert "…" not in words
    assert words.endswith("Led by worker (pid 42) since 2026-11-24 05:11. All is well. $0.00 of $20.")


def test_a_text_that_a_terminal_would_obey_is_shown_as_text_and_a_moment_in_the_zone_of_the_desk() -> None:
    hold = HoldView(source="user", reason="\x1b[2J\x9b\u202e\r\nnext \u200d[bold]", held_at=NOW, until=None)
    shown = readable(hold, ZoneInfo("Asia/Kolkata"))
    assert shown.reason == "\\u001b[2J\\u009b\\u202e next \u200d[bold]"
    assert moment(shown.held_at) == "2026-11-24 10:41"
    assert json.loads(escaped(hold.model_dump_json(indent=2)))["reason"] == hold.reason


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch, no_color: str) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    new_console().print(Text("fetch-1", QUEUES[QueueName.DATA_FETCHER]))
    assert terminal.getvalue() == ("fetch-1\n" if no_color else "\x1b[36mfetch-1\x1b[0m\n")


def test_a_bar_is_drawn_on_a_terminal_and_gone_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with counted("stocks") as progress:
        progress(3, 10)
    drawn = terminal.getvalue()
    assert "3/10" in drawn
    assert drawn.endswith("\x1b[2K")


def test_no_bar_is_drawn_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with counted("stocks") as progress:
        progress(3, 10)
    assert capsys.readouterr() == ("", "")


def test_a_setting_is_never_cut(tmp_path: Path) -> None:
    rows = [SettingOrigin("STOCKDESK_HOME", f"{tmp_path}/{'x' * 100}", "default", "Folder.")]
    assert f"STOCKDESK_HOME = {rows[0].value}  (default)" in printed(settings_list(rows)).replace("\n", "")


def test_the_timeline_has_a_lane_per_queue_with_its_tasks_one_after_the_other() -> None:
    second = timedelta(seconds=1)
    attempts = [
        Interval("fetch-1", QueueName.DATA_FETCHER, NOW, NOW + 2 * second),
        Interval("fetch-2", QueueName.DATA_FETCHER, NOW + 2 * second, NOW + 4 * second),
        Interval("analysis-3", QueueName.AI_ANALYSIS, NOW + 2 * second, NOW + 4 * second),
        Interval("analysis-4", QueueName.AI_ANALYSIS, NOW + 4 * second, None),
    ]
    sync, fetch, analysis, axis = printed(timeline(attempts)).splitlines()[1:]
    assert "0 tasks" in sync
    assert ("█" * 20 + "▓" * 20) in fetch
    assert fetch.rstrip().endswith("2 tasks, 4.0 s")
    assert analysis.index("█") == fetch.index("▓")
    assert axis.strip() == "0 to 4.0 s; the tasks add up to 6.0 s"


def test_nothing_run_is_no_timeline() -> None:
    assert printed(timeline([])).strip() == "Nothing has run."
