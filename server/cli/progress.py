"""Bars for what takes long: on stderr, only on a terminal, and gone when it is done."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from server.rendering.console import new_console


def bars(*columns: ProgressColumn) -> Progress:
    """Of these columns, behind a description and a bar."""
    console = new_console(stderr=True)
    hidden = not sys.stderr.isatty() or console.is_dumb_terminal
    shown = (TextColumn("{task.description:<15}", markup=False), BarColumn(), *columns)
    return Progress(*shown, console=console, transient=True, redirect_stdout=False, disable=hidden)


@contextmanager
def counted(what: str) -> Generator[Callable[[int, int], None]]:
    """Tell the yielded function how many of how many are done; it may be called in any thread."""
    with bars(MofNCompleteColumn(), TimeElapsedColumn()) as progress:
        bar = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


@contextmanager
def going_on(what: str) -> Generator[Progress]:
    """For what cannot say how far it is: only that it goes on, and for how long. `stop` it for a question."""
    with bars(TimeElapsedColumn()) as progress:
        progress.add_task(what, total=None)
        yield progress
