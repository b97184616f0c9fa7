"""The suite's fixtures that take a while: tools that enqueue a task, which the Tasks extension makes a handle of."""

from collections.abc import Mapping
from dataclasses import replace

import anyio
from mcp.server.mcpserver import MCPServer

from queues.context import Handler, TaskContext
from queues.model import JsonObject, NewTask, QueueName
from queues.outcome import Completed, Failed, Outcome
from queues.scheduler import SequentialQueueManager
from queues.store import enqueue
from server import mcp_tasks
from server.change_views import EnqueueView, enqueue_view
from server.desk import Desk


async def _compute(ctx: TaskContext) -> Outcome:
    seconds = ctx.task.payload["seconds"]
    assert isinstance(seconds, (int, float))
    await anyio.sleep(seconds / 10)  # the suite only wants that a second and a minute differ
    return Completed({})


async def _fail(ctx: TaskContext) -> Outcome:
    return Failed(f"{ctx.task.kind} always fails.")


HANDLERS: Mapping[str, Handler] = {"slow_compute": _compute, "failing_job": _fail}


def with_handlers(desk: Desk) -> Desk:
    """The same desk, whose queues know the fixtures' kinds too."""
    handlers = {**desk.manager._handlers, **HANDLERS}  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] (ours are made with the desk)
    return replace(desk, manager=SequentialQueueManager(desk.database, handlers, command="conformance"))


def add_enqueuing_tools(mcp: MCPServer, desk: Desk) -> None:
    """Also `greet`, which takes no time. The extension is told of the names, as of our own tools'."""
    mcp_tasks.TOOLS |= HANDLERS.keys()

    async def enqueued(kind: str, payload: JsonObject) -> EnqueueView:
        task = NewTask(queue=QueueName.PORTFOLIO_SYNC, kind=kind, payload=payload)
        new = await desk.database.write(lambda tx: enqueue(tx, [task]))
        return enqueue_view(new, {}, run_of_holder=None, estimate=None, advice="")

    @mcp.tool()
    async def greet(name: str) -> str:
        """Answers at once."""
        return f"Hello, {name}!"

    @mcp.tool()
    async def slow_compute(seconds: float, label: str = "") -> EnqueueView:
        """Takes its time."""
        return await enqueued("slow_compute", {"seconds": seconds, "label": label})

    @mcp.tool()
    async def failing_job() -> EnqueueView:
        """Fails."""
        return await enqueued("failing_job", {})
