"""The store and the model side by side: wishes for both, and what must hold of both after every step."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from queues.database import Transaction
from queues.inspection import TaskFilter, list_tasks
from queues.model import NewTask, QueueName, Sibling, Task, TaskState
from queues.store import claim_next
from tests.queues.desk import BACKOFF, NOTHING, START, Desk
from tests.queues.reference import Model, ModelTask

SOURCES = ("user", "usage_limit")

queues = st.sampled_from(QueueName)
spans = st.sampled_from([timedelta(seconds=1), BACKOFF, timedelta(hours=1), timedelta(hours=30)])


@dataclass(frozen=True)
class Wish:
    queue: QueueName
    priority: int
    carried: bool
    key: str | None
    due_in: timedelta | None
    window: timedelta | None
    max_attempts: int
    after: frozenset[int]
    """Positions in the list of recent tasks and earlier siblings, modulo its length."""


wishes = st.lists(
    st.builds(
        Wish,
        queue=queues,
        priority=st.sampled_from([0, 0, 0, 1, -1]),
        carried=st.sampled_from([False, False, True]),
        key=st.sampled_from([None, None, "a", "b"]),
        due_in=st.sampled_from([None, None, None]) | spans,
        window=st.sampled_from([None, None, timedelta(hours=24)]),
        max_attempts=st.integers(1, 3),
        after=st.frozensets(st.integers(0, 5), max_size=2),
    ),
    min_size=1,
    max_size=3,
)


class _UndoError(Exception):
    """Takes back what was done to see what would happen."""


class StoreBesideModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.desk = Desk(Path(self.folder.name))
        self.model = Model(START)
        self.ids: dict[int, str] = {}
        self.claims: list[Task] = []
        """Every attempt that was ever started, the current ones among them."""

    def teardown(self) -> None:
        self.desk.database.close()
        self.folder.cleanup()

    def enqueue_in_model(
        self, wished: Sequence[Wish], parent: ModelTask | None = None
    ) -> tuple[list[NewTask], list[tuple[int, bool]]]:
        """The tasks to enqueue, and the answers that the model gives to them."""
        recent = list(self.model.tasks)[-4:]
        new: list[NewTask] = []
        answers: list[tuple[int, bool]] = []
        for wish in wished:
            places: list[tuple[int, str | Sibling]] = [(number, self.ids[number]) for number in recent]
            places += [(number, Sibling(index)) for index, (number, _) in enumerate(answers)]
            chosen = dict(places[position % len(places)] for position in wish.after) if places else {}
            new.append(self.as_new_task(wish, tuple(chosen[number] for number in sorted(chosen))))
            answers.append(
                self.model.enqueue(
                    wish.queue,
                    priority=wish.priority,
                    carried=wish.carried,
                    key=wish.key,
                    due_in=wish.due_in,
                    window=wish.window,
                    max_attempts=wish.max_attempts,
                    after=set(chosen),
                    parent=parent,
                )
            )
        return new, answers

    def as_new_task(self, wish: Wish, after: tuple[str | Sibling, ...]) -> NewTask:
        return NewTask(
            queue=wish.queue,
            kind="work",
            payload=NOTHING,
            priority=wish.priority,
            carried=wish.carried,
            dedup_key=wish.key,
            due_at=None if wish.due_in is None else self.desk.now + wish.due_in,
            approval_window=wish.window,
            max_attempts=wish.max_attempts,
            after=after,
        )

    def remember(self, tasks: Sequence[Task]) -> None:
        self.ids |= {task.seq: task.id for task in tasks}

    # --- what must hold after every step

    @invariant()
    def the_rows_are_those_of_the_model(self) -> None:
        def as_stored(task: Task) -> object:
            return (task.seq, task.state, task.attempt, task.claim, task.carried, task.due_at, task.asked_at,
                    task.finished_at, task.cancel_requested is not None)  # fmt: skip

        def as_modelled(task: ModelTask) -> object:
            return (task.number, task.state, task.attempt, task.claim, task.carried, task.due_at, task.asked_at,
                    task.finished_at, task.cancel_requested)  # fmt: skip

        stored = sorted(self.all_stored(), key=lambda task: task.seq)
        assert [as_stored(task) for task in stored] == [
            as_modelled(task) for task in self.model.tasks.values()
        ]

    @invariant()
    def what_would_start_next_is_what_the_rules_say(self) -> None:
        for queue in QueueName:
            expected = self.model.next_in(queue)
            assert self.would_start(queue) == (expected and expected.number)

    @invariant()
    def at_most_one_task_runs_in_a_queue_and_every_claim_is_in_its_history(self) -> None:
        stored = self.all_stored()
        running = [task.queue for task in stored if task.state is TaskState.RUNNING]
        assert len(running) == len(set(running))
        for task in stored:
            history = [attempt.outcome for attempt in self.desk.history(task)]
            assert history == self.model.tasks[task.seq].history

    # LOOK

    def all_stored(self) -> list[Task]:
        return self.desk.do(lambda tx: list_tasks(tx, TaskFilter(), limit=10_000))[0]

    def stored(self, task: ModelTask) -> Task:
        return next(stored for stored in self.all_stored() if stored.seq == task.number)

    def startable(self) -> list[ModelTask]:
        return [task for queue in QueueName if (task := self.model.next_in(queue)) is not None]

    def running(self) -> list[tuple[ModelTask, Task]]:
        return [
            (task, claim)
            for claim in self.claims
            if (task := self.model.tasks.get(claim.seq)) is not None and self.is_current(claim)
        ]

    def stale(self) -> list[Task]:
        return [claim for claim in self.claims if not self.is_current(claim)]

    def is_current(self, claim: Task) -> bool:
        task = self.model.tasks.get(claim.seq)
        return task is not None and task.state is TaskState.RUNNING and task.claim == claim.claim

    def would_start(self, queue: QueueName) -> int | None:
        found: list[Task | None] = []

        def look(tx: Transaction) -> None:
            found.append(claim_next(tx, queue, self.desk.epoch))
            raise _UndoError

        with pytest.raises(_UndoError):
            self.desk.do(look)
        return found[0] and found[0].seq
