"""What the command line prints, in a terminal of 80 columns."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console, RenderableType

from queues.inspection import Interval
from queues.model import QueueName, TaskState
from server.rendering import settings_list, status_table, timeline
from server.settings import SettingOrigin
from server.views import LeaderView, ProgressView, QueueView, SpentToday, StatusView, TaskView

NOW = datetime(2026, 11, 24, 5, 11, tzinfo=UTC)


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
        payload={},
        result=None,
        error=None,
    )


def busy(queue: QueueName) -> QueueView:
    return QueueView(
        queue=queue,
        state="running",
        holds=[],
        running=running_task(queue),
        counts=dict.fromkeys(TaskState, 99_999),
        waiting_for_approval=0,
        oldest_wait_seconds=1.5,
        estimated_finish=NOW,
    )


def test_the_status_of_a_busy_desk_fits_and_cuts_nothing() -> None:
    leader = LeaderView(pid=42, command="worker", since=NOW, leads=True, is_this_process=False)
    status = StatusView(
        queues=[busy(queue) for queue in QueueName],
        leader=leader,
        analyst="claude",
        today=SpentToday(spent_usd=0, at_most_usd=0, budget_usd=20, left_usd=20, next_day_at=NOW, message=""),
        message="All is well.",
    )
    text = printed(status_table(status))
    for queue in QueueName:
        assert f"{queue} " in text
    assert text.count("analysis-12345 10/10") == 3
    assert text.count("99999") == 9
    assert "…" not in text
    assert "Led by worker (pid 42) since " in text
    assert text.rstrip().endswith("All is well.")


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
