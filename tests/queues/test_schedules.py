"""Recurring work: every fire time fires once, on its day, or is shown as missed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest

from queues.database import Transaction
from queues.errors import EpochOverError, QueueFullError, UnknownScheduleError
from queues.lifecycle import take_over
from queues.model import QueueName
from queues.recurrence import keep_schedules
from queues.scheduler import SequentialQueueManager
from queues.schedules import (
    FIRINGS_KEPT,
    Fired,
    Firing,
    FiringOutcome,
    Schedule,
    all_schedules,
    delete_schedule,
    find_schedule,
    fire,
    firings_of,
    refuse,
    store_schedule,
)
from queues.store import enqueue
from tests.queues.desk import FETCH, NOTHING, Desk, fetch
from tests.queues.running import HANDLERS, open_database, serving

NINE = timedelta(hours=9)
DAY = timedelta(days=1)


@dataclass(slots=True)
class Daily:
    """Every day at the hour that the rule names, in UTC."""

    fired: list[Schedule] = field(default_factory=list[Schedule])
    error: Exception | None = None

    def next_after(self, schedule: Schedule, moment: datetime) -> datetime | None:
        hour = schedule.rule["hour"]
        if hour is None:
            return None
        assert isinstance(hour, int)
        time = moment.replace(hour=hour, minute=0, second=0, microsecond=0)
        return time if time > moment else time + DAY

    def is_same_day(self, schedule: Schedule, fire_at: datetime, moment: datetime) -> bool:
        del schedule
        return fire_at.date() == moment.date()

    def fire(self, tx: Transaction, schedule: Schedule) -> Fired:
        del tx
        if self.error is not None:
            raise self.error
        self.fired.append(schedule)
        return Fired(f"fetch-{len(self.fired)}")


class Alarm(Desk):
    """A desk at 09:00 with one schedule; each method is one transaction."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.daily = Daily()

    def put_on(self) -> datetime:
        """Its first time."""
        first = self.put().next_at
        assert first is not None
        return first

    def put(self, *, hour: int | None = 10, is_on: bool = True, name: str = "morning") -> Schedule:
        return self.do(
            lambda tx: store_schedule(
                tx,
                self.daily,
                name=name,
                queue=FETCH,
                rule={"hour": hour},
                payload=NOTHING,
                is_on=is_on,
            )
        )

    def look_at_clock(self, name: str = "morning") -> None:
        self.do(lambda tx: fire(tx, self.daily, name, self.epoch))

    def firings(self, name: str = "morning") -> list[Firing]:
        return self.do(lambda tx: firings_of(tx, name))

    def outcomes(self) -> list[tuple[str, datetime]]:
        return [(each.outcome, each.fire_at) for each in self.firings()]

    @property
    def next_at(self) -> datetime | None:
        return self.do(lambda tx: find_schedule(tx, "morning")).next_at


@pytest.fixture
def alarm(tmp_path: Path) -> Alarm:
    return Alarm(tmp_path)


def test_a_schedule_fires_when_its_time_has_come_and_once(alarm: Alarm) -> None:
    at_ten = alarm.put_on()
    assert at_ten == alarm.now + timedelta(hours=1)
    alarm.look_at_clock()
    assert alarm.firings() == []

    alarm.now = at_ten
    alarm.look_at_clock()
    alarm.look_at_clock()
    assert alarm.firings() == [
        Firing(fire_at=at_ten, outcome=FiringOutcome.FIRED, ended_at=at_ten, run_id="fetch-1", detail=None)
    ]
    assert alarm.next_at == at_ten + DAY


def test_a_schedule_that_is_off_never_fires(alarm: Alarm) -> None:
    assert alarm.put(is_on=False).next_at is None
    alarm.pass_time(3 * DAY)
    alarm.look_at_clock()
    assert (alarm.firings(), alarm.daily.fired) == ([], [])


def test_a_time_that_never_comes_is_no_time(alarm: Alarm) -> None:
    assert alarm.put(hour=None).next_at is None


def test_a_missed_time_is_made_up_on_the_same_day(alarm: Alarm) -> None:
    at_ten = alarm.put_on()
    alarm.pass_time(timedelta(hours=14))
    alarm.look_at_clock()
    assert alarm.outcomes() == [("made_up", at_ten)]
    assert len(alarm.daily.fired) == 1


def test_a_missed_time_is_not_made_up_on_the_day_after_but_shown(alarm: Alarm) -> None:
    at_ten = alarm.put_on()
    alarm.pass_time(timedelta(hours=16))
    alarm.look_at_clock()
    assert alarm.outcomes() == [("missed", at_ten)]
    assert alarm.daily.fired == []
    assert alarm.next_at == at_ten + DAY


def test_of_many_missed_times_the_last_one_is_made_up_and_the_newest_are_shown(alarm: Alarm) -> None:
    at_ten = alarm.put_on()
    alarm.pass_time(40 * DAY + timedelta(hours=3))
    alarm.look_at_clock()
    assert len(alarm.daily.fired) == 1
    newest, *missed = alarm.outcomes()
    assert newest == ("made_up", at_ten + 40 * DAY)
    # Of the last week one by one; the older ones tell no more than the first does.
    assert missed == [("missed", at_ten + each * DAY) for each in (39, 38, 37, 36, 35, 34, 0)]


