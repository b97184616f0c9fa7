"""What must be true after a storm. Each check yields one sentence, with the lines of the log, for each breach."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from queues import inspection
from queues.model import QueueName, Task, TaskState
from queues.moments import from_micros
from tests.chaos.events import Event, What
from tests.chaos.order import out_of_order
from tests.chaos.story import Story


def overlaps(story: Story) -> Iterator[str]:
    """Between the start of an attempt and its end, or its process's death, nothing starts in its queue.

    Nor does anything start in another process, in whatever queue. A stopped process's attempt runs on.
    """
    running: dict[str, Event] = {}
    doomed, replaced = set[int](), set[int]()
    for event in story.events:
        if event.what in (What.KILLED, What.DIES):
            doomed.add(event.pid)
        elif event.what is What.STARTS:
            if event.pid in replaced:
                yield f"{event.pid} starts a task although another process had taken over: {event}"
            for other in list(running.values()):
                if other.pid == event.pid and other.queue != event.queue:
                    continue
                if other.pid == event.pid or other.pid not in doomed:
                    yield f"Two at once: {event} beside {other}"
                replaced.add(other.pid)
                del running[other.queue]
            running[event.queue] = event
        elif event.what is What.ENDS:
            started = running.pop(event.queue, None)
            if started is None or _attempt_of(started) != _attempt_of(event):
                yield f"An end without its start: {event}; what ran was {started}"


def _attempt_of(event: Event) -> tuple[int, str, int]:
    return event.pid, event.task_id, event.claim


def _lines(story: Story, task: Task) -> str:
    """What the log says of a task, indented."""
    return "".join(f"\n    {event}" for event in story.events if event.task_id == task.id)


def stored_overlaps(story: Story) -> Iterator[str]:
    """No two attempts of one queue overlap in the database."""
    for one, other in inspection.overlaps(story.intervals):
        yield f"Two at once in the database: {one} and {other}"


def lost(story: Story) -> Iterator[str]:
    """What a process was told to be stored is there and has ended; what it was told is cancelled is so."""
    retried = story.retried()
    for event in story.of(What.ENQUEUED, What.CANCELLED):
        task = story.tasks.get(event.task_id)
        if task is None or (event.what is What.ENQUEUED and task.payload["token"] != event.detail):
            yield f"Lost: {event}; in its place is {None if task is None else task.payload}"
        elif (
            event.what is What.CANCELLED and task.id not in retried and task.state is not TaskState.CANCELLED
        ):
            yield f"A cancel was lost: {event}; the task is {task.state}{_lines(story, task)}"
    for task in story.tasks.values():
        if not task.state.is_finished:
            yield f"Never ended: {task.id} is {task.state}{_lines(story, task)}"


def doubled(story: Story) -> Iterator[str]:
    """Nothing is stored twice, started twice, completed twice, or followed twice; what was completed left its marks."""
    tokens = Counter(str(task.payload["token"]) for task in story.tasks.values())
    yield from (f"Stored {times} times: {token}" for token, times in tokens.items() if times > 1)
    for what in (What.STARTS, What.ENDS):
        times = Counter((event.task_id, event.claim) for event in story.of(what))
        yield from (
            f"Claim {claim} of {task} {what} {n} times" for (task, claim), n in times.items() if n > 1
        )
    for task in story.tasks.values():
        completed = [each.claim for each in story.attempts[task.id] if each.outcome == "completed"]
        if len(completed) != task.revision + (task.state is TaskState.COMPLETED):
            yield f"Completed by the claims {completed}: {task.id}{_lines(story, task)}"
        for revision, claim in enumerate(completed):
            if story.completions.get((task.id, revision), claim) != claim:
                yield f"Revision {revision} was completed by claim {claim}, its mark is of another: {task.id}"


def without_effect(story: Story) -> Iterator[str]:
    """What an attempt had committed by its end is there, and what was to follow it follows once."""
    tokens = {str(task.payload["token"]) for task in story.tasks.values()}
    for task in story.tasks.values():
        if task.result and task.result["effect"] and (task.id, task.claim) not in story.effects:
            yield f"The effect of claim {task.claim} was lost: {task.id}{_lines(story, task)}"
        if task.result and task.result["mark"] and (task.id, task.revision) not in story.completions:
            yield f"A completion's mark was lost: {task.id}{_lines(story, task)}"
    for task_id, revision in story.completions:
        follows = f"after-{task_id}-{revision}" in tokens
        if follows == ("follows" in story.tasks[task_id].payload):
            yield f"Revision {revision} of {task_id} {'has' if follows else 'lacks'} a task that follows it"


def miscounted(story: Story) -> Iterator[str]:
    """Every attempt has one end; an interruption and a snooze spend none; the engine's counts are those of its rows."""
    renewed = story.waiting | story.retried()
    for task in story.tasks.values():
        spent = 0
        for place, each in enumerate(story.attempts[task.id], start=1):
            is_next = each.attempt == spent + 1 or (each.attempt == 1 and task.id in renewed)
            if each.outcome is None or each.claim != place or not is_next:
                yield f"After {spent} spent attempts came {each}: {task.id}{_lines(story, task)}"
            spent = each.attempt - (each.outcome in ("snooze", "interrupted"))
        if task.claim != len(story.attempts[task.id]) or (task.attempt != spent and task.id not in renewed):
            yield f"Spent are {spent}, stored are {task.attempt}: {task.id}{_lines(story, task)}"
    for queue, counts in story.totals.items():
        real = Counter(task.state for task in story.tasks.values() if task.queue is queue)
        if counts != {state: real[state] for state in TaskState}:
            yield f"{queue} holds {real}, the engine counts {counts}"


