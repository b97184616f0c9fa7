"""What may start, starts: whatever is changed by whomever, the idle leader is woken, and no recheck helps it."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import cast

import anyio
import pytest

from queues.context import TaskContext
from queues.control import cancel_task, clear_queue, retry_task
from queues.database import Database, Transaction
from queues.errors import DedupKeyTakenError, TaskStateError
from queues.holds import approve_old, ask_again, hold_queue, raise_priority, release_queue
from queues.inspection import intervals, overlaps
from queues.lifecycle import forget_finished
from queues.model import NewTask, QueueName, Sibling
from queues.outcome import Completed, Failed, HoldRequest, Outcome, Retry, Snooze
from queues.scheduler import SequentialQueueManager
from queues.store import claim_next, enqueue
from queues.waking import is_drained
from tests.queues.desk import FETCH, NOTHING, SYNC, new
from tests.queues.running import PATIENCE, look, manager, open_database, put, serving, until_ended

QUEUES = list(QueueName)
SHORTLY = timedelta(milliseconds=5)
STEPS = 120


async def complete(_: TaskContext) -> Outcome:
    return Completed(NOTHING)


async def fail(_: TaskContext) -> Outcome:
    return Failed("as wanted")


async def retry_once(ctx: TaskContext) -> Outcome:
    return Retry("as wanted", SHORTLY) if ctx.task.attempt == 1 else Completed(NOTHING)


async def snooze_once(ctx: TaskContext) -> Outcome:
    return Snooze("as wanted", until=ctx.now + SHORTLY) if ctx.task.claim == 1 else Completed(NOTHING)


async def hold_once(ctx: TaskContext) -> Outcome:
    hold = HoldRequest("source", "as wanted", until=ctx.now + SHORTLY)
    return Snooze("as wanted", hold=hold) if ctx.task.claim == 1 else Completed(NOTHING)


async def follow_up(_: TaskContext) -> Outcome:
    return Completed(NOTHING, on_record=lambda _: [new(queue, kind="complete") for queue in QUEUES])


async def hang(_: TaskContext) -> Outcome:
    await anyio.sleep_forever()
    raise AssertionError("never reached")


HANDLERS = {
    "complete": complete,
    "fail": fail,
    "retry once": retry_once,
    "snooze once": snooze_once,
    "hold once": hold_once,
    "follow up": follow_up,
    "hang": hang,
}
ENDING = [kind for kind in HANDLERS if kind != "hang"]


class Meddler:
    """Does one thing after another to the queues, as a person, a client or another process would."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._acts = [
            *(4 * [self._enqueue]),
            *(4 * [self._hold]),
            *(2 * [self._cancel, self._retry, self._release, self._approve, self._ask_again]),
            *(self._raise, self._clear, self._forget),
        ]

    def step(self, tx: Transaction) -> None:
        self._rng.choice(self._acts)(tx)

    def _queue(self) -> QueueName:
        return self._rng.choice(QUEUES)

    def _some(self, tx: Transaction, states: str) -> list[str]:
        """None of the tasks in these states, or one."""
        found = [id_ for (id_,) in tx.rows(f"SELECT id FROM tasks WHERE state IN ({states}) ORDER BY seq")]
        return [self._rng.choice(found)] if found else []

    def _enqueue(self, tx: Transaction) -> None:
        answers = enqueue(tx, [self._new(tx, place) for place in range(self._rng.randint(1, 3))])
        if self._rng.random() < 0.3:
            tx.run("UPDATE tasks SET asked_at = 0 WHERE id = :id", id=answers[-1].task.id)

    def _new(self, tx: Transaction, place: int) -> NewTask:
        after: list[str | Sibling] = [Sibling(place - 1)] if place and self._rng.random() < 0.7 else []
        if self._rng.random() < 0.2:
            after += self._some(tx, "'queued', 'running', 'completed'")
        return new(
            self._queue(),
            kind="hang" if self._rng.random() < 0.05 else self._rng.choice(ENDING),
            after=tuple(after),
            due_at=self._rng.choice((None, None, tx.now + SHORTLY)),
            priority=self._rng.randint(0, 1),
            approval_window=self._rng.choice((None, timedelta(hours=1))),
        )

    def _cancel(self, tx: Transaction) -> None:
        for task_id in self._some(tx, self._rng.choice(("'running'", "'queued'"))):
            cancel_task(tx, task_id, "no longer wanted")

    def _retry(self, tx: Transaction) -> None:
        for task_id in self._some(tx, "'completed', 'failed', 'cancelled'"):
            retry_task(tx, task_id)

    def _hold(self, tx: Transaction) -> None:
        until = self._rng.choice((None, None, tx.now, tx.now + SHORTLY))
        hold_queue(tx, self._queue(), self._rng.choice(("user", "user", "source")), "as wanted", until)

    def _release(self, tx: Transaction) -> None:
        release_queue(tx, self._queue(), self._rng.choice((None, "user")))

    def _ask_again(self, tx: Transaction) -> None:
        ask_again(tx, self._some(tx, "'queued'"), tx.now)

    def _approve(self, tx: Transaction) -> None:
        approve_old(tx, self._queue())

    def _raise(self, tx: Transaction) -> None:
        raise_priority(tx, self._some(tx, "'queued'"), 2)

    def _clear(self, tx: Transaction) -> None:
        clear_queue(tx, self._queue(), "no longer wanted")

    def _forget(self, tx: Transaction) -> None:
        forget_finished(tx, timedelta())


