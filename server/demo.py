"""The main job on real prices, offline: two accounts, one imported while the other is at work."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file
from pathlib import Path

import anyio
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TaskID

from handlers.sources.sample import sample_holdings, sample_last_day
from handlers.verdicts import latest_verdicts
from queues.database import Transaction
from queues.holds import current_holds
from queues.inspection import Interval, intervals, overlaps, tasks_of_run
from queues.model import QueueName, TaskState
from queues.status import queue_status
from server.cli.progress import bars
from server.desk import Desk, open_desk
from server.portfolio_views import PortfolioView, portfolio_view
from server.rendering.tables import portfolio_table, timeline
from server.rendering.verdicts import verdict_table
from server.requests import request_review
from server.settings import Settings, load_settings
from server.verdict_views import VerdictPage, verdict_page

ALL = 1000  # more than the sample holds


@dataclass(frozen=True, slots=True)
class Finding:
    """What the demo has to admit; none means that the promise of the queues was kept and all work is done."""

    sentence: str


async def run_demo(console: Console, *, claude: bool, keep: bool) -> Sequence[Finding]:
    """Run the whole job in a fresh home in a temporary folder, and show it; returns what went wrong."""
    home = Path(tempfile.mkdtemp(prefix="stockdesk-demo-"))
    try:
        settings = load_settings(
            home=home,
            price_sources=("sample",),
            as_of=sample_last_day(),
            analyst="claude" if claude else "baseline",
        )
        _introduce(console, settings)
        async with open_desk(settings, "demo") as desk:
            await _work(desk)
            return await _show(console, desk)
    finally:
        if keep:
            console.print(f"The home was kept: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)


def _introduce(console: Console, settings: Settings) -> None:
    rules = "the baseline analyst (rules over prices, no Claude)"
    who = rules if settings.analyst == "baseline" else "Claude, in real sessions"
    console.print(
        f"A fresh home in {settings.home}. Prices are real daily closes, adjusted for splits and dividends, "
        f"that come with Stockdesk; the desk's "
        f"clock stands on their last day, {settings.as_of}. The holdings are an example. Verdicts are by {who}.\n"
    )


async def _work(desk: Desk) -> None:
    """Review the first account; import the second as soon as the first one's stocks are at work."""
    files = sample_holdings()
    with (
        as_file(files["main"]) as main,
        as_file(files["second"]) as second,
        bars(MofNCompleteColumn()) as progress,
    ):
        of_queues = {queue: progress.add_task(queue, total=None) for queue in QueueName}
        first = await request_review(desk, path=str(main), csv_text=None, account="main", exchange=None)
        assert first.run_id is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_follow, desk, progress, of_queues)
            tasks.start_soon(_import_second, desk, first.run_id, second)
            await desk.manager.execute_queues()
            tasks.cancel_scope.cancel()
        _update(progress, of_queues, await desk.database.read(_counts))


async def _import_second(desk: Desk, first_run: str, file: Path) -> None:
    while True:
        heard = desk.manager.bell.next_ring()
        tasks = await desk.database.read(lambda tx: tasks_of_run(tx, first_run))
        if any(task.queue is QueueName.DATA_FETCHER and task.started_at for task in tasks):
            break
        await desk.manager.bell.wait(heard)
    await request_review(desk, path=str(file), csv_text=None, account="second", exchange=None)


async def _follow(desk: Desk, progress: Progress, of_queues: dict[QueueName, TaskID]) -> None:
    while True:
        heard = desk.manager.bell.next_ring()
        _update(progress, of_queues, await desk.database.read(_counts))
        await desk.manager.bell.wait(heard)


def _counts(tx: Transaction) -> dict[QueueName, dict[TaskState, int]]:
    return {queue: queue_status(tx, queue).counts for queue in QueueName}


def _update(
    progress: Progress, of_queues: dict[QueueName, TaskID], counts: dict[QueueName, dict[TaskState, int]]
) -> None:
    for queue, states in counts.items():
        ended = sum(count for state, count in states.items() if state.is_finished)
        progress.update(of_queues[queue], completed=ended, total=sum(states.values()) or None)


async def _show(console: Console, desk: Desk) -> Sequence[Finding]:
    def read(tx: Transaction) -> tuple[PortfolioView, VerdictPage, Sequence[Interval], list[Finding]]:
        verdicts, attempts = latest_verdicts(tx, limit=ALL), intervals(tx)
        portfolio = portfolio_view(tx, None, offset=0, limit=ALL)
        page = verdict_page(tx, verdicts, limit=ALL, full=False, total=len(verdicts))
        return portfolio, page, attempts, demo_findings(tx, attempts)

    portfolio, page, attempts, findings = await desk.database.read(read)
    console.print()
    console.print(portfolio_table(portfolio))
    if page.verdicts:
        console.print(verdict_table(page.verdicts, page.disclaimer))
    console.print(timeline(attempts))
    for line in [finding.sentence for finding in findings] or ["No two tasks of one queue ran at once."]:
        console.print(line)
    if findings:
        console.print("This home was for the demo only: mend what is named above, then run the demo again.")
    return findings


def demo_findings(tx: Transaction, attempts: Sequence[Interval]) -> list[Finding]:
    found = [
        Finding(f"{one.task_id} and {other.task_id} of {one.queue} ran at the same time.")
        for one, other in overlaps(attempts)
    ]
    for queue in QueueName:
        counts = queue_status(tx, queue).counts
        found += [Finding(f"{queue} is held: {hold.reason}") for hold in current_holds(tx, queue)]
        found += [
            Finding(f"{counts[state]} tasks of {queue} are {state}.")
            for state in TaskState
            if state is not TaskState.COMPLETED and counts[state]
        ]
    return found
