"""What the dashboard shows: as numbers for the page, and in words for whoever shows no page."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TypeVar

from pydantic import BaseModel

from handlers.board import Board, board
from handlers.verdict import DISCLAIMER
from queues.database import Transaction
from queues.glance import Ran, newest_failures, next_tasks, recent_attempts
from queues.inspection import WaitingFor
from queues.model import QueueName, Task, TaskState
from server.desk import Desk
from server.inspection import desk_status
from server.titles import title
from server.views import QueueView, StatusView, View, WaitingView

NEXT_OF_A_QUEUE = 5
TROUBLES = 10
ATTEMPTS = 60
# Characters of JSON: a status at its longest leaves the rest less room, and old attempts go first.
LONGEST = 19_000
SENTENCE = 160

V = TypeVar("V", bound=BaseModel)


class UpcomingView(View):
    """A queued task near the head of its queue, and what it waits for."""

    task_id: str
    queue: QueueName
    title: str
    waiting_for: WaitingView | None

    @classmethod
    def of(cls, task: Task, waiting: WaitingFor | None) -> "UpcomingView":
        shown = WaitingView.of(waiting)
        if shown is not None:
            shown = shown.model_copy(update={"what": _cut(shown.what, SENTENCE)})
        return cls(task_id=task.id, queue=task.queue, title=title(task.kind, task.payload), waiting_for=shown)


class BarView(View):
    """One attempt of a task; `ended_at` and `outcome` are null while it runs."""

    task_id: str
    queue: QueueName
    title: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None

    @classmethod
    def of(cls, ran: Ran) -> "BarView":
        return cls(
            task_id=ran.task_id,
            queue=ran.queue,
            title=title(ran.kind, ran.payload),
            started_at=ran.started_at,
            ended_at=ran.ended_at,
            outcome=ran.outcome,
        )


class TroubleView(View):
    task_id: str
    queue: QueueName
    title: str
    error: str
    finished_at: datetime

    @classmethod
    def of(cls, task: Task) -> "TroubleView":
        assert task.error is not None  # the schema's
        assert task.finished_at is not None
        return cls(
            task_id=task.id,
            queue=task.queue,
            title=title(task.kind, task.payload),
            error=_cut(task.error, SENTENCE),
            finished_at=task.finished_at,
        )


class BoardView(View):
    """The newest verdict of each stock, counted; get_verdicts shows them."""

    stocks: int
    actions: dict[str, int]
    analysts: dict[str, int]
    newest_at: datetime | None
    oldest_as_of: date | None

    @classmethod
    def of(cls, board: Board) -> "BoardView":
        return cls(
            stocks=board.stocks,
            actions=board.actions,
            analysts=board.analysts,
            newest_at=board.newest_at,
            oldest_as_of=board.oldest_as_of,
        )


class DashboardView(View):
    """The desk as its dashboard shows it.

    `day` is the day from which the age of data counts: today, or the one that the desk pretends. `upcoming` names
    the next tasks of each queue, `recent` the last attempts by start, `troubles` the newest failed tasks.
    """

    now: datetime
    status: StatusView
    upcoming: list[UpcomingView]
    recent: list[BarView]
    troubles: list[TroubleView]
    board: BoardView
    day: date
    disclaimer: str = DISCLAIMER


async def dashboard_view(desk: Desk) -> DashboardView:
    status = await desk_status(desk)
    day = desk.settings.as_of or desk.clock().astimezone(desk.settings.zone).date()
    return await desk.database.read(lambda tx: _beside(tx, status, day))


def _beside(tx: Transaction, status: StatusView, day: date) -> DashboardView:
    upcoming = [
        UpcomingView.of(*each) for queue in QueueName for each in next_tasks(tx, queue, NEXT_OF_A_QUEUE)
    ]
    bare = DashboardView(
        now=tx.now,
        status=status,
        upcoming=[],
        recent=[],
        troubles=[],
        board=BoardView.of(board(tx)),
        day=day,
    )
    left = LONGEST - len(bare.model_dump_json())
    upcoming, left = _that_fit(upcoming, left)
    troubles, left = _that_fit(map(TroubleView.of, newest_failures(tx, TROUBLES)), left)
    newest_first, _ = _that_fit(map(BarView.of, reversed(recent_attempts(tx, ATTEMPTS))), left)
    return bare.model_copy(update={"upcoming": upcoming, "troubles": troubles, "recent": newest_first[::-1]})


def _that_fit(items: Iterable[V], characters: int) -> tuple[list[V], int]:
    """The first of these that together have at most so many characters of JSON, and how many they leave."""
    shown: list[V] = []
    for item in items:
        length = len(item.model_dump_json()) + 1
        if length > characters:
            break
        shown.append(item)
        characters -= length
    return shown, characters


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def in_words(view: DashboardView) -> str:
    """The same for whoever shows no page."""
    return "\n".join([view.status.message, *_lines(view), f"{view.disclaimer}."])


def _lines(view: DashboardView) -> Iterator[str]:
    yield from map(_queue_in_words, view.status.queues)
    yield _board_in_words(view.board)
    for each in view.upcoming:
        yield f"Next in {each.queue}: {each.task_id} ({each.title}){_why_not_yet(each.waiting_for)}"
    for each in view.troubles:
        yield f"Failed: {each.task_id} ({each.title}): {each.error}"


def _board_in_words(board: BoardView) -> str:
    if board.newest_at is None:
        return "No stock has a verdict yet."
    actions, analysts = map(_counted, (board.actions, board.analysts))
    data = "" if board.oldest_as_of is None else f", the oldest data of {board.oldest_as_of}"
    return f"Verdicts: {actions}; analysts: {analysts}; the newest of {_moment(board.newest_at)}{data}"


def _queue_in_words(queue: QueueView) -> str:
    running = queue.running
    doing = queue.state if running is None else f"runs {running.id} ({title(running.kind, running.payload)})"
    if running is not None and running.progress is not None:
        doing += f", {running.progress.done} of {running.progress.total}"
    end = queue.estimated_finish
    ends = "" if end is None else f"; ends about {_moment(end)}"
    return f"{queue.queue}: {doing}; {_counted(queue.counts) or 'no tasks'}{ends}"


def _counted(counts: Mapping[TaskState, int] | Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _why_not_yet(waiting: WaitingView | None) -> str:
    """What keeps it back beside the state of its whole queue, which is told of that."""
    return "" if waiting is None or waiting.on in ("turn", "hold") else f", waits: {waiting.what}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
