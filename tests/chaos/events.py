"""The log outside the database: what each process did, and what was done to it, in the order in which it happened."""

import os
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class What(StrEnum):
    STARTS = "starts"
    ENDS = "ends"
    ENQUEUED = "enqueued"
    CANCELLED = "cancelled"
    RETRIES = "retries"
    HELD = "held"
    RELEASES = "releases"
    DIES = "dies"
    # The driver writes these, about the process, just before it sends the signal.
    KILLED = "killed"
    STOPPED = "stopped"
    CONTINUED = "continued"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Event:
    """One line. `at` is in nanoseconds of the clock that never jumps, the same for all processes of the machine.

    What an event does in the third person ("starts", "retries") stands before it happens, the rest after it.
    """

    at: int
    pid: int
    what: What
    queue: str
    task_id: str
    claim: int
    detail: str

    def __str__(self) -> str:
        return " ".join(
            str(each)
            for each in (self.at, self.pid, self.what, self.queue, self.task_id, self.claim, self.detail)
        )

    @classmethod
    def parse(cls, line: str) -> "Event":
        at, pid, what, queue, task_id, claim, detail = line.split(" ", 6)
        return cls(int(at), int(pid), What(what), queue, task_id, int(claim), detail)


class Log:
    def __init__(self, path: Path) -> None:
        # Appends of one write each: the lines of several processes never mix, and stand in their true order.
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(
        self,
        what: What,
        *,
        pid: int | None = None,
        queue: str = "-",
        task_id: str = "-",
        claim: int = 0,
        detail: str = "-",
    ) -> None:
        event = Event(time.monotonic_ns(), pid or os.getpid(), what, queue, task_id, claim, detail)
        os.write(self._descriptor, f"{event}\n".encode())

    def close(self) -> None:
        os.close(self._descriptor)


def read_events(path: Path) -> list[Event]:
    return [Event.parse(line) for line in path.read_text(encoding="utf-8").splitlines()]
