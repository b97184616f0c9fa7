"""What the tools answer that change something: small models, and the sentences in them."""

from collections.abc import Mapping, Sequence
from itertools import islice

from queues.model import Enqueued, QueueName, TaskState
from server.shortening import MOST_IDS
from server.spending import EstimateView
from server.views import HoldView, View

MOST_NAMED = 10


class EnqueueView(View):
    """What a request became. `already_queued` names, per stock or task, the unfinished task that does it.

    `run_id` is the run of what is new; where nothing is, that of the first task that does it already.
    Of both lists, 100 are named; list_tasks(run_id) shows all. `estimate` is null where no Claude session is new.
    """

    run_id: str | None
    tasks: int
    sessions: int
    task_ids: list[str]
    already_queued: dict[str, str]
    estimate: EstimateView | None
    message: str


def raised_to(priority: int, raised: Sequence[str]) -> str:
    """The sentence that names the tasks to which a request gave its higher priority."""
    more = f" and {len(raised) - MOST_NAMED} more" if len(raised) > MOST_NAMED else ""
    return f"Raised to priority {priority}: {', '.join(raised[:MOST_NAMED])}{more}."


def enqueue_view(
    enqueued: Sequence[Enqueued],
    covered: Mapping[str, str],
    *,
    run_of_holder: str | None,
    estimate: EstimateView | None,
    advice: str,
) -> EnqueueView:
    """The answer to a request: what is new, what was queued already, and when it will run."""
    new = [each.task for each in enqueued if not each.already_queued]
    held = {each.task.id: each.task.id for each in enqueued if each.already_queued}
    sessions = sum(task.queue is QueueName.AI_ANALYSIS for task in new)
    run_id = new[0].run_id if new else run_of_holder
    counted = f"{len(new)} task{'' if len(new) == 1 else 's'} enqueued" if new else "Nothing new was enqueued"
    if sessions:
        counted += ", " if sessions == len(new) else f", {sessions} of them "
        counted += "an analysis session" if sessions == 1 else "analysis sessions"
    return EnqueueView(
        run_id=run_id,
        tasks=len(new),
        sessions=sessions,
        task_ids=[each.task.id for each in enqueued[:MOST_IDS]],
        already_queued=dict(islice({**covered, **held}.items(), MOST_IDS)),
        estimate=estimate,
        message=" ".join([f"{counted}.", *([estimate.message] if estimate else []), advice]),
    )


class CancelView(View):
    """`cancelled` have ended, `stopping` are being stopped, `also_cancelled` waited for one of them.

    `withdrawn` names the task that each stock has left. Of each, 100 are named; `message` counts them all.
    """

    cancelled: list[str]
    stopping: list[str]
    also_cancelled: list[str]
    already_finished: list[str]
    withdrawn: dict[str, str]
    message: str


def cancel_view(before: Mapping[str, TaskState], also_cancelled: Sequence[str]) -> CancelView:
    """What a cancel did, given the states that the tasks had `before` it."""
    cancelled = [task_id for task_id, state in before.items() if state is TaskState.QUEUED]
    stopping = [task_id for task_id, state in before.items() if state is TaskState.RUNNING]
    finished = [task_id for task_id, state in before.items() if state.is_finished]
    return CancelView(
        cancelled=cancelled[:MOST_IDS],
        stopping=stopping[:MOST_IDS],
        also_cancelled=list(also_cancelled[:MOST_IDS]),
        already_finished=finished[:MOST_IDS],
        withdrawn={},
        message=f"{len(cancelled)} cancelled, {len(also_cancelled)} more because they waited for these, "
        f"{len(stopping)} being stopped; {len(finished)} had ended before.",
    )


def withdrawal_view(withdrawn: Mapping[str, str], cancelled: Sequence[str]) -> CancelView:
    """`withdrawn` names per stock the analysis that it has left; `cancelled` are those with no stock left."""
    return CancelView(
        cancelled=list(cancelled[:MOST_IDS]),
        stopping=[],
        also_cancelled=[],
        already_finished=[],
        withdrawn=dict(islice(withdrawn.items(), MOST_IDS)),
        message=f"{len(withdrawn)} withdrawn; {len(cancelled)} cancelled, which had no other stock left.",
    )


class RetryView(View):
    """`queued` were retried, `also_queued` had been cancelled because of one of them.

    Of each, 100 are named; `message` counts them all, and says why others of a run stay as they are.
    """

    queued: list[str]
    also_queued: list[str]
    message: str


def retry_view(queued: Sequence[str], also_queued: Sequence[str], refused: Sequence[str] = ()) -> RetryView:
    """What a retry did; `refused` holds the reason of each task that could not be retried."""
    message = f"{len(queued)} queued anew, {len(also_queued)} more that had been cancelled because of these."
    if refused:
        message += f" {len(refused)} could not be: {refused[0]}"
    return RetryView(
        queued=list(queued[:MOST_IDS]), also_queued=list(also_queued[:MOST_IDS]), message=message
    )


class HoldChange(View):
    queue: QueueName
    holds: list[HoldView]
    released: list[HoldView]
    approved_old_tasks: int
    message: str


class ClearView(View):
    """`cancelled` names the first 100 of the `cancelled_tasks`."""

    queue: QueueName
    cancelled_tasks: int
    cancelled: list[str]
    still_running: str | None
