"""Commands that change what the queues do, whichever process runs them."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from queues.model import QueueName
from server.cli.running import app, fail, run_at_desk, say

if TYPE_CHECKING:  # slow to import, for every command
    from server.desk import Desk

command = partial(app.command, rich_help_panel="Steer")

Queue = Annotated[QueueName, typer.Argument(help="Which queue.")]
LONGEST_REASON = 200
MOST_MINUTES = 60 * 24 * 30


@command()
def hold(
    queue: Queue,
    reason: Annotated[str, typer.Argument(help="Shown in every status.")] = "Held from the terminal.",
    *,
    minutes: Annotated[
        int | None, typer.Option(min=1, max=MOST_MINUTES, help="Until then; else until it is released.")
    ] = None,
) -> None:
    """Let a queue start nothing more; its running task goes on, and its queued tasks stay."""
    from server import control  # noqa: PLC0415 (see the package's docstring)

    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        fail(f"A reason has 1 to {LONGEST_REASON} characters, this one {len(reason.strip())}; shorten it.")

    async def begin_hold(desk: "Desk") -> str:
        return (await control.hold(desk, queue, reason=reason.strip(), minutes=minutes)).message

    say(run_at_desk("hold", begin_hold))


@command()
def release(
    queue: Queue,
    *,
    include_old: Annotated[
        bool, typer.Option("--include-old", help="Also start analyses over a day old.")
    ] = False,
) -> None:
    """End every hold of a queue."""
    from server import control  # noqa: PLC0415

    async def end_holds(desk: "Desk") -> str:
        return (await control.release(desk, queue, include_old=include_old)).message

    say(run_at_desk("release", end_holds))


@command()
def cancel(
    task_ids: Annotated[list[str], typer.Argument(metavar="TASK...", help="Like analysis-12.")],
    *,
    reason: Annotated[str | None, typer.Option(help="Kept with the tasks.")] = None,
) -> None:
    """Cancel queued and running tasks, and what waits for them; all of them or none."""
    from server import control  # noqa: PLC0415

    async def end_tasks(desk: "Desk") -> str:
        return (await control.cancel(desk, task_ids=task_ids, run_id=None, reason=reason)).message

    say(run_at_desk("cancel", end_tasks))


@command()
def retry(
    task_id: Annotated[str | None, typer.Argument(metavar="TASK", help="Like analysis-12.")] = None,
    *,
    run_id: Annotated[
        str | None, typer.Option("--run", help="All that failed or was cancelled in it.")
    ] = None,
) -> None:
    """Queue a finished task anew, or what failed in a run, and what was cancelled because of it."""
    from server import control  # noqa: PLC0415

    async def begin_anew(desk: "Desk") -> str:
        return (await control.retry(desk, task_id=task_id, run_id=run_id)).message

    say(run_at_desk("retry", begin_anew))


@command()
def takeover(
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Even if it answers; each task it runs spends an attempt.")
    ] = False,
) -> None:
    """Kill the process that runs the queues if it hangs, so that another goes on."""
    from server.takeover import TakeoverRefusedError, take_over  # noqa: PLC0415

    try:
        say(run_at_desk("takeover", partial(take_over, force=force)))
    except TakeoverRefusedError as error:
        fail(str(error))