def test_the_history_is_bounded(alarm: Alarm) -> None:
    alarm.put()
    for _ in range(FIRINGS_KEPT + 5):
        alarm.now = alarm.next_at or alarm.now
        alarm.look_at_clock()
    assert len(alarm.firings()) == FIRINGS_KEPT
    assert alarm.firings()[0].fire_at == alarm.now


def test_after_the_clock_was_set_back_no_time_fires_again(alarm: Alarm) -> None:
    alarm.put()
    alarm.now += timedelta(hours=1)
    alarm.look_at_clock()
    alarm.now -= timedelta(hours=1)
    alarm.put()  # which looks at the clock anew
    alarm.now += timedelta(hours=1)
    alarm.look_at_clock()
    assert [outcome for outcome, _ in alarm.outcomes()] == ["fired"]
    assert len(alarm.daily.fired) == 1


def test_what_cannot_be_enqueued_is_shown_and_the_next_time_comes(alarm: Alarm) -> None:
    at_ten = alarm.put_on()
    alarm.now = at_ten
    alarm.daily.error = QueueFullError("The queue is full.")
    with pytest.raises(QueueFullError):
        alarm.look_at_clock()
    assert (alarm.firings(), alarm.next_at) == ([], at_ten)
    alarm.do(lambda tx: refuse(tx, alarm.daily, "morning", alarm.epoch, "The queue is full."))
    assert [(each.outcome, each.detail) for each in alarm.firings()] == [("refused", "The queue is full.")]
    assert alarm.next_at == at_ten + DAY


def test_a_process_that_leads_no_more_fires_nothing(alarm: Alarm) -> None:
    alarm.put()
    alarm.pass_time(NINE)
    alarm.do(lambda tx: take_over(tx, "another"))
    with pytest.raises(EpochOverError):
        alarm.look_at_clock()
    assert alarm.firings() == []


def test_a_schedule_that_is_set_anew_keeps_its_history_and_a_deleted_one_does_not(alarm: Alarm) -> None:
    alarm.put()
    alarm.pass_time(timedelta(hours=1))
    alarm.look_at_clock()
    assert alarm.put(hour=12).next_at == alarm.now + timedelta(hours=2)
    assert len(alarm.firings()) == 1
    alarm.do(lambda tx: delete_schedule(tx, "morning"))
    assert (alarm.do(all_schedules), alarm.firings()) == ([], [])
    with pytest.raises(UnknownScheduleError, match="no schedule 'morning'; list_schedules"):
        alarm.do(lambda tx: delete_schedule(tx, "morning"))


def test_schedules_are_listed_by_name(alarm: Alarm) -> None:
    for name in ("b", "a"):
        alarm.put(name=name)
    assert [each.name for each in alarm.do(all_schedules)] == ["a", "b"]


@dataclass(slots=True)
class Soon(Daily):
    """Comes every 20 milliseconds."""

    def next_after(self, schedule: Schedule, moment: datetime) -> datetime | None:
        del schedule
        return moment + timedelta(milliseconds=20)

    def fire(self, tx: Transaction, schedule: Schedule) -> Fired:
        self.fired.append(schedule)
        if len(self.fired) == 2:
            raise QueueFullError("The queue is full.")
        answers = enqueue(tx, [fetch()])
        return Fired(answers[0].task.run_id)


async def test_a_leader_fires_its_schedules_and_goes_on_after_one_that_is_refused(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    soon = Soon()
    desk = SequentialQueueManager(database, HANDLERS, command="test", timetable=soon)
    async with serving(desk):
        # Set while the leader waits: it hears of it.
        await database.write(
            lambda tx: store_schedule(
                tx, soon, name="soon", queue=FETCH, rule={}, payload=NOTHING, is_on=True
            )
        )
        while len(soon.fired) < 4:
            await desk.bell.next_ring().wait()
    firings = database.read_now(lambda tx: firings_of(tx, "soon"))
    # On a slow machine some of its times pass before it looks.
    met = [each.outcome for each in firings if each.outcome is not FiringOutcome.MISSED]
    assert met[-3:] == ["fired", "refused", "fired"]
    database.close()


async def test_it_waits_without_looking_while_nothing_is_due(alarm: Alarm) -> None:
    alarm.put()
    desk = SequentialQueueManager(alarm.database, {}, command="test")
    with anyio.move_on_after(0.05):
        await keep_schedules(alarm.database, desk.bell, alarm.daily, alarm.epoch)
    assert alarm.firings() == []


@pytest.mark.parametrize("queue", QueueName)
def test_every_queue_may_have_one(alarm: Alarm, queue: QueueName) -> None:
    schedule = alarm.do(
        lambda tx: store_schedule(
            tx, alarm.daily, name="x", queue=queue, rule={"hour": 1}, payload={"a": [1]}, is_on=False
        )
    )
    assert (schedule.queue, schedule.payload, schedule.rule) == (queue, {"a": [1]}, {"hour": 1})
