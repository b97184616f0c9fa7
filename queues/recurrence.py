"""Fires schedules when they are due, in the process that leads."""

import logging

from queues.database import Database
from queues.doorbell import Doorbell
from queues.errors import EngineError, EpochOverError, StorageError
from queues.schedules import Schedule, Timetable, fire, first_due, refuse
from queues.topics import Topic

log = logging.getLogger(__name__)


async def keep_schedules(database: Database, bell: Doorbell, timetable: Timetable, epoch: int) -> None:
    """Fire whatever is due, again and again, until cancelled.

    Raises:
        EpochOverError: this process leads no more.
    """
    while True:
        heard = bell.next_ring(Topic.SCHEDULES)
        first = await database.read(first_due)
        wait = None if first is None or first.next_at is None else first.next_at - database.clock()
        if first is not None and wait is not None and wait.total_seconds() <= 0:
            await _fire(database, timetable, first, epoch)
        else:
            await bell.wait(heard, wait)


async def _fire(database: Database, timetable: Timetable, due: Schedule, epoch: int) -> None:
    try:
        await database.write(lambda tx: fire(tx, timetable, due.name, epoch))
    except (EpochOverError, StorageError):
        raise
    except EngineError as error:
        why = str(error)
        log.error("The schedule %s could not fire: %s", due.name, why)  # noqa: TRY400 (no bug of ours)
        await database.write(lambda tx: refuse(tx, timetable, due.name, epoch, why))