def unfounded(story: Story) -> Iterator[str]:
    """Only what a killed process ran is rescued, only what a process ran that was asked to leave is interrupted."""
    ran_in = {(event.task_id, event.claim): event.pid for event in story.of(What.STARTS)}
    culprits = {
        "rescued": {event.pid for event in story.of(What.KILLED, What.DIES)},
        "interrupted": {event.pid for event in story.of(What.ASKED)},
    }
    for task in story.tasks.values():
        for each in story.attempts[task.id]:
            pid = ran_in.get((task.id, each.claim))
            if pid is not None and each.outcome in culprits and pid not in culprits[each.outcome]:
                yield f"Claim {each.claim} was {each.outcome}, process {pid} left alone: {task.id}{_lines(story, task)}"


def started_while_held(story: Story) -> Iterator[str]:
    """Between a hold and its end or release no attempt starts in its queue."""
    starts = {
        queue: [span.started_at for span in story.intervals if span.queue is queue] for queue in QueueName
    }
    lifted: dict[tuple[str, str], datetime] = {}
    for event in reversed(story.events):
        if event.what is What.RELEASES:
            lifted[event.queue, event.task_id] = from_micros(int(event.detail))
        elif event.what is What.HELD:
            since, until = (from_micros(int(word)) for word in event.detail.split())
            until = min(until, lifted.get((event.queue, event.task_id), until))
            mine = starts[QueueName(event.queue)]
            if bisect_left(mine, until) > bisect_right(mine, since):
                yield f"Started in a held queue, between {since} and {until}: {event}"


def damaged(story: Story) -> Iterator[str]:
    """SQLite finds the file whole, and every reference in it leads somewhere."""
    yield from story.damage


def complained(story: Story) -> Iterator[str]:
    """Kills, stops and exits are no reason for an error in any process that lives."""
    yield from story.complaints


CHECKS = (
    overlaps,
    stored_overlaps,
    lost,
    doubled,
    without_effect,
    out_of_order,
    miscounted,
    unfounded,
    started_while_held,
    damaged,
    complained,
)
