"""Running queues under test, on the real clock; nothing here sleeps."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio

from queues.context import Handler, TaskContext
from queues.database import Database
from queues.inspection import intervals
from queues.model import NewTask, QueueName, Task, TaskState
from queues.outcome import Completed, Outcome
from queues.scheduler import SequentialQueueManager, engine_migrations
from queues.store import enqueue, find_task
from tests.queues.desk import FETCH, fetch

# Far above what anything takes, and below `IDLE_RECHECK`: what a lost wakeup delays would be seen.
PATIENCE = 25.0


def open_database(folder: Path) -> Database:
    return Database(folder / "desk.db", {"queues": engine_migrations()})


def manager(database: Database, handlers: Mapping[str, Handler]) -> SequentialQueueManager:
    """A manager whose retries do not wait."""
    return SequentialQueueManager(database, handlers, command="test", backoff=lambda _: timedelta())


async def succeed(ctx: TaskContext) -> Outcome:
    return Completed({"by": ctx.task.id})


HANDLERS = {"work": succeed}


def put(database: Database, *tasks: NewTask) -> list[Task]:
    return [answer.task for answer in database.write_now(lambda tx: enqueue(tx, tasks))]


def look(database: Database, task: Task) -> Task:
    return database.read_now(lambda tx: find_task(tx, task.id))


@asynccontextmanager
async def serving(desk: SequentialQueueManager) -> AsyncGenerator[None]:
    """Run the queues as a server does, until the block ends or takes longer than `PATIENCE`."""
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            await tasks.start(desk.run)
            yield
            tasks.cancel_scope.cancel()


async def until_ended(desk: SequentialQueueManager, database: Database, task: Task) -> Task:
    """The task once it has ended, woken by the bell alone."""
    return await until(desk, database, task, lambda seen: seen.state.is_finished)


async def until_running(desk: SequentialQueueManager, database: Database, task: Task) -> Task:
    return await until(desk, database, task, lambda seen: seen.state is TaskState.RUNNING)


async def until(
    desk: SequentialQueueManager, database: Database, task: Task, is_reached: Callable[[Task], bool]
) -> Task:
    while True:
        heard = desk.bell.next_ring()
        seen = look(database, task)
        if is_reached(seen):
            return seen
        await heard.wait()


async def run_beside_a_neighbour(
    database: Database, handler: Handler, **wishes: object
) -> tuple[TaskState, str]:
    """How a task under this handler ends; its neighbour in the queue must come through."""
    task, neighbour = put(database, fetch(**({"max_attempts": 1} | wishes)), fetch(kind="succeed"))
    with anyio.fail_after(PATIENCE):
        reports = await manager(database, {"work": handler, "succeed": succeed}).execute_queues()
    assert reports[FETCH].error is None
    assert look(database, neighbour).state is TaskState.COMPLETED
    ended = look(database, task)
    return ended.state, ended.error or ""


def states(database: Database, tasks: Sequence[Task]) -> list[TaskState]:
    return [look(database, task).state for task in tasks]


def spans(database: Database, queue: QueueName) -> list[tuple[datetime, datetime]]:
    """Of every attempt in this queue, as stored, in order of their start."""
    attempts = [each for each in database.read_now(intervals) if each.queue is queue]
    assert attempts
    return [(each.started_at, each.ended_at or datetime.max.replace(tzinfo=UTC)) for each in attempts]


async def drain(desk: SequentialQueueManager) -> dict[QueueName, list[str]]:
    """Run what there is; the ids of the tasks after each attempt, by queue. No queue may end by an error."""
    with anyio.fail_after(PATIENCE):
        reports = await desk.execute_queues()
    assert [report.error for report in reports.values()] == [None, None, None]
    return {queue: [task.id for task in report.ended] for queue, report in reports.items()}
