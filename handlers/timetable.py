"""When schedules fire, and what they enqueue: cron expressions, time zones and the market's calendar."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from handlers.freshness import oldest_first
from handlers.market_calendar import is_session
from handlers.planning import AnalysisOptions, Plan, enqueue_plan, plan_analysis, plan_fetch, sync_task
from handlers.portfolio_sync import SyncPayload
from handlers.resolve import held_stocks
from handlers.stocks import Exchange
from handlers.verdict import AnalystChoice
from queues.clock import Clock
from queues.database import Transaction
from queues.holds import ask_again
from queues.model import QueueName
from queues.schedules import Fired, Schedule

# Prices of a day change once, and a sync reads a file: what fires more often only fills the queues.
SHORTEST_GAP = timedelta(minutes=15)
# Two days of a daily pattern show its shortest gap.
_TIMES_LOOKED_AT = 200
# A rule is read as from this day on, so that what is refused today is refused tomorrow.
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)
# Saturdays are never trading days: somewhere the search has to end.
_MOST_DAYS_OFF = 3_000


class Rule(BaseModel):
    """When: a cron expression of five fields in a time zone, and only on days on which an exchange trades.

    Of a time that the change to summer time leaves out, the schedule fires right after the gap; of one that comes
    twice, once. So does Debian's cron, whose rules the library cronsim follows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cron: str = Field(max_length=100)
    timezone: str = Field(max_length=60)
    trading_days_of: Exchange | None = None

    @field_validator("cron")
    @classmethod
    def _one_line(cls, cron: str) -> str:
        return " ".join(cron.split())

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is no time zone; write one like Asia/Kolkata") from error
        return name

    @model_validator(mode="after")
    def _fires(self) -> "Rule":
        if len(self.cron.split()) != 5:  # noqa: PLR2004 (minute, hour, day, month, weekday)
            raise ValueError(f"the cron expression {self.cron!r} must have five fields, like '45 8 * * 1-5'")
        try:
            times = list(islice(self.times_after(_SOME_DAY), _TIMES_LOOKED_AT))
        except CronSimError as error:
            raise ValueError(f"the cron expression {self.cron!r} cannot be read: {error}") from error
        if not times:
            day = "day" if self.trading_days_of is None else f"trading day of {self.trading_days_of}"
            raise ValueError(f"the cron expression {self.cron!r} falls on no {day}")
        shortest = min((later - earlier for earlier, later in pairwise(times)), default=SHORTEST_GAP)
        if shortest < SHORTEST_GAP:
            raise ValueError(
                f"the cron expression {self.cron!r} comes again after {shortest.seconds // 60} minutes; "
                f"at least {SHORTEST_GAP.seconds // 60} must lie between"
            )
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def times_after(self, moment: datetime) -> Iterator[datetime]:
        """In UTC. Ends where no time is to come."""
        for time in islice(CronSim(self.cron, moment.astimezone(self.zone)), _MOST_DAYS_OFF):
            if self.trading_days_of is None or is_session(self.day_of(time), self.trading_days_of):
                yield time.astimezone(UTC)

    def day_of(self, moment: datetime) -> date:
        """The day that counts: the exchange's own where trading days do."""
        zone = self.zone if self.trading_days_of is None else self.trading_days_of.zone
        return moment.astimezone(zone).date()


class Rounds(BaseModel):
    """What a schedule of fetches or analyses is for: all that is held when it fires. `analyst` judges."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    analyst: AnalystChoice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTimetable:
    """The `Timetable` of one desk; `clock` is the desk's own, which decides what data is fresh."""

    clock: Clock
    stocks_per_session: int
    session_deadline: timedelta

    def next_after(self, schedule: Schedule, moment: datetime) -> datetime | None:
        return next(rule_of(schedule).times_after(moment), None)

    def is_same_day(self, schedule: Schedule, fire_at: datetime, moment: datetime) -> bool:
        rule = rule_of(schedule)
        return rule.day_of(fire_at) == rule.day_of(moment)

    def fire(self, tx: Transaction, schedule: Schedule) -> Fired:
        plan = self._plan(tx, schedule)
        if not plan.tasks and not plan.covered:
            return Fired(None, "Nothing is held.")
        enqueued = enqueue_plan(tx, plan)
        met = [each.task.id for each in enqueued if each.already_queued]
        ask_again(tx, [*met, *(task.id for task in plan.covered.values())], tx.now)
        new = [each.task for each in enqueued if not each.already_queued]
        if not new:
            return Fired(None, "All of it was queued already.")
        return Fired(new[0].run_id, f"{len(new)} task{'s' * (len(new) != 1)}")

    def _plan(self, tx: Transaction, schedule: Schedule) -> Plan:
        match schedule.queue:
            case QueueName.PORTFOLIO_SYNC:
                return Plan([sync_task(SyncPayload.model_validate(schedule.payload))], {})
            case QueueName.DATA_FETCHER:
                return plan_fetch(oldest_first(tx, held_stocks(tx)), force=False)
            case QueueName.AI_ANALYSIS:
                options = AnalysisOptions(
                    analyst=Rounds.model_validate(schedule.payload).analyst,
                    stocks_per_session=self.stocks_per_session,
                    session_deadline=self.session_deadline,
                )
                stocks = oldest_first(tx, held_stocks(tx))
                return plan_analysis(tx, stocks, options, now=self.clock())


def rule_of(schedule: Schedule) -> Rule:
    """When the schedule fires."""
    return _read_rule(json.dumps(schedule.rule))


@lru_cache(maxsize=100)
def _read_rule(text: str) -> Rule:
    """To check a rule takes some milliseconds, and each of its times asks for it."""
    return Rule.model_validate_json(text)
