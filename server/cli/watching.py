"""`stockdesk status --watch`: the desk as it changes, whichever process changes it."""

import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
from rich.console import Group
from rich.live import Live
from rich.text import Text

from queues.errors import EngineError
from server.cli.running import print_json
from server.dashboard.view import DashboardView, dashboard_view
from server.desk import Desk
from server.rendering.console import moment, new_console, readable
from server.rendering.lanes import lanes, next_that_fit

# Elapsed times are in seconds; holds end by the clock alone, and the death of a leader rings nowhere.
LOOK_AGAIN = timedelta(seconds=1)
# A running task may report progress many times a second; nobody reads so fast.
SHOW_EVERY = timedelta(seconds=0.1)
# Another value at every look, though nothing has happened; and what is not shown.
_CLOCK = {"oldest_wait_seconds", "estimated_finish"}
_UNCHANGED: Any = {"now": True, "recent": True, "status": {"queues": {"__all__": _CLOCK}}}


async def watch_desk(desk: Desk, *, as_json: bool) -> None:
    """Show it until cancelled: on a terminal live, else after each change a dated block or a line of JSON."""
    console, zone = new_console(), desk.settings.zone
    if as_json:
        await _follow(desk, _changes(lambda view: print_json(view.status, indent=None)))
    elif not sys.stdout.isatty() or console.is_dumb_terminal:

        def add_block(view: DashboardView) -> None:
            shown = readable(view, zone)
            console.print(shown.now.isoformat(timespec="seconds"), lanes(shown), "", sep="\n")

        await _follow(desk, _changes(add_block))
    else:
        # A signal that just ended the process would leave the terminal without its cursor. As Ctrl-C the event loop
        # takes it for a wish to cancel.
        as_interrupt = signal.getsignal(signal.SIGINT)
        if callable(as_interrupt):
            signal.signal(signal.SIGTERM, as_interrupt)
        with Live(console=console, auto_refresh=False) as live:

            def draw(view: DashboardView) -> None:
                shown = readable(view, zone)
                clock = Text(f"{moment(shown.now)}; Ctrl-C leaves, and the desk goes on.", "dim")
                live.update(Group(lanes(shown, next_that_fit(console.height)), clock), refresh=True)

            await _follow(desk, draw)


async def _follow(desk: Desk, show: Callable[[DashboardView], None]) -> None:
    end = None
    async with anyio.create_task_group() as tasks:
        await tasks.start(desk.manager.bell.run)
        end = await _show_until_it_fails(desk, show)
        tasks.cancel_scope.cancel()
    if end is not None:
        raise end  # here, for a task group would wrap it


async def _show_until_it_fails(
    desk: Desk, show: Callable[[DashboardView], None]
) -> EngineError | OSError | SystemExit:
    """Returns why it cannot go on: the database, or whoever read the pipe has left (`rich` exits then)."""
    bell = desk.manager.bell
    try:
        while True:
            heard = bell.next_ring()
            show(await dashboard_view(desk))
            await anyio.sleep(SHOW_EVERY.total_seconds())
            await bell.wait(heard, LOOK_AGAIN)
    except (EngineError, OSError, SystemExit) as error:
        return error


def _changes(show: Callable[[DashboardView], None]) -> Callable[[DashboardView], None]:
    """Shows a view unless the one before was the same but for the clock."""
    before: Any = None

    def show_if_changed(view: DashboardView) -> None:
        nonlocal before
        lasting = view.model_dump(exclude=_UNCHANGED)
        if lasting != before:
            before = lasting
            show(view)
            sys.stdout.flush()

    return show_if_changed
