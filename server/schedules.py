"""Recurring work as a client sets and sees it: each function reads or writes once, and answers with a view."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

from pydantic import ValidationError

from handlers.day import spoken
from handlers.portfolio_sync import SyncPayload
from handlers.stocks import Exchange, parse_exchange
from handlers.timetable import Rounds, Rule, rule_of
from queues.database import Transaction
from queues.model import JsonObject, QueueName
from queues.schedules import (
    Firing,
    FiringOutcome,
    Schedule,
    all_schedules,
    delete_schedule,
    find_schedule,
    firings_of,
    store_schedule,
)
from server.desk import Desk, desk_timetable
from server.enqueueing import RequestError
from server.explaining import explain
from server.syncs import SyncWish, sync_payload
from server.views import View

# A few for each queue: what is more is a client that sets them in circles.
MOST_SCHEDULES = 10
FIRINGS_SHOWN = 5


class FiringView(View):
    """What came of one fire time: fired, made_up (late, on its day), missed, or refused."""

    fire_at: datetime
    outcome: FiringOutcome
    run_id: str | None
    detail: str | None

    @classmethod
    def of(cls, firing: Firing) -> "FiringView":
        return cls(fire_at=firing.fire_at, outcome=firing.outcome, run_id=firing.run_id, detail=firing.detail)


class ScheduleView(View):
    """`next_at` is null while it is off. `latest` holds its newest five fire times."""

    name: str
    queue: QueueName
    cron: str
    timezone: str
    trading_days_of: Exchange | None
    does: str
    is_on: bool
    next_at: datetime | None
    latest: list[FiringView]

    @classmethod
    def of(cls, tx: Transaction, schedule: Schedule) -> "ScheduleView":
        rule = rule_of(schedule)
        return cls(
            name=schedule.name,
            queue=schedule.queue,
            cron=rule.cron,
            timezone=rule.timezone,
            trading_days_of=rule.trading_days_of,
            does=_does(schedule),
            is_on=schedule.is_on,
            next_at=schedule.next_at,
            latest=[FiringView.of(each) for each in firings_of(tx, schedule.name, FIRINGS_SHOWN)],
        )


class ScheduleList(View):
    """All schedules of the desk, by name."""

    schedules: list[ScheduleView]
    message: str


class ScheduleChange(View):
    schedule: ScheduleView
    message: str


def _does(schedule: Schedule) -> str:
    match schedule.queue:
        case QueueName.PORTFOLIO_SYNC:
            sync = SyncPayload.model_validate(schedule.payload)
            review = ", then fetches and analyses what it holds" if sync.then_review else ""
            heads = ", ".join(f"{meaning} from {head!r}" for meaning, head in (sync.columns or {}).items())
            columns = f" ({heads})" if heads else ""
            return f"Syncs {sync.account} from {sync.path or sync.broker}{columns}{review}."
        case QueueName.DATA_FETCHER:
            return "Fetches the prices of everything held that are not fresh."
        case QueueName.AI_ANALYSIS:
            return "Analyses everything held; what has not changed keeps its verdict, at no cost."


async def schedules(desk: Desk) -> ScheduleList:
    def read(tx: Transaction) -> ScheduleList:
        views = [ScheduleView.of(tx, each) for each in all_schedules(tx)]
        return ScheduleList(schedules=views, message=" ".join(_remarks(views, desk.settings.zone, tx.now)))

    return await desk.database.read(read)


def _remarks(views: Sequence[ScheduleView], zone: tzinfo | None, now: datetime) -> Iterator[str]:
    if not views:
        yield "There are no schedules; set_schedule makes one."
    coming = [each for each in views if each.next_at is not None]
    if coming:
        first = min(coming, key=lambda each: each.next_at or now)
        assert first.next_at is not None
        yield f"Next: {first.name}, {spoken(first.next_at, zone, now=now)}."
    for each in views:
        last = each.latest[0] if each.latest else None
        if last is not None and last.outcome in (FiringOutcome.MISSED, FiringOutcome.REFUSED):
            why = last.detail or "no process ran the queues; `stockdesk install service` keeps one running."
            yield f"{each.name} {last.outcome} its time {spoken(last.fire_at, zone, now=now)}: {why}"


async def put_schedule(
    desk: Desk,
    *,
    name: str,
    queue: QueueName,
    cron: str,
    timezone: str | None,
    trading_days_of: str | None,
    sync: SyncWish,
    turn_on: bool,
) -> ScheduleChange:
    """Store or replace one schedule; it works only once it is turned on. `sync` is for portfolio_sync alone.

    Raises:
        RequestError: the rule cannot be meant, or the queue needs or takes no path.
        StockError: an exchange is not known.
    """
    market = None if trading_days_of is None else parse_exchange(trading_days_of)
    rule = _rule(desk, cron, timezone, market)
    payload = _payload(desk, queue, sync)

    def work(tx: Transaction) -> ScheduleChange:
        known = {each.name: _does(each) for each in all_schedules(tx)}
        if name not in known and len(known) >= MOST_SCHEDULES:
            raise RequestError(
                f"There are {len(known)} schedules already, the most there may be; delete_schedule removes one."
            )
        stored = store_schedule(
            tx,
            desk_timetable(desk.settings, desk.clock),
            name=name,
            queue=queue,
            rule=rule.model_dump(mode="json"),
            payload=payload,
            is_on=turn_on,
        )
        said = (
            f"{name} is off; call again with turn_on=true once the user wants it."
            if stored.next_at is None
            else f"{name} fires next {spoken(stored.next_at, desk.settings.zone, now=tx.now)}, if a client or "
            "`stockdesk worker` is open then; `stockdesk install service` keeps one running."
        )
        view = ScheduleView.of(tx, stored)
        if known.get(name, view.does) != view.does:
            said += f" It replaces the one that did this: {known[name]}"
        return ScheduleChange(schedule=view, message=said)

    return await desk.database.write(work)


def _rule(desk: Desk, cron: str, timezone: str | None, market: Exchange | None) -> Rule:
    zone = timezone or desk.settings.timezone or (None if market is None else market.zone.key)
    if zone is None:
        raise RequestError("Give timezone (like Asia/Kolkata), trading_days_of, or set STOCKDESK_TIMEZONE.")
    try:
        return Rule(cron=cron, timezone=zone, trading_days_of=market)
    except ValidationError as error:
        raise RequestError(" ".join(explain(error))) from error


def _payload(desk: Desk, queue: QueueName, sync: SyncWish) -> JsonObject:
    if queue is not QueueName.PORTFOLIO_SYNC:
        if sync != SyncWish():
            raise RequestError(
                "path, broker, account, exchange, columns and then_review belong to portfolio_sync; a schedule of "
                f"{queue} takes everything that is held."
            )
        analyst = desk.settings.analyst if queue is QueueName.AI_ANALYSIS else None
        return Rounds(analyst=analyst).model_dump(mode="json")
    if (sync.path is None) == (sync.broker is None):
        raise RequestError(
            "A schedule of portfolio_sync needs either path, the export that it reads each time, or broker"
            f"{'' if sync.broker is None else ', not both'}."
        )
    return sync_payload(desk, sync).model_dump(mode="json")


async def remove_schedule(desk: Desk, name: str) -> ScheduleChange:
    """Delete one; what it has enqueued stays.

    Raises:
        UnknownScheduleError: there is none of this name.
    """

    def work(tx: Transaction) -> ScheduleChange:
        view = ScheduleView.of(tx, find_schedule(tx, name))
        delete_schedule(tx, name)
        return ScheduleChange(schedule=view, message=f"{name} is deleted; what it enqueued stays.")

    return await desk.database.write(work)
