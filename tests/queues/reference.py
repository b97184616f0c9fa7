"""The rules of the queues in plain Python: no SQL, no concurrency, nothing shared with the store."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from queues.model import QueueName, TaskState

QUEUED, RUNNING, COMPLETED, FAILED, CANCELLED = TaskState


@dataclass(kw_only=True)
class ModelTask:
    number: int
    queue: QueueName
    priority: int
    carried: bool
    key: str | None
    max_attempts: int
    window: timedelta | None
    after: set[int]
    asked_at: datetime
    enqueued_at: datetime
    due_at: datetime
    state: TaskState = QUEUED
    attempt: int = 0
    claim: int = 0
    cancel_requested: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancelled_because_of: int | None = None
    history: list[str | None] = field(default_factory=list[str | None])

    @property
    def is_unfinished(self) -> bool:
        return self.state in (QUEUED, RUNNING)


class Model:
    def __init__(self, now: datetime) -> None:
        self.now = now
        self.tasks: dict[int, ModelTask] = {}
        self.last_number = 0
        self.holds: dict[tuple[QueueName, str], datetime | None] = {}
        self.is_led = True
        self.last_ended_at: dict[QueueName, datetime] = {}

    # --- what a caller does

    def enqueue(
        self,
        queue: QueueName,
        *,
        priority: int,
        carried: bool,
        key: str | None,
        due_in: timedelta | None,
        window: timedelta | None,
        max_attempts: int,
        after: set[int],
        parent: ModelTask | None = None,
    ) -> tuple[int, bool]:
        """The number of the stored task, or that of the unfinished one which has its key already."""
        holder = self.holder(queue, key)
        if holder is not None:
            return holder.number, True
        self.last_number += 1
        due_at = self.now + (due_in or timedelta())
        asked_at = parent.asked_at if parent else self.now
        task = ModelTask(
            number=self.last_number,
            queue=queue,
            priority=priority,
            carried=carried,
            key=key,
            max_attempts=max_attempts,
            window=window,
            after=after,
            asked_at=asked_at if due_in is None else max(asked_at, due_at),
            enqueued_at=self.now,
            due_at=due_at,
        )
        self.tasks[task.number] = task
        self.cancel_if_broken(task)
        return task.number, False

    def cancel(self, task: ModelTask) -> None:
        if task.state is QUEUED:
            self.finish(task, CANCELLED)
        else:
            task.cancel_requested = True

    def clear(self, queue: QueueName) -> set[int]:
        queued = [task for task in self.tasks.values() if task.queue is queue and task.state is QUEUED]
        for task in queued:
            if task.state is QUEUED:
                self.finish(task, CANCELLED)
        return {task.number for task in queued}

    def may_retry(self, task: ModelTask) -> bool:
        return (
            not task.is_unfinished
            and self.holder(task.queue, task.key) is None
            and not any(self.tasks[number].state in (FAILED, CANCELLED) for number in task.after)
        )

    def retry(self, task: ModelTask) -> list[int]:
        self.reset(task)
        return self.revive_dependents(task)

    def approve(self, queue: QueueName) -> None:
        for task in self.tasks.values():
            if task.queue is queue and task.state is QUEUED and self.needs_approval(task):
                task.asked_at = self.now

    # --- what a leader does

    def next_in(self, queue: QueueName) -> ModelTask | None:
        held = any(
            held is queue and (until is None or until > self.now) for (held, _), until in self.holds.items()
        )
        mine = [task for task in self.tasks.values() if task.queue is queue]
        if not self.is_led or held or any(task.state is RUNNING for task in mine):
            return None
        ready = [task for task in mine if self.is_ready(task)]
        return min(ready, key=lambda task: (-task.priority, not task.carried, task.number), default=None)

    def is_ready(self, task: ModelTask) -> bool:
        return (
            task.state is QUEUED
            and (task.due_at <= self.now or task.due_at == task.enqueued_at)
            and not self.needs_approval(task)
            and all(self.tasks[number].state is COMPLETED for number in task.after)
        )

    def needs_approval(self, task: ModelTask) -> bool:
        return task.window is not None and task.asked_at + task.window <= self.now

    def start(self, task: ModelTask) -> None:
        task.state = RUNNING
        task.started_at = max(self.now, self.last_ended_at.get(task.queue, self.now))
        task.claim += 1
        task.attempt += 1
        task.history.append(None)

    def end_attempt(self, task: ModelTask, outcome: str) -> None:
        assert task.started_at is not None
        task.history[-1] = outcome
        self.last_ended_at[task.queue] = max(self.now, task.started_at)

    def finish(self, task: ModelTask, state: TaskState) -> None:
        if task.state is RUNNING and task.history[-1] is None:
            self.end_attempt(task, state.value)
        task.finished_at = max(self.now, task.started_at or self.now)
        task.state, task.cancel_requested = state, False
        if state is not COMPLETED:
            self.cancel_dependents(task)

    def requeue(
        self,
        task: ModelTask,
        outcome: str,
        due_at: datetime | None,
        *,
        spent: bool,
        foreseen: datetime | None = None,
    ) -> None:
        self.end_attempt(task, outcome)
        task.state, task.due_at = QUEUED, due_at or task.enqueued_at
        task.attempt -= not spent
        task.carried |= outcome != "retry"
        if outcome == "snooze":
            task.asked_at = max(task.asked_at, foreseen or self.now)
        self.cancel_if_broken(task)

    def leave_running_tasks(self, outcome: str, *, spent: bool, queue: QueueName | None = None) -> None:
        """What becomes of the running tasks when their process ends, by a crash or in order."""
        for task in list(self.tasks.values()):
            if task.state is not RUNNING or queue not in (None, task.queue):
                continue
            if task.cancel_requested:
                self.finish(task, CANCELLED)
            elif spent and task.attempt >= task.max_attempts:
                self.end_attempt(task, outcome)
                self.finish(task, FAILED)
            else:
                self.requeue(task, outcome, None, spent=spent)

    def forget(self, older_than: timedelta) -> int:
        needed = {number for task in self.tasks.values() if task.is_unfinished for number in task.after}
        old = [
            task.number
            for task in self.tasks.values()
            if task.finished_at is not None
            and task.finished_at < self.now - older_than
            and task.number not in needed
        ]
        for number in old:
            del self.tasks[number]
        for task in self.tasks.values():
            task.after -= set(old)
        return len(old)

    # --- prerequisites and keys

    def holder(self, queue: QueueName, key: str | None) -> ModelTask | None:
        return next(
            (
                task
                for task in self.tasks.values()
                if key is not None and task.queue is queue and task.key == key and task.is_unfinished
            ),
            None,
        )

    def cancel_dependents(self, cause: ModelTask) -> None:
        causes = [cause]
        for nearest in causes:
            for task in self.tasks.values():
                if task.state is QUEUED and nearest.number in task.after:
                    task.state, task.finished_at = CANCELLED, self.now
                    task.cancelled_because_of = nearest.number
                    causes.append(task)

    def cancel_if_broken(self, task: ModelTask) -> None:
        for number in sorted(task.after):
            if self.tasks[number].state in (FAILED, CANCELLED):
                self.cancel_dependents(self.tasks[number])

    def waits_for(self, number: int, other: int) -> bool:
        return number == other or any(self.waits_for(each, other) for each in self.tasks[number].after)

    def dependents_of(self, parent: ModelTask) -> list[ModelTask]:
        return [
            task
            for task in self.tasks.values()
            if parent.number in task.after and task.state is not COMPLETED
        ]

    def move_dependents(self, dependents: list[ModelTask], rest: int) -> None:
        for task in dependents:
            if not self.waits_for(rest, task.number):
                task.after.add(rest)
                self.cancel_if_broken(task)

    def amend(self, task: ModelTask, key: str | None, after: set[int]) -> bool:
        """Whether it may be changed so; then it is."""
        holder = self.holder(task.queue, key)
        if (
            task.state is not QUEUED
            or holder not in (None, task)
            or any(self.waits_for(each, task.number) for each in after)
        ):
            return False
        task.key = key
        task.after |= after
        self.cancel_if_broken(task)
        return True

    def revive_dependents(self, cause: ModelTask) -> list[int]:
        revived: list[int] = []
        for task in self.tasks.values():
            if (
                task.state is not CANCELLED
                or task.cancelled_because_of != cause.number
                or self.holder(task.queue, task.key) is not None
            ):
                continue
            self.reset(task)
            self.cancel_if_broken(task)
            if task.state is QUEUED:
                revived += [task.number, *self.revive_dependents(task)]
        return revived

    def reset(self, task: ModelTask) -> None:
        task.state, task.attempt, task.started_at, task.finished_at = QUEUED, 0, None, None
        task.asked_at, task.due_at = self.now, task.enqueued_at
        task.cancelled_because_of = None
