"""A thread that works for the event loop: it takes all that waits as one batch, so that a batch costs one commit."""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import anyio


@dataclass(slots=True, eq=False)
class Job:
    """One piece of work for the thread, and how it ended: with a result, unless there is an error."""

    work: Callable[..., Any]
    result: Any = None
    error: BaseException | None = None
    after: Callable[[], None] | None = None
    """What the loop does once the job is done, before whoever waits for it goes on."""


@dataclass(slots=True, eq=False)
class _Waiting:
    job: Job
    loop: asyncio.AbstractEventLoop
    done: anyio.Event = field(default_factory=anyio.Event)
    is_settled: bool = False
    """Taken into a batch, or withdrawn: whichever came first."""

    def finish(self) -> None:
        if self.job.after is not None:
            self.job.after()
        self.done.set()


class JobThread:
    """Runs batch after batch; the event loop never waits for one.

    asyncio and not anyio: anyio's way from a thread into the loop makes the thread wait for the loop, and the
    next batch with it.
    """

    def __init__(self, name: str, run: Callable[[Sequence[Job]], None]) -> None:
        """`run` settles each job of a batch; an error that it raises is that of all of them."""
        self._name = name
        self._run = run
        self._line: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._settling = threading.Lock()
        self._thread: threading.Thread | None = None

    async def do(self, job: Job) -> None:
        """Return once the job is done; cancelled before its batch began, it is never run."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        waiting = _Waiting(job, asyncio.get_running_loop())
        self._line.put(waiting)
        try:
            await waiting.done.wait()
        except BaseException:
            if not self._settle(waiting):
                with anyio.CancelScope(shield=True):
                    await waiting.done.wait()
            raise

    def close(self) -> None:
        """End the thread, after what waits."""
        if self._thread is not None:
            self._line.put(None)
            self._thread.join()
            self._thread = None

    def _settle(self, waiting: _Waiting) -> bool:
        with self._settling:
            if waiting.is_settled:
                return False
            waiting.is_settled = True
            return True

    def _work(self) -> None:
        is_open = True
        while is_open:
            line = [self._line.get()]
            with suppress(queue.Empty):
                while True:
                    line.append(self._line.get_nowait())
            is_open = None not in line
            self._run_batch([each for each in line if each is not None and self._settle(each)])

    def _run_batch(self, batch: Sequence[_Waiting]) -> None:
        try:
            self._run([waiting.job for waiting in batch])
        except BaseException as error:  # noqa: BLE001 (it is raised where the work was asked for)
            for waiting in batch:
                waiting.job.error = error
        for loop, done in groupby(batch, key=lambda waiting: waiting.loop):
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(_finish, list(done))


def _finish(batch: Sequence[_Waiting]) -> None:
    for waiting in batch:
        waiting.finish()
