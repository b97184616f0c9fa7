"""The same wish twice is one task, as long as the first is not done."""

from queues.context import TaskContext
from queues.database import Database
from queues.model import Enqueued, NewTask, QueueName
from queues.outcome import Completed, Outcome
from queues.scheduler import SequentialQueueManager
from queues.store import enqueue


def ask(database: Database) -> Enqueued:
    wish = NewTask(queue=QueueName.DATA_FETCHER, kind="work", payload={}, dedup_key="prices of INFY")
    (answer,) = database.write_now(lambda tx: enqueue(tx, [wish]))
    return answer


async def test_a_second_wish_gets_the_task_of_the_first_until_that_is_done(database: Database) -> None:
    while_it_ran: list[Enqueued] = []

    async def work(ctx: TaskContext) -> Outcome:
        while_it_ran.append(ask(ctx.database))
        return Completed({})

    assert (ask(database).task.id, ask(database).already_queued) == ("fetch-1", True)

    await SequentialQueueManager(database, {"work": work}, command="tutorial").execute_queues()

    assert [(answer.task.id, answer.already_queued) for answer in while_it_ran] == [("fetch-1", True)]
    assert (ask(database).task.id, ask(database).already_queued) == ("fetch-2", True)
