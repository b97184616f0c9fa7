"""Whatever happens, in whatever order: after every step the store says what the plain rules say."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from queues.amending import amend_task
from queues.control import clear_queue
from queues.database import Transaction
from queues.errors import DedupKeyTakenError, EngineError, StaleClaimError, TaskStateError
from queues.holds import approve_old, hold_queue, release_queue
from queues.lifecycle import forget_finished, interrupt, rescue_left_over, take_over
from queues.model import NewTask, TaskState
from queues.outcome import Cancelled, Completed, Failed, HoldRequest, Retry, Snooze
from queues.store import enqueue
from tests.queues.desk import BACKOFF, NOTHING
from tests.queues.machine import SOURCES, StoreBesideModel, queues, spans, wishes

# How often each step is chosen where it is possible. Weights instead of one hypothesis rule per step: hypothesis
# leaves most rules out of most examples, so that hardly a task came to be started.
WEIGHTS = {
    "enqueue": 4,
    "start": 8,
    "complete": 8,
    "fail": 5,
    "give_up": 3,
    "fail_for_now": 4,
    "snooze": 6,
    "cancel": 1,
    "clear": 1,
    "amend": 2,
    "retry": 2,
    "hold": 1,
    "release": 2,
    "approve": 1,
    "pass_time": 3,
    "set_clock_back": 1,
    "come_back_stale": 1,
    "crash": 1,
    "shut_down": 1,
    "meet_an_error": 6,
    "forget": 1,
}
OF_A_RUNNING_TASK = {"complete", "fail", "give_up", "fail_for_now", "snooze", "meet_an_error"}
MET: Counter[str] = Counter()


class StoreAgainstModel(StoreBesideModel):
    @initialize()
    def begin(self) -> None:
        self.take_over()

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        choices = [name for name, weight in WEIGHTS.items() if self.is_possible(name) for _ in range(weight)]
        name = data.draw(st.sampled_from(choices))
        MET[name] += 1
        getattr(self, name)(data)

    def is_possible(self, name: str) -> bool:
        if name in OF_A_RUNNING_TASK:
            return bool(self.running())
        if name in ("amend", "cancel", "retry"):
            return bool(self.model.tasks)
        if name == "start":  # that nothing starts where nothing may is looked at after every step
            return bool(self.startable())
        return name != "come_back_stale" or bool(self.stale())

    # --- callers

    def enqueue(self, data: st.DataObject) -> None:
        new, expected = self.enqueue_in_model(data.draw(wishes))
        answers = self.desk.do(lambda tx: enqueue(tx, new))
        self.remember([answer.task for answer in answers])
        assert [(answer.task.seq, answer.already_queued) for answer in answers] == expected
        stored = [answer.task for answer in answers if not answer.already_queued]
        assert {task.run_id for task in stored} == {task.id for task in stored[:1]}

    def cancel(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(list(self.model.tasks.values())))
        actual = self.stored(task)
        if task.is_unfinished:
            self.model.cancel(task)
            self.desk.cancel(actual)
        else:
            with pytest.raises(TaskStateError):
                self.desk.cancel(actual)

    def clear(self, data: st.DataObject) -> None:
        queue = data.draw(queues)
        expected = self.model.clear(queue)
        assert {task.seq for task in self.desk.do(lambda tx: clear_queue(tx, queue, "cleared"))} == expected

    def amend(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(list(self.model.tasks.values())))
        key = data.draw(st.sampled_from([None, "a", "b"]))
        after = data.draw(st.sets(st.sampled_from(list(self.model.tasks)), max_size=2))
        actual = self.stored(task)

        def change(tx: Transaction) -> None:
            amend_task(
                tx, actual.id, payload=NOTHING, dedup_key=key, after=[self.ids[each] for each in after]
            )

        if self.model.amend(task, key, after):
            self.desk.do(change)
        else:
            with pytest.raises(EngineError):
                self.desk.do(change)

    def retry(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(list(self.model.tasks.values())))
        actual = self.stored(task)
        if self.model.may_retry(task):
            expected = self.model.retry(task)
            _, revived = self.desk.retry(actual)
            assert revived == [self.ids[number] for number in expected]
        else:
            with pytest.raises((TaskStateError, DedupKeyTakenError)):
                self.desk.retry(actual)

    def hold(self, data: st.DataObject) -> None:
        queue, source, span = data.draw(st.tuples(queues, st.sampled_from(SOURCES), st.none() | spans))
        until = None if span is None else self.desk.now + span
        self.model.holds[queue, source] = until
        self.desk.do(lambda tx: hold_queue(tx, queue, source, "because", until))

    def release(self, data: st.DataObject) -> None:
        queue, source = data.draw(st.tuples(queues, st.none() | st.sampled_from(SOURCES)))
        for held in list(self.model.holds):
            if held[0] is queue and source in (None, held[1]):
                del self.model.holds[held]
        self.desk.do(lambda tx: release_queue(tx, queue, source))

    def approve(self, data: st.DataObject) -> None:
        queue = data.draw(queues)
        self.model.approve(queue)
        self.desk.do(lambda tx: approve_old(tx, queue))

    def set_clock_back(self, data: st.DataObject) -> None:
        self.desk.pass_time(-data.draw(spans))
        self.model.now = self.desk.now

    def pass_time(self, data: st.DataObject) -> None:
        self.desk.pass_time(data.draw(spans))
        self.model.now = self.desk.now

    # --- workers

    def start(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(self.startable()))
        claim = self.desk.start(task.queue)
        assert claim.seq == task.number
        self.model.start(task)
        self.claims.append(claim)

    def complete(self, data: st.DataObject) -> None:
        task, claim = data.draw(st.sampled_from(self.running()))
        follow_ups = data.draw(st.just([]) | wishes)
        if task.cancel_requested:
            self.model.finish(task, TaskState.CANCELLED)
            new: list[NewTask] = []
        else:
            self.model.finish(task, TaskState.COMPLETED)
            dependents = self.model.dependents_of(task)
            new, answers = self.enqueue_in_model(follow_ups, parent=task)
            for wish, (number, _) in zip(follow_ups, answers, strict=True):
                if wish.carried:
                    self.model.move_dependents(dependents, number)
        self.desk.end(claim, Completed(NOTHING, lambda _: new))
        self.remember(self.all_stored())

    def fail(self, data: st.DataObject) -> None:
        task, claim = data.draw(st.sampled_from(self.running()))
        self.model.finish(task, TaskState.FAILED)
        self.desk.end(claim, Failed("broken"))

    def give_up(self, data: st.DataObject) -> None:
        task, claim = data.draw(st.sampled_from(self.running()))
        self.model.finish(task, TaskState.CANCELLED)
        self.desk.end(claim, Cancelled("gave up"))

    def fail_for_now(self, data: st.DataObject) -> None:
        task, claim = data.draw(st.sampled_from(self.running()))
        delay = data.draw(st.none() | spans)
        if task.cancel_requested:
            self.model.finish(task, TaskState.CANCELLED)
        elif task.attempt == task.max_attempts:
            self.model.finish(task, TaskState.FAILED)
        else:
            self.model.requeue(task, "retry", self.model.now + (delay or BACKOFF), spent=True)
        self.desk.end(claim, Retry("busy", delay))

    def snooze(self, data: st.DataObject) -> None:
        task, claim = data.draw(st.sampled_from(self.running()))
        span, held = data.draw(st.tuples(st.none() | spans, st.none() | st.just(timedelta()) | spans))
        until = None if span is None else self.model.now + span
        is_held, held_until = held is not None, self.model.now + held if held else None
        if task.cancel_requested:
            self.model.finish(task, TaskState.CANCELLED)
        else:
            due_at = until or (None if is_held else self.model.now + BACKOFF)
            self.model.requeue(task, "snooze", due_at, spent=False, foreseen=due_at or held_until)
            if is_held:
                self.model.holds[task.queue, "usage_limit"] = held_until
        request = HoldRequest("usage_limit", "spent", held_until) if is_held else None
        self.desk.end(claim, Snooze("limit", until, request))

    def come_back_stale(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.stale()))
        with pytest.raises(StaleClaimError):
            self.desk.end(claim)

    # --- leaders

    def crash(self, _: st.DataObject) -> None:
        self.take_over()

    def take_over(self) -> None:
        self.model.leave_running_tasks("rescued", spent=True)
        self.model.is_led = True
        self.desk.epoch = self.desk.do(lambda tx: take_over(tx, "next"))

    def shut_down(self, data: st.DataObject) -> None:
        self.model.leave_running_tasks("interrupted", spent=False)
        self.model.is_led = False
        self.desk.do(lambda tx: interrupt(tx, self.desk.epoch))
        if data.draw(st.booleans()):
            self.take_over()

    def meet_an_error(self, data: st.DataObject) -> None:
        task, _ = data.draw(st.sampled_from(self.running()))
        self.model.leave_running_tasks("rescued", spent=True, queue=task.queue)
        self.desk.do(lambda tx: rescue_left_over(tx, task.queue, self.desk.epoch))

    def forget(self, data: st.DataObject) -> None:
        span = data.draw(st.sampled_from([timedelta(hours=1), timedelta(hours=30)]))
        assert self.desk.do(lambda tx: forget_finished(tx, span)) == self.model.forget(span)


def test_the_store_does_what_the_rules_say() -> None:
    MET.clear()
    bounds = settings(max_examples=110, stateful_step_count=60, derandomize=True, database=None)
    run_state_machine_as_test(StoreAgainstModel, settings=bounds)
    # Nothing is proved of a step that hardly ever came.
    assert {name: MET[name] for name in WEIGHTS if MET[name] < 10} == {}
