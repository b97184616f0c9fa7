"""Three queues run in parallel; inside each, strictly one task at a time. Both are read off stored intervals."""

from datetime import datetime
from itertools import pairwise

import anyio

from queues.context import TaskContext
from queues.database import Database
from queues.inspection import attempts_of, tasks_of_run
from queues.model import NewTask, QueueName
from queues.outcome import Completed, Outcome
from queues.scheduler import SequentialQueueManager
from queues.store import enqueue

Interval = tuple[datetime, datetime]


def intervals(database: Database, queue: QueueName) -> list[Interval]:
    """When the attempts of this queue started and ended, in order."""
    found: list[Interval] = []
    for task in database.read_now(lambda tx: tasks_of_run(tx, "sync-1")):
        if task.queue is queue:
            for attempt in database.read_now(lambda tx, task=task: attempts_of(tx, task)):
                assert attempt.ended_at is not None
                found.append((attempt.started_at, attempt.ended_at))
    return sorted(found)


async def test_across_queues_tasks_overlap_and_within_a_queue_they_never_do(database: Database) -> None:
    at_work: set[QueueName] = set()
    all_at_work = anyio.Event()

    async def work(ctx: TaskContext) -> Outcome:
        at_work.add(ctx.task.queue)
        if len(at_work) == len(QueueName):
            all_at_work.set()
        await all_at_work.wait()  # nobody goes on before all three queues are at work
        return Completed({})

    wishes = [NewTask(queue=queue, kind="work", payload={}) for queue in QueueName for _ in range(5)]
    database.write_now(lambda tx: enqueue(tx, wishes))

    await SequentialQueueManager(database, {"work": work}, command="tutorial").execute_queues()

    firsts = [intervals(database, queue)[0] for queue in QueueName]
    assert max(start for start, _ in firsts) < min(end for _, end in firsts)
    for queue in QueueName:
        mine = intervals(database, queue)
        assert len(mine) == 5
        assert all(end <= next_start for (_, end), (next_start, _) in pairwise(mine))


async def test_trouble_in_one_queue_is_no_trouble_for_the_others(database: Database) -> None:
    async def work(ctx: TaskContext) -> Outcome:
        if ctx.task.queue is QueueName.DATA_FETCHER:
            raise ConnectionError("the source is down")
        return Completed({})

    wishes = [NewTask(queue=queue, kind="work", payload={}, max_attempts=1) for queue in QueueName]
    database.write_now(lambda tx: enqueue(tx, wishes))

    await SequentialQueueManager(database, {"work": work}, command="tutorial").execute_queues()

    run = database.read_now(lambda tx: tasks_of_run(tx, "sync-1"))
    assert [task.state.value for task in run] == ["completed", "failed", "completed"]
