"""A process that leads the queues of a home, and whose handler stalls: `stalling_desk.py HOME loop|write|fork`.

It blocks the event loop; the loop in the middle of a write; or the loop after it has forked a child, which lives and
has all open files. Prints when it does: `stalls CHILD`.
"""

import os
import signal
import sys
import threading
from pathlib import Path

import anyio

from queues.context import TaskContext
from queues.database import Transaction
from queues.outcome import Completed, Outcome
from queues.scheduler import SequentialQueueManager
from server.desk import open_database
from server.settings import load_settings


def stall(_: Transaction | None = None, *, child: int = 0) -> None:
    print("stalls", child, flush=True)  # noqa: T201 (the test waits for it)
    threading.Event().wait()


def forked() -> int:
    child = os.fork()
    if child == 0:
        signal.pause()
    return child


async def main(home: Path, where: str) -> None:
    database = open_database(load_settings(home=home))

    async def handler(ctx: TaskContext) -> Outcome:
        del ctx
        if where == "write":
            database.write_now(stall)
        stall(child=forked() if where == "fork" else 0)
        return Completed({})

    await SequentialQueueManager(database, {"stalls": handler}, command="stalling").run()


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2])
