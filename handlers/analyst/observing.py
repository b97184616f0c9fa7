"""Looking on while Claude sessions run: what an observer is told of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from handlers.analyst.costs import Spent
from handlers.verdict import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBegin:
    session_id: str
    model: str
    stocks: int
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """`ended_as` is the name of an `Ending`; `billing` is api, subscription, or None while nothing was answered."""

    ended_as: str
    spent: Spent
    billing: str | None
    duration: timedelta


Ended: TypeAlias = Callable[[SessionEnd], None]


class SessionObserver(Protocol):
    """Told of sessions on the event loop: it neither waits nor raises."""

    def session(self, begin: SessionBegin) -> AbstractContextManager[Ended]:
        """Open for as long as the session runs; told how it ended, before it closes."""
        ...

    def refused(self, kind: Reason, model: str) -> None:
        """A submission was refused, for its form (INVALID) or for its numbers (UNGROUNDED)."""
        ...


class Nobody:
    """Observes nothing."""

    def session(self, begin: SessionBegin) -> AbstractContextManager[Ended]:
        del begin
        return nullcontext(lambda _: None)

    def refused(self, kind: Reason, model: str) -> None:
        pass


NOBODY = Nobody()
