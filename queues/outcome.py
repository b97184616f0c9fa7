"""How an attempt can end: a closed set, matched by the worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from queues.database import Transaction
from queues.model import Enqueued, JsonObject, NewTask

OnRecord: TypeAlias = Callable[[Transaction], Sequence[NewTask]]
"""Runs inside the transaction that records the outcome; writes what belongs to it, returns follow-ups."""

OfFollowUps: TypeAlias = Callable[[Sequence[Enqueued]], JsonObject]
"""Given what the follow-ups became, in their order: what the result says of them, such as their ids."""

OnFailure: TypeAlias = Callable[[Transaction], None]
"""Like `OnRecord`, but nothing follows a failure; it runs before what waits for the task is cancelled."""


class HoldRequest(NamedTuple):
    """Asks that the task's own queue be held, for `source`, until released or until a moment."""

    source: str
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """Carried follow-ups go on with the task's work: what waits for the task then waits for them too."""

    result: JsonObject
    on_record: OnRecord | None = None
    of_follow_ups: OfFollowUps | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """A transient failure: costs an attempt; goes on after `delay`, or after the backoff where None."""

    error: str
    delay: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Snooze:
    """Not the task's fault: costs no attempt; goes on at `until`, else once the hold ends, else after the backoff.

    With a hold, leave `until` to it: then the task goes on too when the hold is released before its end.
    """

    reason: str
    until: datetime | None = None
    hold: HoldRequest | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    error: str
    result: JsonObject | None = None
    on_record: OnFailure | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    reason: str


Outcome: TypeAlias = Completed | Retry | Snooze | Failed | Cancelled
