"""Asks the person before much is cancelled, or removed: by a form where the client shows forms, else by an argument.

The answer is for what was shown: tasks enqueued while the question stood stay. A model that passes the
argument does not answer for a person whom the client could have asked.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import is_version_at_least
from pydantic import BaseModel

from handlers.portfolio import current_holdings
from queues.database import Transaction
from queues.inspection import tasks_of_run, unfinished_tasks, waiting_on
from queues.model import QueueName, Task, TaskState
from queues.status import queue_status
from server.desk import Desk
from server.enqueueing import known_account

# From this version on a server asks by its answer, and the client calls again; before, by a request of its own.
ASKS_BY_ANSWER = "2026-07-28"
QUESTION = "confirmation"
Done = Literal["cancelled", "removed"]
# The title of the box to tick, and what is said below it.
_BOX = {
    "cancelled": ("Cancel them", "They stay on record, and can be queued again later."),
    "removed": ("Remove it", "What it held stays on record, and the next sync of it brings it back."),
}


class Loss(BaseModel):
    """The tasks that a call would cancel, or the account that it would remove, and the question whether it shall."""

    names: Sequence[str]
    question: str
    done: Done = "cancelled"

    @property
    def form(self) -> dict[str, Any]:
        title, description = _BOX[self.done]
        box = {"type": "boolean", "title": title, "description": description}
        return {"type": "object", "properties": {"go_ahead": box}, "required": ["go_ahead"]}


def loss_of_queue(tx: Transaction, queue: QueueName) -> Loss:
    """What the clearing of this queue would cancel."""
    ids = [task.id for task in unfinished_tasks(tx, queue) if task.state is TaskState.QUEUED]
    running = queue_status(tx, queue).running
    goes_on = f" {running.id}, which runs, goes on." if running else ""
    what = f"{_counted(len(ids), 'queued task')} of {queue}"
    return Loss(names=ids, question=f"Cancel {what}{_others(tx, ids)}?{goes_on}")


def loss_of_run(tx: Transaction, run_id: str) -> Loss:
    """What the cancelling of this whole run would cancel; nothing, if there is no such run."""
    tasks = [task for task in tasks_of_run(tx, run_id) if not task.state.is_finished]
    ids = [task.id for task in tasks]
    what = " and ".join(
        _counted(number, f"{state} task")
        for state in (TaskState.QUEUED, TaskState.RUNNING)
        if (number := _number(tasks, state))
    )
    return Loss(names=ids, question=f"Cancel {what} of the run {run_id}{_others(tx, ids)}?")


def _number(tasks: Sequence[Task], state: TaskState) -> int:
    return sum(task.state is state for task in tasks)


def _others(tx: Transaction, ids: Sequence[str]) -> str:
    others = set(waiting_on(tx, ids)).difference(ids)
    if not others:
        return ""
    wait = "waits" if len(others) == 1 else "wait"
    return f", and {len(others)} that {wait} for {'it' if len(ids) == 1 else 'them'}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def loss_of_account(tx: Transaction, account: str) -> Loss:
    """What the removal of this account would take out of the portfolio; raises RequestError if there is none."""
    name = known_account(tx, account)
    assert name is not None
    held = len(current_holdings(tx, name))
    question = f"Remove the account {name}, with {_counted(held, 'holding')}, from the portfolio?"
    return Loss(names=[name], question=question, done="removed")


async def agreed(
    desk: Desk, ctx: Context, find: Callable[[Transaction], Loss], *, confirm: bool
) -> Sequence[str] | InputRequiredResult:
    """The names of what may be lost, as agreed; or the question, which the client takes to the person and calls again.

    Without anything to lose there is no question.

    Raises:
        ToolError: the person said no, or nobody was asked and `confirm` is not set; nothing was changed.
    """
    if ctx.request_state is not None:  # sealed by the SDK, and bound to this tool and its arguments
        loss = Loss.model_validate_json(ctx.request_state)
        answer = (ctx.input_responses or {}).get(QUESTION)
        return _by_answer(loss) if answer is None else _unless_refused(loss, answer)
    loss = await desk.database.read(find)
    if not loss.names:
        return ()
    if not _shows_forms(ctx):
        return _as_confirmed(loss, confirm=confirm)
    if _asks_by_answer(ctx):
        return _by_answer(loss)
    return _unless_refused(loss, await ctx.session.elicit_form(loss.question, loss.form, ctx.request_id))


def _shows_forms(ctx: Context) -> bool:
    """Whether the client can ask its user. One that declares no mode is older than the modes, and has forms."""
    capabilities = ctx.client_capabilities
    asks = None if capabilities is None else capabilities.elicitation
    has_forms = asks is not None and (asks.form is not None or asks.url is None)
    return has_forms and (_asks_by_answer(ctx) or ctx.session.can_send_request)


def _asks_by_answer(ctx: Context) -> bool:
    return is_version_at_least(ctx.protocol_version or "", ASKS_BY_ANSWER)


def _by_answer(loss: Loss) -> InputRequiredResult:
    form = ElicitRequestFormParams(message=loss.question, requested_schema=loss.form)
    return InputRequiredResult(
        input_requests={QUESTION: ElicitRequest(params=form)}, request_state=loss.model_dump_json()
    )


def _unless_refused(loss: Loss, answer: object) -> Sequence[str]:
    if isinstance(answer, ElicitResult) and answer.action == "accept":
        if (answer.content or {}).get("go_ahead") is True:
            return loss.names
        said = "did not tick the box"
    else:
        said = (
            "did not answer" if isinstance(answer, ElicitResult) and answer.action == "cancel" else "said no"
        )
    raise ToolError(
        f"Nothing was {loss.done}: asked “{loss.question}”, the user {said}; ask what they want instead."
    )


def _as_confirmed(loss: Loss, *, confirm: bool) -> Sequence[str]:
    if confirm:
        return loss.names
    raise ToolError(
        f"Nothing was {loss.done}: first ask the user “{loss.question}”, and if they agree, call again with "
        "confirm=true."
    )
