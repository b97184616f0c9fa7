"""A person can hold a queue, cancel a task, clear a queue, and try a finished task again."""

import anyio

from queues.context import TaskContext
from queues.control import cancel_task, clear_queue, retry_task
from queues.database import Database
from queues.holds import hold_queue, release_queue
from queues.inspection import waiting_for
from queues.model import NewTask, QueueName, TaskState
from queues.outcome import Completed, Outcome, Retry
from queues.scheduler import SequentialQueueManager
from queues.store import enqueue, find_task

FETCH = QueueName.DATA_FETCHER
WISH = NewTask(queue=FETCH, kind="work", payload={}, max_attempts=1)


async def succeed(_: TaskContext) -> Outcome:
    return Completed({})


def state(database: Database, task_id: str) -> TaskState:
    return database.read_now(lambda tx: find_task(tx, task_id)).state


async def test_a_held_queue_starts_nothing_until_it_is_released(database: Database) -> None:
    database.write_now(lambda tx: enqueue(tx, [WISH]))
    database.write_now(lambda tx: hold_queue(tx, FETCH, "user", "the source is being repaired"))
    desk = SequentialQueueManager(database, {"work": succeed}, command="tutorial")

    await desk.execute_queues()
    waiting = database.read_now(lambda tx: waiting_for(tx, find_task(tx, "fetch-1")))
    assert waiting is not None
    assert waiting.what == "the hold of data_fetcher (user): the source is being repaired"

    database.write_now(lambda tx: release_queue(tx, FETCH))
    await desk.execute_queues()
    assert state(database, "fetch-1") is TaskState.COMPLETED


async def test_a_running_task_stops_when_it_is_cancelled(database: Database) -> None:
    async def wait_for_ever(ctx: TaskContext) -> Outcome:
        await ctx.database.write(lambda tx: cancel_task(tx, ctx.task.id, "I changed my mind"))
        await anyio.sleep_forever()
        raise AssertionError("never reached")

    database.write_now(lambda tx: enqueue(tx, [WISH]))
    await SequentialQueueManager(database, {"work": wait_for_ever}, command="tutorial").execute_queues()

    task = database.read_now(lambda tx: find_task(tx, "fetch-1"))
    assert (task.state, task.error) == (TaskState.CANCELLED, "I changed my mind")


async def test_clearing_a_queue_cancels_all_that_waits_in_it(database: Database) -> None:
    database.write_now(lambda tx: enqueue(tx, [WISH, WISH]))
    database.write_now(lambda tx: clear_queue(tx, FETCH, "a fresh start"))
    assert [state(database, task_id) for task_id in ("fetch-1", "fetch-2")] == [TaskState.CANCELLED] * 2


async def test_a_finished_task_can_be_tried_again(database: Database) -> None:
    async def fail_the_first_time(ctx: TaskContext) -> Outcome:
        return Retry("the source is down") if ctx.task.claim == 1 else Completed({})

    database.write_now(lambda tx: enqueue(tx, [WISH]))
    desk = SequentialQueueManager(database, {"work": fail_the_first_time}, command="tutorial")

    await desk.execute_queues()
    assert state(database, "fetch-1") is TaskState.FAILED

    database.write_now(lambda tx: retry_task(tx, "fetch-1"))
    await desk.execute_queues()
    assert state(database, "fetch-1") is TaskState.COMPLETED
