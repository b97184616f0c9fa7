"""desk_process.py with one death in it: `dying_process.py FOLDER LOG MOMENT`; it kills itself at that moment."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import anyio

from queues import scheduler, worker
from queues.worker import Worker
from tests.queues.programs.desk_process import main


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("never reached")


def dying_after(work: Callable[..., object]) -> Callable[..., object]:
    """Within its transaction: what `work` did is never committed."""

    def work_and_die(*args: object) -> NoReturn:
        work(*args)
        die()

    return work_and_die


def dying_at_start(number: int) -> Callable[..., object]:
    """When this many tasks were claimed, and the last of them has not begun; the claim is committed."""
    attempt, left = Worker._attempt, number  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (no other moment lies between)

    def count_down(*args: object) -> object:
        nonlocal left
        left -= 1
        return attempt(*args) if left else die()  # pyright: ignore[reportArgumentType] (passed on)

    return count_down


MOMENTS: dict[str, Callable[[], None]] = {
    "in the rescue": lambda: setattr(scheduler, "take_over", dying_after(scheduler.take_over)),
    "after the first claim": lambda: setattr(Worker, "_attempt", dying_at_start(1)),
    "after a claim with a record": lambda: setattr(Worker, "_attempt", dying_at_start(2)),
    "in the record": lambda: setattr(worker, "record", dying_after(worker.record)),
}

if __name__ == "__main__":
    MOMENTS[sys.argv[3]]()
    anyio.run(main, Path(sys.argv[1]), Path(sys.argv[2]))
