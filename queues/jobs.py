"""A thread that works for the event loop: it takes all that waits as one batch, so that a batch costs one commit."""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import anyio


@dataclass(slots=True, eq=False)
class Job:
    """One piece of work for the thread, and how it ended: with a result, unless there is an error."""

    work: Callable[..., Any]
    result: Any = None
    error: BaseException | None = None
    after: Callable[[], None] | None = None
    """What the loop does once the job is done, before whoever waits for it goes on."""


class _Waiting:
    __slots__ = ("_waker", "is_done", "is_settled", "job", "loop")

    def __init__(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        self.job = job
        self.loop = loop
        self.is_settled = False
        """Taken into a batch, or withdrawn: whichever came first."""
        self.is_done = False
        self._waker: asyncio.Future[None] | None = None

    def finish(self) -> None:
        if self.job.after is not None:
            self.job.after()
        self.is_done = True
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)

    async def done(self) -> None:
        """Wait for it; only one may. An event would do the same for many."""
        if not self.is_done:
            self._waker = self.loop.create_future()
            await self._waker


class Parked:
    """A job that joins the next batch about its topic, so that its work and what it waited for are one commit."""

    def __init__(self, thread: "JobThread", job: Job, topic: int) -> None:
        self.topic = topic
        self.waiting = _Waiting(job, asyncio.get_running_loop())
        self._thread = thread

    def __enter__(self) -> Self:
        self._thread.parked.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.parked.remove(self)

    async def result(self) -> Any:
        """What it returned; None if it failed, or has not been run: then it never will be."""
        if self._thread.settle(self.waiting):
            return None
        with anyio.CancelScope(shield=True):
            await self.waiting.done()
        return None if self.waiting.job.error is not None else self.waiting.job.result


class JobThread:
    """Runs batch after batch; the event loop never waits for one.

    asyncio and not anyio: anyio's way from a thread into the loop makes the thread wait for the loop, and the
    next batch with it.
    """

    def __init__(self, name: str, run: Callable[[Sequence[Job]], None]) -> None:
        """`run` settles each job of a batch; an error that it raises is that of all of them."""
        self._name = name
        self._run = run
        self._line: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._gathered: list[_Waiting] = []
        self._woken = 0
        """How many the last batch woke: they ask for the next thing in the same turn of the loop."""
        self._settling = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self.parked: list[Parked] = []
        self._joined: list[_Waiting] = []

    async def do(self, job: Job) -> None:
        """Return once the job is done; cancelled before its batch began, it is never run.

        Raises:
            RuntimeError: the thread was closed.
        """
        waiting = _Waiting(job, asyncio.get_running_loop())
        self._put(waiting)
        try:
            await waiting.done()
        except BaseException:
            if not self.settle(waiting):
                with anyio.CancelScope(shield=True):
                    await waiting.done()
            raise

    def close(self) -> None:
        """End the thread, after what waits."""
        self._hand_over()
        with self._settling:
            self._is_closed = True
            self._line.put(None)
        if self._thread is not None:
            self._thread.join()

    def _put(self, waiting: _Waiting) -> None:
        """Hand it to the thread; after this turn of the loop where several may ask, so that they share a commit."""
        with self._settling:
            if self._is_closed:
                raise RuntimeError(f"The {self._name} is closed.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            if self._woken <= 1:  # nobody else will ask in this turn
                self._line.put([waiting])
                return
            if not self._gathered or self._gathered[-1].loop is not waiting.loop:
                waiting.loop.call_soon(self._hand_over)
            self._gathered.append(waiting)

    def _hand_over(self) -> None:
        with self._settling:
            gathered, self._gathered = self._gathered, []
            if gathered:
                self._line.put(gathered)

    def join(self, topic: int) -> list[Job]:
        """For inside a batch: the parked jobs about this topic, which are of the batch from now on."""
        if not self.parked:
            return []
        joining = [
            each.waiting for each in list(self.parked) if each.topic & topic and self.settle(each.waiting)
        ]
        self._joined += joining
        return [waiting.job for waiting in joining]

    @property
    def has_joined(self) -> bool:
        """Whether a parked job is of the present batch."""
        return bool(self._joined)

    def settle(self, waiting: _Waiting) -> bool:
        with self._settling:
            if waiting.is_settled:
                return False
            waiting.is_settled = True
            return True

    def _work(self) -> None:
        is_open = True
        while is_open:
            lines = [self._line.get()]
            while not self._line.empty():  # nobody else takes from it
                lines.append(self._line.get())
            is_open = None not in lines
            self._run_batch([each for line in lines for each in line or () if self.settle(each)])

    def _run_batch(self, batch: Sequence[_Waiting]) -> None:
        try:
            self._run([waiting.job for waiting in batch])
        except BaseException as error:  # noqa: BLE001 (it is raised where the work was asked for)
            for waiting in batch:
                waiting.job.error = error
        batch, self._joined = [*batch, *self._joined], []
        for loop in {waiting.loop for waiting in batch}:
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(self._finish, [each for each in batch if each.loop is loop])

    def _finish(self, batch: Sequence[_Waiting]) -> None:
        self._woken = len(batch)
        for waiting in batch:
            waiting.finish()
