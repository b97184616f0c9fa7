"""A process that runs the queues of a home for benchmarks/processes.py: `queue_process.py HOME`.

Prints a line once it listens. Its handlers write to HOME/log when they start and when they end.
"""

import logging
import sys
from pathlib import Path

import anyio

from queues.context import Handler, TaskContext
from queues.database import Database
from queues.outcome import Completed, Outcome
from queues.scheduler import SequentialQueueManager, engine_migrations
from tests.chaos.events import Log, What


def open_queues(home: Path) -> Database:
    return Database(home / "desk.db", {"queues": engine_migrations()})


def handler(log: Log, *, waits: bool) -> Handler:
    async def work(ctx: TaskContext) -> Outcome:
        task = ctx.task
        log.write(What.STARTS, queue=task.queue, task_id=task.id, claim=task.claim)
        try:
            if waits:
                await anyio.sleep_forever()
            return Completed({})
        finally:
            log.write(What.ENDS, queue=task.queue, task_id=task.id, claim=task.claim)

    return work


async def main(home: Path) -> None:
    logging.disable(logging.WARNING)  # a cancelled or rescued task is nothing to report here
    log = Log(home / "log")
    handlers = {"ends": handler(log, waits=False), "waits": handler(log, waits=True)}
    desk = SequentialQueueManager(open_queues(home), handlers, command="benchmark")
    async with anyio.create_task_group() as tasks:
        await tasks.start(desk.run)
        print("listens", flush=True)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
