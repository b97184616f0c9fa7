"""The three queues as lanes: what each does now, what comes next and why not yet, and what needs somebody."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from queues.model import TaskState
from server.dashboard.view import DashboardView, UpcomingView
from server.rendering.commands import in_commands
from server.rendering.console import QUEUES, STATES, elapsed, moment
from server.titles import title
from server.views import HoldView, LeaderView, QueueView, StatusView, TaskView

BAR_CELLS = 20
# A line or two of each lane, its hold, and the sentences below.
LINES_BESIDE_NEXT = 15


def next_that_fit(height: int) -> int:
    """How many next tasks of each queue a terminal of so many lines has room for."""
    return max(1, (height - LINES_BESIDE_NEXT) // len(QUEUES))


def lanes(view: DashboardView, most_next: int = 3) -> RenderableType:
    """With at most `most_next` next tasks of each queue. Ids and stocks are folded, never cut."""
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for queue in view.status.queues:
        name = Text(queue.queue, QUEUES[queue.queue])
        upcoming = [each for each in view.upcoming if each.queue is queue.queue]
        for word, what in _lane(queue, upcoming[:most_next], view.now):
            grid.add_row(name, word, what)
            name = Text()
    return Group(grid, *_sentences(view.status))


def _lane(
    queue: QueueView, upcoming: Sequence[UpcomingView], now: datetime
) -> Iterator[tuple[Text, RenderableType]]:
    """Rows of a word and what it is about."""
    yield Text(queue.state, STATES.get(queue.state, "")), _counts(queue)
    if queue.running is not None:
        yield Text("now"), _task(queue.running.id, title(queue.running.kind, queue.running.payload))
        yield Text(), _progress(queue.running, now)
    for hold in queue.holds:
        yield Text("hold", STATES["held"]), _hold(hold)
    word = "next"
    for each in upcoming:
        yield Text(word), _task(each.task_id, each.title).append(_why_not_yet(each))
        word = ""


def _counts(queue: QueueView) -> Text:
    counts: Mapping[TaskState, int] = {**queue.counts, TaskState.RUNNING: 0}
    counted = Text(", ").join(
        Text(f"{count} {state}", STATES[state] if state is TaskState.FAILED else "")
        for state, count in counts.items()
        if count
    )
    end = queue.estimated_finish
    ends = "" if end is None else f"; ends about {moment(end, year=False)}"
    return (counted or Text("no tasks")).append(ends)


def _task(task_id: str, about: str) -> Text:
    return Text.assemble((task_id, "bold"), f"  {about}")


def _progress(task: TaskView, now: datetime) -> RenderableType:
    for_so_long = "" if task.started_at is None else elapsed(now - task.started_at)
    if task.progress is None:
        return Text(for_so_long)
    done, total, message = task.progress.done, task.progress.total, task.progress.message
    row = Table.grid(padding=(0, 1, 0, 0))
    words = Text(f"{done}/{total}  {for_so_long}  {message}", overflow="fold")
    row.add_row(ProgressBar(total, done, BAR_CELLS, complete_style=QUEUES[task.queue]), words)
    return row


def _hold(hold: HoldView) -> Text:
    end = "released" if hold.until is None else moment(hold.until, year=False)
    return Text(f"until {end} ({hold.source}): {hold.reason}")


def _why_not_yet(each: UpcomingView) -> str:
    """What keeps it back beside the state of its queue, which stands above."""
    waiting = each.waiting_for
    if waiting is None or waiting.on in ("turn", "hold"):
        return ""
    until = "" if waiting.until is None else f", until {moment(waiting.until, year=False)}"
    return f"; waits for {in_commands(waiting.what)}{until}"


def _sentences(status: StatusView) -> Iterator[Text]:
    if status.leader is not None and (led := _led(status.leader)):
        yield Text(led)
    yield Text(in_commands(status.message))
    if status.today.message not in status.message:
        yield Text(status.today.message)


def _led(leader: LeaderView) -> str:
    """Empty where `message` says what is wrong with it."""
    if not leader.leads or leader.responds is False:
        return ""
    return f"Led by {leader.command} (pid {leader.pid}) since {moment(leader.since)}."
