"""What all that is printed shares: the console, colours, moments, and texts that a terminal cannot obey."""

import sys
from datetime import datetime, timedelta, tzinfo
from typing import Any, TypeVar

from pydantic import BaseModel
from rich.console import Console
from rich.table import Column

from handlers.verdict import Action
from queues.model import QueueName, TaskState
from server import escaping

QUEUES = {
    QueueName.PORTFOLIO_SYNC: "magenta",
    QueueName.DATA_FETCHER: "cyan",
    QueueName.AI_ANALYSIS: "green",
}
# Always beside the word.
ACTIONS = {
    Action.ADD: "green",
    Action.HOLD: "steel_blue",
    Action.TRIM: "dark_orange3",
    Action.EXIT: "red",
    Action.INSUFFICIENT_DATA: "bright_black",
}
STATES = {
    TaskState.QUEUED: "",
    TaskState.RUNNING: "bold",
    TaskState.COMPLETED: "green",
    TaskState.FAILED: "red",
    TaskState.CANCELLED: "bright_black",
    "held": "dark_orange3",
}
# Without joiners words of Indian scripts look different; French numbers and Japanese texts have spaces of their own.
_KEPT = "\u200c\u200d\u00a0\u202f\u3000"

V = TypeVar("V", bound=BaseModel)


def new_console(*, stderr: bool = False) -> Console:
    """Colour and width of the terminal; plain and 80 columns wide when piped. No text is markup."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # what a test puts there may have none
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal that cannot show a bar shows a question mark
    return Console(stderr=stderr, highlight=False, soft_wrap=False, markup=False, emoji=False)


def readable(view: V, zone: tzinfo | None) -> V:
    """The same for a person: each text `visible`, each moment in the zone; None is the machine's."""

    def shown(value: Any) -> Any:
        match value:
            case str():
                return visible(value)
            case datetime():
                return value.astimezone(zone)
            case [*items]:
                return [shown(each) for each in items]
            case {**items}:
                return {shown(key): shown(each) for key, each in items.items()}
            case _:
                return value

    return type(view).model_validate(shown(view.model_dump()))


def visible(text: str) -> str:
    """One line. What a terminal would obey or not show (escapes, controls, bidi marks) is written as its code."""
    return escaped(" ".join(text.split()))


def escaped(text: str) -> str:
    """Lines stay as they are, and JSON that JSON."""
    return "\n".join(escaping.escaped(line, _KEPT) for line in text.split("\n"))


def right(name: str) -> Column:
    return Column(name, justify="right", overflow="fold")


def money(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"


def percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.1f} %"


def moment(at: datetime | None, *, year: bool = True) -> str:
    pattern = "%Y-%m-%d %H:%M" if year else "%m-%d %H:%M"
    return "" if at is None else format(at, pattern)


def short(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def elapsed(span: timedelta) -> str:
    """Whole seconds, like 0:01:05."""
    return str(timedelta(seconds=max(0, int(span.total_seconds()))))
