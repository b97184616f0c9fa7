"""A process that runs the queues of a home, as a server does: `desk_process.py FOLDER LOG`.

Prints a line once it listens. Its handler writes a line to LOG when it starts and when it ends:
`start|end QUEUE TASK CLAIM PID`.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import anyio

from queues.context import Handler, TaskContext
from queues.database import Database
from queues.outcome import Completed, Outcome
from queues.scheduler import SequentialQueueManager, engine_migrations


def appending_to(path: Path) -> Callable[[str], None]:
    # Appends of one write each: the lines of several processes never mix, and stand in their true order.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def append(line: str) -> None:
        os.write(descriptor, f"{line} {os.getpid()}\n".encode())

    return append


def handler(write: Callable[[str], None]) -> Handler:
    async def work(ctx: TaskContext) -> Outcome:
        task = ctx.task
        write(f"start {task.queue} {task.id} {task.claim}")
        if task.claim <= int(str(task.payload.get("hangs", 0))):
            await anyio.sleep_forever()
        await ctx.report(1, 1, "at work")
        if task.claim <= int(str(task.payload.get("dies", 0))):
            os.kill(os.getpid(), signal.SIGKILL)
        write(f"end {task.queue} {task.id} {task.claim}")
        return Completed({"pid": os.getpid()})

    return work


async def main(folder: Path, log: Path) -> None:
    database = Database(folder / "desk.db", {"queues": engine_migrations()})
    desk = SequentialQueueManager(
        database, {"work": handler(appending_to(log))}, command="test", backoff=lambda _: timedelta()
    )
    async with anyio.create_task_group() as tasks:
        await tasks.start(desk.run)
        print("listens", flush=True)  # noqa: T201 (the test waits for it)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), Path(sys.argv[2]))
