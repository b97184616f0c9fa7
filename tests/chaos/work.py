"""What the tasks of the chaos do, and where the process that runs them may kill itself."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from random import Random

import anyio

from queues.clock import system_clock
from queues.context import TaskContext
from queues.database import Database, Transaction
from queues.errors import StaleClaimError
from queues.model import NewTask, QueueName, Task
from queues.outcome import Completed, Failed, Outcome, Retry, Snooze
from queues.scheduler import engine_migrations
from tests.chaos.events import Log, What

# `effects` takes what an attempt commits while it runs, only if it is the current one; `completions` what it commits
# with its record, once for each time that its task is completed.
_DOMAIN = """
    CREATE TABLE effects (
        task_id       TEXT NOT NULL,
        claim         INTEGER NOT NULL,
        is_late       INTEGER NOT NULL,
        current_claim INTEGER NOT NULL CHECK (current_claim = claim),
        state         TEXT NOT NULL CHECK (state = 'running'),
        PRIMARY KEY (task_id, claim, is_late)
    ) STRICT;
    CREATE TABLE completions (
        task_id  TEXT NOT NULL,
        revision INTEGER NOT NULL,
        claim    INTEGER NOT NULL,
        PRIMARY KEY (task_id, revision)
    ) STRICT;
    """


class Point(StrEnum):
    """A window between two steps of an attempt, or inside one of its transactions."""

    CLOCK = "in a transaction just begun"
    CLAIMED = "claimed, not started"
    COMMITTING = "in a commit of its handler"
    ENDED = "ended, not recorded"
    RECORDING = "in the record"


@dataclass(slots=True)
class Doom:
    """Kills this process when it reaches `point` for the `left`th time."""

    log: Log
    point: Point | None = None
    left: int = 0

    def reach(self, point: Point) -> None:
        if point is self.point:
            self.left -= 1
            if self.left == 0:
                self.log.write(What.DIES, detail=point)
                os.kill(os.getpid(), signal.SIGKILL)

    def clock(self) -> datetime:
        """The engine reads the clock once in each transaction, after it has the file's lock."""
        self.reach(Point.CLOCK)
        return system_clock()

    def backoff(self, _attempt: int) -> timedelta:
        """The engine asks for it between the end of a handler and its record. A retry does not wait."""
        self.reach(Point.ENDED)
        return timedelta()


def open_chaos(home: Path, doom: Doom) -> Database:
    return Database(home / "desk.db", {"queues": engine_migrations(), "chaos": [_DOMAIN]}, clock=doom.clock)


@dataclass(frozen=True, slots=True)
class Work:
    """The handler. What an attempt does follows from task and claim alone, whichever process runs it."""

    log: Log
    doom: Doom

    async def __call__(self, ctx: TaskContext) -> Outcome:
        task = ctx.task
        self.doom.reach(Point.CLAIMED)
        self.log.write(What.STARTS, queue=task.queue, task_id=task.id, claim=task.claim)
        how = "stopped"
        try:
            outcome = await self._attempt(ctx, Random(f"{task.id}/{task.claim}"))
            how = type(outcome).__name__.lower()
        except anyio.get_cancelled_exc_class():
            # As a handler that does not heed; after an interruption the fence alone keeps its last word out.
            with anyio.CancelScope(shield=True), suppress(StaleClaimError):
                await ctx.commit(lambda tx: self._leave_effect(tx, task, is_late=True))
            raise
        finally:
            self.log.write(What.ENDS, queue=task.queue, task_id=task.id, claim=task.claim, detail=how)
        return outcome

    async def _attempt(self, ctx: TaskContext, rng: Random) -> Outcome:
        if rng.random() < 0.5:
            await anyio.sleep(rng.choice([0, rng.uniform(0, 0.008)]))
        has_effect = rng.random() < 0.5
        if has_effect:
            await ctx.commit(lambda tx: self._leave_effect(tx, ctx.task))
        match rng.choices(("completes", "retries", "snoozes", "fails"), (70, 12, 12, 6))[0]:
            case "retries":
                return Retry("chaos", rng.choice([None, timedelta(milliseconds=rng.randrange(20))]))
            case "snoozes":
                return Snooze("chaos", ctx.now + timedelta(milliseconds=rng.randrange(20)))
            case "fails":
                return Failed("chaos")
            case _:
                on_record = self._on_record(ctx.task, rng)
                return Completed({"effect": has_effect, "mark": on_record is not None}, on_record)

    def _leave_effect(self, tx: Transaction, task: Task, *, is_late: bool = False) -> None:
        tx.run(
            "INSERT INTO effects SELECT id, :claim, :is_late, claim, state FROM tasks WHERE seq = :seq",
            is_late=int(is_late),
            seq=task.seq,
            claim=task.claim,
        )
        self.doom.reach(Point.COMMITTING)

    def _on_record(self, task: Task, rng: Random) -> "_Completion | None":
        if rng.random() < 0.5:
            return None
        return _Completion(task, rng.choice(list(QueueName)), self.doom)


@dataclass(frozen=True, slots=True)
class _Completion:
    """Notes that the task is completed, in that same transaction, and lets one other task follow it."""

    task: Task
    queue: QueueName
    doom: Doom

    def __call__(self, tx: Transaction) -> Sequence[NewTask]:
        tx.run(
            "INSERT INTO completions VALUES (:id, :revision, :claim)",
            id=self.task.id,
            revision=self.task.revision,
            claim=self.task.claim,
        )
        self.doom.reach(Point.RECORDING)
        # Only what was enqueued from outside has follow-ups, else they would never end.
        if "follows" in self.task.payload:
            return []
        payload = {"token": f"after-{self.task.id}-{self.task.revision}", "follows": self.task.id}
        return [NewTask(queue=self.queue, kind="work", payload=payload)]
