"""One process of a home under chaos, forked from the driver."""

import logging
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import anyio

from queues.scheduler import SequentialQueueManager
from tests.chaos.events import Log
from tests.chaos.meddling import Meddler
from tests.chaos.work import Doom, Work, open_chaos


def fork(life: Callable[[], Awaitable[None]]) -> int:
    """A child that lives this life, exits with 0 at its end, with 70 by an error; returns its pid.

    Whoever forks has one thread, no event loop and no open database.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        anyio.run(life)
        code = 0
    except BaseException:
        logging.getLogger(__name__).exception("A process of the chaos ended by an error")
    finally:
        os._exit(code)  # what the driver has registered for its own exit is none of the child's


async def live(home: Path, log: Log, rng: Random, doom: Doom) -> None:
    """Run the queues and meddle with them until killed, or until SIGTERM; leaves as `stockdesk serve` does."""
    database = open_chaos(home, doom)
    desk = SequentialQueueManager(database, {"work": Work(log, doom)}, command="chaos", backoff=doom.backoff)
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:
            await tasks.start(desk.run)
            tasks.start_soon(Meddler(database, log, rng).run)
            await anext(signals)
            desk.interrupt()
            tasks.cancel_scope.cancel()
    database.close()


async def drain(home: Path, log: Log) -> None:
    """Run all that is left."""
    doom = Doom(log)
    database = open_chaos(home, doom)
    desk = SequentialQueueManager(database, {"work": Work(log, doom)}, command="chaos", backoff=doom.backoff)
    reports = await desk.execute_queues()
    assert not any(report.error for report in reports.values()), reports
    database.close()
