"""Recurring work: schedules as they are stored, and what came of each of their fire times.

The engine knows when a schedule is due and that it fires once; a `Timetable` knows its times and its tasks.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from queues.database import Transaction
from queues.errors import UnknownScheduleError
from queues.lifecycle import require_epoch
from queues.model import JsonObject, QueueName
from queues.moments import from_micros, to_micros
from queues.rows import dump
from queues.topics import Topic

# A fire time that is met within this is met on time: a process that had to take over first is no miss.
PUNCTUAL = timedelta(minutes=1)
# Of a desk that was off for long, the misses of these days are looked at; older ones tell no more.
MISSES_LOOKED_AT = timedelta(days=7)
FIRINGS_KEPT = 20

_COLUMNS = "name, queue, rule, payload, is_on, set_at, next_at"


class FiringOutcome(StrEnum):
    """`made_up` is late, and still on the day it was meant for; `refused` is one that could not be enqueued."""

    FIRED = "fired"
    MADE_UP = "made_up"
    MISSED = "missed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`next_at` is None while it is off, and where no time will ever come."""

    name: str
    queue: QueueName
    rule: JsonObject
    payload: JsonObject
    is_on: bool
    set_at: datetime
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """`ended_at` is when it was decided; `detail` says in words what there is to say."""

    fire_at: datetime
    outcome: FiringOutcome
    ended_at: datetime
    run_id: str | None
    detail: str | None


class Fired(NamedTuple):
    """What a fire time has caused: a run, or a sentence that says why none."""

    run_id: str | None
    detail: str | None = None


class Timetable(Protocol):
    """What the engine does not know of schedules."""

    def next_after(self, schedule: Schedule, moment: datetime) -> datetime | None:
        """The first fire time after `moment`; None if there is none."""
        ...

    def is_same_day(self, schedule: Schedule, fire_at: datetime, moment: datetime) -> bool:
        """Whether `moment` is on the day for which this fire time was meant."""
        ...

    def fire(self, tx: Transaction, schedule: Schedule) -> Fired:
        """Enqueue what the schedule is for.

        Raises:
            EngineError: it cannot be enqueued; the message says why.
        """
        ...


def find_schedule(tx: Transaction, name: str) -> Schedule:
    """The schedule of this name.

    Raises:
        UnknownScheduleError: there is none.
    """
    row = tx.row(f"SELECT {_COLUMNS} FROM schedules WHERE name = :name", name=name)
    if row is None:
        raise UnknownScheduleError(f"There is no schedule {name[:40]!r}; list_schedules shows the names.")
    return _read(row)


def all_schedules(tx: Transaction) -> list[Schedule]:
    """By name."""
    return [_read(row) for row in tx.rows(f"SELECT {_COLUMNS} FROM schedules ORDER BY name")]


def store_schedule(
    tx: Transaction,
    timetable: Timetable,
    *,
    name: str,
    queue: QueueName,
    rule: JsonObject,
    payload: JsonObject,
    is_on: bool,
) -> Schedule:
    """Store or replace the schedule of this name; it fires first at its first time from now on.

    What is known of its earlier fire times stays.
    """
    tx.run(
        f"INSERT INTO schedules ({_COLUMNS}) VALUES (:name, :queue, :rule, :payload, :is_on, :now, NULL)"
        " ON CONFLICT (name) DO UPDATE SET queue = excluded.queue, rule = excluded.rule,"
        " payload = excluded.payload, is_on = excluded.is_on, set_at = excluded.set_at, next_at = NULL",
        name=name,
        queue=queue,
        rule=dump(rule),
        payload=dump(payload),
        is_on=int(is_on),
        now=tx.micros,
    )
    if is_on:
        _set_next(tx, name, timetable.next_after(find_schedule(tx, name), tx.now))
    tx.touch(Topic.SCHEDULES)
    return find_schedule(tx, name)


def delete_schedule(tx: Transaction, name: str) -> Schedule:
    """Delete it with its history; what it has enqueued stays.

    Raises:
        UnknownScheduleError: there is none of this name.
    """
    schedule = find_schedule(tx, name)
    tx.run("DELETE FROM schedules WHERE name = :name", name=name)
    tx.touch(Topic.SCHEDULES)
    return schedule


def firings_of(tx: Transaction, name: str, limit: int = FIRINGS_KEPT) -> list[Firing]:
    """What came of its newest fire times, the newest first."""
    rows = tx.rows(
        "SELECT fire_at, outcome, ended_at, run_id, detail FROM firings WHERE schedule = :name"
        " ORDER BY fire_at DESC LIMIT :limit",
        name=name,
        limit=limit,
    )
    return [
        Firing(
            fire_at=from_micros(fire_at),
            outcome=FiringOutcome(outcome),
            ended_at=from_micros(ended_at),
            run_id=run_id,
            detail=detail,
        )
        for fire_at, outcome, ended_at, run_id, detail in rows
    ]


