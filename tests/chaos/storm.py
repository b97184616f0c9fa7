"""The driver: starts processes over one home and ends, stops and continues them at random moments.

It forks them, for that costs a millisecond, and so has one thread, no event loop and no open database itself.
"""

import logging
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from random import Random

from tests.chaos.events import Event, Log, What
from tests.chaos.member import drain, fork, live
from tests.chaos.story import ENGINE_LOG
from tests.chaos.work import Doom, Point

LEAVE_SECONDS = 20.0
DRAIN_SECONDS = 120.0
# What anyio imports when its first loop starts: once here instead of in each child.
import_module("anyio._backends._asyncio")


class Tail:
    """Follows the log, to tell who leads: the process that last started a task."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._rest = b""
        self.leader = 0

    def look(self) -> int:
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in reversed(lines):
            if f" {What.STARTS} ".encode() in line:
                self.leader = Event.parse(line.decode()).pid
                break
        return self.leader

    def close(self) -> None:
        self._file.close()


@dataclass(slots=True)
class Storm:
    """One home under chaos. The seed settles what is done, not what it meets: the processes are real."""

    home: Path
    rng: Random
    members: int
    log: Log = field(init=False)
    kills: int = field(init=False, default=0)
    wal_peak: int = field(init=False, default=0)
    failures: list[str] = field(init=False, default_factory=list[str])
    _tail: Tail = field(init=False)
    _alive: set[int] = field(init=False, default_factory=set[int])
    _stopped: dict[int, float] = field(init=False, default_factory=dict[int, float])
    _leaving: dict[int, float] = field(init=False, default_factory=dict[int, float])

    def __post_init__(self) -> None:
        self.log = Log(self.home / "log")
        self._tail = Tail(self.home / "log")
        logging.basicConfig(
            filename=self.home / ENGINE_LOG, format="%(process)d %(levelname)s %(message)s", force=True
        )

    def run(self, kills: int) -> None:
        """Until so many processes were killed; then let one process run all that is left."""
        try:
            while self.kills < kills and not self.failures:
                self._step()
            for pid in self._alive:
                self._continue(pid)
                self._ask(pid)
            self._await_exits(LEAVE_SECONDS)
            self._alive.add(fork(partial(drain, self.home, self.log)))
            self._await_exits(DRAIN_SECONDS)
        finally:
            for pid in self._alive:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            self.log.close()
            self._tail.close()

    def _step(self) -> None:
        self._reap()
        self._continue_or_kill_the_stopped()
        while len(self._alive) < self.members:
            self._start()
        # A random moment is what is tested; now and then the queues get on for a while.
        time.sleep(self.rng.uniform(0, 0.4 if self.rng.random() < 0.1 else 0.06))
        self._measure_log()
        leader = self._tail.look()
        victim = leader if leader in self._alive and self.rng.random() < 0.75 else self._any()
        acts = (self._kill, self._hunt, self._stop, self._ask, self._ask_and_kill)
        self.rng.choices(acts, (46, 10, 16, 16, 12))[0](victim)

    def _reap(self) -> None:
        while self._alive:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._alive.discard(pid)
            if self._stopped.pop(pid, None) is not None:
                self.log.write(What.CONTINUED, pid=pid)  # it holds up nothing any more
            self._leaving.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            self.kills += code == -signal.SIGKILL
            # SIGTERM ends a process that is too young to catch it.
            if code not in (0, -signal.SIGKILL, -signal.SIGTERM):
                self.failures.append(f"Process {pid} ended with {code}; {ENGINE_LOG} has the reason.")

    def _await_exits(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._alive and not self.failures:
            if time.monotonic() > deadline:
                self.failures.append(f"After {seconds} s these processes still run: {self._alive}.")
            time.sleep(0.005)
            self._measure_log()
            self._reap()

    def _measure_log(self) -> None:
        with suppress(FileNotFoundError):
            self.wal_peak = max(self.wal_peak, (self.home / "desk.db-wal").stat().st_size)

    def _any(self) -> int:
        return self.rng.choice(sorted(self._alive))

    def _start(self) -> None:
        doom = Doom(self.log)
        if self.rng.random() < 0.6:
            doom = Doom(self.log, self.rng.choice(list(Point)), self.rng.randint(1, 15))
        rng = Random(self.rng.random())
        self._alive.add(fork(partial(live, self.home, self.log, rng, doom)))

    def _kill(self, pid: int) -> None:
        self.log.write(What.KILLED, pid=pid)
        os.kill(pid, signal.SIGKILL)

    def _hunt(self, pid: int) -> None:
        """Kill one after another as each takes over, all but one."""
        hunted = [pid, *self.rng.sample(sorted(self._alive - {pid}), max(len(self._alive) - 2, 0))]
        for each in hunted:
            self._kill(each)
            time.sleep(self.rng.uniform(0, 0.01))

    def _stop(self, pid: int) -> None:
        if pid not in self._stopped:
            self.log.write(What.STOPPED, pid=pid)
            os.kill(pid, signal.SIGSTOP)
            self._stopped[pid] = time.monotonic() + self.rng.uniform(0, 0.25)

    def _continue_or_kill_the_stopped(self) -> None:
        for pid, until in list(self._stopped.items()):
            if time.monotonic() >= until:
                if self.rng.random() < 0.3:
                    self._kill(pid)
                else:
                    self._continue(pid)

    def _continue(self, pid: int) -> None:
        if self._stopped.pop(pid, None) is not None:
            self.log.write(What.CONTINUED, pid=pid)
            os.kill(pid, signal.SIGCONT)

    def _ask(self, pid: int) -> None:
        if pid not in self._leaving:
            self.log.write(What.ASKED, pid=pid)
            os.kill(pid, signal.SIGTERM)
            self._leaving[pid] = time.monotonic()

    def _ask_and_kill(self, pid: int) -> None:
        """As a client does that gives its server little time."""
        self._ask(pid)
        time.sleep(self.rng.uniform(0, 0.01))
        self._kill(pid)