class Undone(Exception):  # noqa: N818 (no error: it undoes a look)
    pass


def goes_on(database: Database) -> bool:
    """Whether something runs that ends by itself, or time alone lets something start within a minute."""
    found = False

    def look(tx: Transaction) -> None:
        nonlocal found
        ending = tx.row(
            "SELECT 1 FROM tasks WHERE state = 'running' AND (kind <> 'hang' OR cancel_requested <> '')"
        )
        tx.micros += 60_000_000
        epoch = cast("tuple[int]", tx.row("SELECT epoch FROM leader"))[0]
        found = bool(ending) or any(claim_next(tx, queue, epoch) for queue in QUEUES)
        raise Undone

    with pytest.raises(Undone):
        database.write_now(look)
    return found


async def until_still(desk: SequentialQueueManager, database: Database) -> None:
    """Woken by rings alone: where the leader sleeps through something none comes, and `PATIENCE` ends."""
    while True:
        heard = desk.bell.next_ring()
        if not goes_on(database):
            return
        await heard.wait()


@pytest.fixture
def _no_recheck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queues.doorbell.IDLE_RECHECK", timedelta(hours=10))


class Neighbours:
    """A meddler who comes by this connection and by that of another process, in turn."""

    def __init__(self, database: Database, seed: int) -> None:
        self.rng = Random(seed)
        self.elsewhere = open_database(database.path.parent)
        self._database = database
        self._meddler = Meddler(self.rng)

    async def step(self) -> None:
        with suppress(TaskStateError, DedupKeyTakenError):  # refused, and nothing is changed
            if self.rng.random() < 0.8:  # wakes by topic; what comes from elsewhere wakes everyone
                await self._database.write(self._meddler.step)
            else:
                self.elsewhere.write_now(self._meddler.step)


@pytest.fixture(params=range(12))
def neighbours(
    database: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Neighbours]:
    monkeypatch.setattr("queues.doorbell.IDLE_RECHECK", timedelta(hours=10))
    neighbours = Neighbours(database, request.param)
    yield neighbours
    neighbours.elsewhere.close()


async def test_whatever_is_done_to_the_queues_all_that_may_start_starts(
    database: Database, neighbours: Neighbours
) -> None:
    desk = manager(database, HANDLERS)
    async with serving(desk):
        for _ in range(STEPS):
            await neighbours.step()
            if neighbours.rng.random() < 0.8:
                await until_still(desk, neighbours.elsewhere)
        await until_still(desk, neighbours.elsewhere)
    assert overlaps(database.read_now(intervals)) == []


async def test_whatever_is_done_meanwhile_a_drain_ends_when_nothing_is_left_that_can_run(
    database: Database, neighbours: Neighbours
) -> None:
    def end(tx: Transaction) -> None:
        for (task_id,) in tx.rows("SELECT id FROM tasks WHERE state = 'running'"):
            cancel_task(tx, task_id, "no longer wanted")
        for queue in QUEUES:
            if is_held:
                hold_queue(tx, queue, "user", "as wanted")
            else:
                clear_queue(tx, queue, "no longer wanted")

    is_held = neighbours.rng.random() < 0.5
    put(database, new(QUEUES[0], due_at=database.clock() + timedelta(hours=1)))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as draining:
            draining.start_soon(manager(database, HANDLERS).execute_queues)
            for _ in range(STEPS):
                await neighbours.step()
            await database.write(end)
    assert database.read_now(is_drained)


def hold(tx: Transaction) -> None:
    hold_queue(tx, FETCH, "user", "as wanted")


def age(tx: Transaction) -> None:
    tx.run("UPDATE tasks SET asked_at = 0")


# What keeps a task of the data_fetcher from starting, and what lets it.
LETS_START: dict[str, tuple[Callable[[Transaction], None], Callable[[Transaction], object]]] = {
    "a release": (hold, lambda tx: release_queue(tx, FETCH)),
    "a shorter hold": (hold, lambda tx: hold_queue(tx, FETCH, "user", "as wanted", tx.now)),
    "an approval": (age, lambda tx: approve_old(tx, FETCH)),
    "another request": (age, lambda tx: ask_again(tx, ["fetch-1"], tx.now)),
}


@pytest.mark.parametrize("change", LETS_START)
async def test_a_queue_of_this_process_is_woken_by(database: Database, change: str) -> None:
    keep_back, let_start = LETS_START[change]
    task, other = put(database, new(FETCH, kind="complete", approval_window=timedelta(hours=1)), new(SYNC))
    database.write_now(keep_back)
    desk = manager(database, HANDLERS)
    async with serving(desk):
        await until_ended(desk, database, other)
        await anyio.wait_all_tasks_blocked()
        assert look(database, task).claim == 0
        await database.write(let_start)  # not `write_now`, which wakes everyone
        await until_ended(desk, database, task)