def first_due(tx: Transaction) -> Schedule | None:
    """The schedule whose time comes first, whether it has come or not."""
    row = tx.row(f"SELECT {_COLUMNS} FROM schedules WHERE next_at IS NOT NULL ORDER BY next_at, name LIMIT 1")
    return None if row is None else _read(row)


def fire(tx: Transaction, timetable: Timetable, name: str, epoch: int) -> None:
    """Fire the schedule if it is due, and set its next time; of several times that have passed, the last one only.

    Late, it fires on the day for which that time was meant; after it, the time is missed.

    Raises:
        EpochOverError: this process leads no more.
        EngineError: it cannot be enqueued; nothing was changed.
    """
    require_epoch(tx, epoch)
    if (due := _take_due(tx, timetable, name)) is None:
        return
    schedule, fire_at = due
    if tx.now - fire_at <= PUNCTUAL:
        _record(tx, schedule, fire_at, FiringOutcome.FIRED, timetable.fire(tx, schedule))
    elif timetable.is_same_day(schedule, fire_at, tx.now):
        _record(tx, schedule, fire_at, FiringOutcome.MADE_UP, timetable.fire(tx, schedule))
    else:
        _record(tx, schedule, fire_at, FiringOutcome.MISSED)


def refuse(tx: Transaction, timetable: Timetable, name: str, epoch: int, why: str) -> None:
    """Record that what is due could not be enqueued, and set the next time."""
    require_epoch(tx, epoch)
    if (due := _take_due(tx, timetable, name)) is not None:
        _record(tx, *due, FiringOutcome.REFUSED, Fired(None, why))


def _take_due(tx: Transaction, timetable: Timetable, name: str) -> tuple[Schedule, datetime] | None:
    """The last time of the schedule that has passed, if it has not fired; those before are missed, the next is set."""
    row = tx.row(
        f"SELECT {_COLUMNS} FROM schedules WHERE name = :name AND next_at <= :now", name=name, now=tx.micros
    )
    if row is None:
        return None
    schedule = _read(row)
    assert schedule.next_at is not None
    since = max(schedule.next_at, tx.now - MISSES_LOOKED_AT)
    passed = [schedule.next_at, *_times(timetable, schedule, since, tx.now)]
    for missed in passed[-FIRINGS_KEPT:-1]:
        _record(tx, schedule, missed, FiringOutcome.MISSED)
    _set_next(tx, name, timetable.next_after(schedule, tx.now))
    # After a clock that was set back, a time may come again.
    has_fired = any(firing.fire_at == passed[-1] for firing in firings_of(tx, name))
    return None if has_fired else (schedule, passed[-1])


def _times(timetable: Timetable, schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    moment = timetable.next_after(schedule, after)
    while moment is not None and moment <= until:
        yield moment
        moment = timetable.next_after(schedule, moment)


def _set_next(tx: Transaction, name: str, next_at: datetime | None) -> None:
    tx.run(
        "UPDATE schedules SET next_at = :next_at WHERE name = :name",
        name=name,
        next_at=None if next_at is None else to_micros(next_at),
    )
    tx.touch(Topic.SCHEDULES)


def _record(
    tx: Transaction, schedule: Schedule, fire_at: datetime, outcome: FiringOutcome, fired: Fired | None = None
) -> None:
    tx.run(
        "INSERT OR IGNORE INTO firings (schedule, fire_at, outcome, ended_at, run_id, detail)"
        " VALUES (:name, :fire_at, :outcome, :now, :run_id, :detail)",
        name=schedule.name,
        fire_at=to_micros(fire_at),
        outcome=outcome,
        now=tx.micros,
        run_id=None if fired is None else fired.run_id,
        detail=None if fired is None else fired.detail,
    )
    tx.run(
        "DELETE FROM firings WHERE schedule = :name AND fire_at NOT IN"
        " (SELECT fire_at FROM firings WHERE schedule = :name ORDER BY fire_at DESC LIMIT :kept)",
        name=schedule.name,
        kept=FIRINGS_KEPT,
    )


def _read(row: tuple[Any, ...]) -> Schedule:
    name, queue, rule, payload, is_on, set_at, next_at = row
    return Schedule(
        name=name,
        queue=QueueName(queue),
        rule=json.loads(rule),
        payload=json.loads(payload),
        is_on=bool(is_on),
        set_at=from_micros(set_at),
        next_at=None if next_at is None else from_micros(next_at),
    )
