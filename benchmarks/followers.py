"""A follower and its calls, and processes that run the queues, for benchmarks/processes.py."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from benchmarks.parallel import fresh_home
from benchmarks.queue_process import open_queues
from queues.control import cancel_task, retry_task
from queues.database import Database
from queues.doorbell import Doorbell
from queues.holds import hold_queue, release_queue
from queues.model import NewTask, QueueName, Task
from queues.store import enqueue, find_task
from tests.chaos.events import What, read_events

FETCH = QueueName.DATA_FETCHER
# Between two rounds: the leader is idle again then, as it is between two requests of a person.
SETTLE_SECONDS = 0.02
PATIENCE_SECONDS = 30.0
PROGRAM = Path(__file__).with_name("queue_process.py")
Process = subprocess.Popen[bytes]


@dataclass(slots=True)
class Follower:
    """This process as one that does not lead."""

    home: Path
    database: Database
    bell: Doorbell

    async def put(self, kind: str) -> Task:
        new = NewTask(queue=FETCH, kind=kind, payload={}, max_attempts=10_000)
        [answer] = await self.database.write(lambda tx: enqueue(tx, [new]))
        return answer.task

    async def until_finished(self, task: Task) -> int:
        """Woken by the bell; the moment at which this process has read that the task is finished."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while True:
                heard = self.bell.next_ring()
                seen = await self.database.read(lambda tx: find_task(tx, task.id))
                if seen.state.is_finished:
                    return time.monotonic_ns()
                await self.bell.wait(heard)

    async def moment(self, what: What, task: Task, claim: int = 1) -> int:
        """When the handler wrote this line."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while True:
                for event in read_events(self.home / "log"):
                    if (event.what, event.task_id, event.claim) == (what, task.id, claim):
                        return event.at
                await anyio.sleep(0.002)

    async def settle(self) -> None:
        """Until nothing goes on any more; the log starts anew."""
        await anyio.sleep(SETTLE_SECONDS)
        os.truncate(self.home / "log", 0)


@asynccontextmanager
async def following(home: Path) -> AsyncGenerator[Follower]:
    database = open_queues(home)
    (home / "log").touch()
    bell = Doorbell(database)
    try:
        async with anyio.create_task_group() as tasks:
            await tasks.start(bell.run)
            yield Follower(home, database, bell)
            tasks.cancel_scope.cancel()
    finally:
        database.close()


async def enqueued(follower: Follower) -> int:
    begin = time.monotonic_ns()
    task = await follower.put("ends")
    return await follower.moment(What.STARTS, task) - begin


async def cancelled(follower: Follower) -> int:
    task = await follower.put("waits")
    await follower.moment(What.STARTS, task)
    await follower.settle()
    begin = time.monotonic_ns()
    await follower.database.write(lambda tx: cancel_task(tx, task.id, "benchmark"))
    return await follower.moment(What.ENDS, task) - begin


async def released(follower: Follower) -> int:
    await follower.database.write(lambda tx: hold_queue(tx, FETCH, "user", "benchmark"))
    task = await follower.put("ends")
    await follower.settle()
    begin = time.monotonic_ns()
    await follower.database.write(lambda tx: release_queue(tx, FETCH))
    return await follower.moment(What.STARTS, task) - begin


async def retried(follower: Follower) -> int:
    task = await follower.put("ends")
    await follower.until_finished(task)
    await follower.settle()
    begin = time.monotonic_ns()
    await follower.database.write(lambda tx: retry_task(tx, task.id))
    return await follower.moment(What.STARTS, task, claim=2) - begin


async def ended(follower: Follower) -> int:
    task = await follower.put("ends")
    seen = await follower.until_finished(task)
    return seen - await follower.moment(What.ENDS, task)


async def committed(follower: Follower) -> int:
    begin = time.monotonic_ns()
    await follower.database.write(lambda tx: tx.run("UPDATE leader SET led_since = led_since"))
    return time.monotonic_ns() - begin


CALLS: dict[str, Callable[[Follower], Awaitable[int]]] = {
    "enqueue here -> handler's first line in the leader": enqueued,
    "cancel here -> handler's scope cancelled in the leader": cancelled,
    "release here -> handler's first line in the leader": released,
    "retry here -> handler's first line in the leader": retried,
    "handler's last line in the leader -> read here": ended,
    "one commit here, for comparison": committed,
}
"""Each returns nanoseconds."""


def start_queues(home: Path, stack: ExitStack) -> Process:
    """A process that listens, and leads once nobody else does."""
    process = subprocess.Popen([sys.executable, PROGRAM, home], stdout=subprocess.PIPE)
    stack.enter_context(process)
    stack.callback(process.kill)
    assert process.stdout is not None
    assert process.stdout.readline() == b"listens\n"
    return process


async def calls(rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each round, by call."""
    measured = {name: list[float]() for name in CALLS}
    with fresh_home() as home, ExitStack() as stack:
        async with following(home) as follower:
            start_queues(home, stack)
            for name, call in CALLS.items():
                for _ in range(rounds):
                    await follower.settle()
                    measured[name].append(await call(follower) / 1e6)
    return measured


async def takeovers(rounds: int) -> list[float]:
    """Milliseconds from the kill of a leader, whose task waits, to the first line of that task in the next."""
    ms: list[float] = []
    with fresh_home() as home, ExitStack() as stack:
        async with following(home) as follower:
            leader = start_queues(home, stack)
            task = await follower.put("waits")
            for number in range(1, rounds + 1):
                successor = start_queues(home, stack)
                await follower.moment(What.STARTS, task, number)
                await follower.settle()
                begin = time.monotonic_ns()
                leader.kill()
                ms.append((await follower.moment(What.STARTS, task, number + 1) - begin) / 1e6)
                leader.wait()
                leader = successor
    return ms
