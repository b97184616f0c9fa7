"""One task, from the wish to the result. Read these files in order; together they are the engine's tutorial."""

from queues.context import TaskContext
from queues.database import Database
from queues.inspection import attempts_of
from queues.model import NewTask, QueueName, TaskState
from queues.outcome import Completed, Failed, Outcome
from queues.scheduler import SequentialQueueManager
from queues.store import enqueue, find_task


async def greet(ctx: TaskContext) -> Outcome:
    """A handler is handed its task, does the work, and says how it ended."""
    return Completed({"greeting": f"Hello, {ctx.task.payload['name']}"})


async def give_up(_: TaskContext) -> Outcome:
    return Failed("nobody is at home")


HANDLERS = {"greet": greet, "give_up": give_up}


async def test_a_task_is_a_row_until_someone_runs_it(database: Database) -> None:
    wish = NewTask(queue=QueueName.DATA_FETCHER, kind="greet", payload={"name": "INFY"})
    (answer,) = database.write_now(lambda tx: enqueue(tx, [wish]))
    assert answer.task.id == "fetch-1"
    assert answer.task.state is TaskState.QUEUED

    await SequentialQueueManager(database, HANDLERS, command="tutorial").execute_queues()

    task = database.read_now(lambda tx: find_task(tx, "fetch-1"))
    assert task.state is TaskState.COMPLETED
    assert task.result == {"greeting": "Hello, INFY"}


async def test_a_failure_is_a_failure_wherever_one_looks(database: Database) -> None:
    wish = NewTask(queue=QueueName.DATA_FETCHER, kind="give_up", payload={})
    database.write_now(lambda tx: enqueue(tx, [wish]))

    reports = await SequentialQueueManager(database, HANDLERS, command="tutorial").execute_queues()

    task = database.read_now(lambda tx: find_task(tx, "fetch-1"))
    assert (task.state, task.error) == (TaskState.FAILED, "nobody is at home")
    assert reports[QueueName.DATA_FETCHER].count(TaskState.FAILED) == 1


async def test_every_attempt_stays_in_the_history(database: Database) -> None:
    wish = NewTask(queue=QueueName.DATA_FETCHER, kind="greet", payload={"name": "INFY"})
    database.write_now(lambda tx: enqueue(tx, [wish]))

    await SequentialQueueManager(database, HANDLERS, command="tutorial").execute_queues()

    (attempt,) = database.read_now(lambda tx: attempts_of(tx, find_task(tx, "fetch-1")))
    assert attempt.outcome == "completed"
    assert attempt.ended_at is not None
    assert attempt.started_at <= attempt.ended_at
