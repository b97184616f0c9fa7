"""Whatever happens, in whatever order: after every step the store says what the plain rules say."""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from queues.control import clear_queue
from queues.errors import DedupKeyTakenError, StaleClaimError, TaskStateError
from queues.holds import approve_old, hold_queue, release_queue
from queues.lifecycle import forget_finished, interrupt, rescue_left_over, take_over
from queues.model import QueueName, TaskState
from queues.outcome import Cancelled, Completed, Failed, HoldRequest, Outcome, Retry, Snooze
from queues.store import enqueue
from tests.queues.desk import BACKOFF, NOTHING
from tests.queues.machine import SOURCES, StoreBesideModel, Wish, queues, spans, wishes


class StoreAgainstModel(StoreBesideModel):
    # --- callers

    @rule(wished=wishes)
    def enqueue(self, wished: list[Wish]) -> None:
        new, expected = self.enqueue_in_model(wished)
        answers = self.desk.do(lambda tx: enqueue(tx, new))
        self.remember([answer.task for answer in answers])
        assert [(answer.task.seq, answer.already_queued) for answer in answers] == expected
        stored = [answer.task for answer in answers if not answer.already_queued]
        assert {task.run_id for task in stored} == {task.id for task in stored[:1]}

    @precondition(lambda self: self.model.tasks)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(list(self.model.tasks.values())))
        actual = self.stored(task)
        if task.is_unfinished:
            self.model.cancel(task)
            self.desk.cancel(actual)
        else:
            with pytest.raises(TaskStateError):
                self.desk.cancel(actual)

    @rule(queue=queues)
    def clear(self, queue: QueueName) -> None:
        expected = self.model.clear(queue)
        assert {task.seq for task in self.desk.do(lambda tx: clear_queue(tx, queue, "cleared"))} == expected

    @precondition(lambda self: self.model.tasks)
    @rule(data=st.data())
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

    @rule(queue=queues, source=st.sampled_from(SOURCES), span=st.none() | spans)
    def hold(self, queue: QueueName, source: str, span: timedelta | None) -> None:
        until = None if span is None else self.desk.now + span
        self.model.holds[queue, source] = until
        self.desk.do(lambda tx: hold_queue(tx, queue, source, "because", until))

    @rule(queue=queues, source=st.none() | st.sampled_from(SOURCES))
    def release(self, queue: QueueName, source: str | None) -> None:
        for held in list(self.model.holds):
            if held[0] is queue and source in (None, held[1]):
                del self.model.holds[held]
        self.desk.do(lambda tx: release_queue(tx, queue, source))

    @rule(queue=queues)
    def approve(self, queue: QueueName) -> None:
        self.model.approve(queue)
        self.desk.do(lambda tx: approve_old(tx, queue))

    @rule(span=spans)
    def pass_time(self, span: timedelta) -> None:
        self.desk.pass_time(span)
        self.model.now = self.desk.now

    # --- leaders

    @rule(queue=queues)
    def start(self, queue: QueueName) -> None:
        expected = self.model.next_in(queue)
        actual = self.desk.claim(queue)
        assert (actual and actual.seq) == (expected and expected.number)
        if expected is not None and actual is not None:
            self.model.start(expected)
            self.claims.append(actual)

    @precondition(lambda self: self.running())
    @rule(data=st.data(), follow_ups=wishes)
    def complete(self, data: st.DataObject, follow_ups: list[Wish]) -> None:
        task, claim = data.draw(st.sampled_from(self.running()))
        self.model.finish(task, TaskState.COMPLETED)
        new, _ = self.enqueue_in_model(follow_ups, parent=task)
        self.desk.end(claim, Completed(NOTHING, lambda _: new))
        self.remember(self.all_stored())

    @precondition(lambda self: self.running())
    @rule(data=st.data(), outcome=st.sampled_from([Failed("broken"), Cancelled("gave up")]))
    def end_badly(self, data: st.DataObject, outcome: Outcome) -> None:
        task, claim = data.draw(st.sampled_from(self.running()))
        self.model.finish(task, TaskState.FAILED if isinstance(outcome, Failed) else TaskState.CANCELLED)
        self.desk.end(claim, outcome)

    @precondition(lambda self: self.running())
    @rule(data=st.data(), delay=st.none() | spans)
    def fail_for_now(self, data: st.DataObject, delay: timedelta | None) -> None:
        task, claim = data.draw(st.sampled_from(self.running()))
        if task.cancel_requested:
            self.model.finish(task, TaskState.CANCELLED)
        elif task.attempt == task.max_attempts:
            self.model.finish(task, TaskState.FAILED)
        else:
            self.model.requeue(task, "retry", self.model.now + (delay or BACKOFF), spent=True)
        self.desk.end(claim, Retry("busy", delay))

    @precondition(lambda self: self.running())
    @rule(data=st.data(), span=st.none() | spans, hold=st.booleans())
    def snooze(self, data: st.DataObject, span: timedelta | None, *, hold: bool) -> None:
        task, claim = data.draw(st.sampled_from(self.running()))
        until = None if span is None else self.model.now + span
        if task.cancel_requested:
            self.model.finish(task, TaskState.CANCELLED)
        else:
            self.model.requeue(task, "snooze", until or self.model.now, spent=False)
            if hold:
                self.model.holds[task.queue, "usage_limit"] = until
        request = HoldRequest("usage_limit", "spent", until) if hold else None
        self.desk.end(claim, Snooze("limit", until, request))

    @precondition(lambda self: self.stale())
    @rule(data=st.data())
    def a_stale_worker_comes_back(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.stale()))
        with pytest.raises(StaleClaimError):
            self.desk.end(claim)

    @rule()
    def crash_and_take_over(self) -> None:
        self.model.leave_running_tasks("rescued", spent=True)
        self.model.is_led = True
        self.desk.epoch = self.desk.do(lambda tx: take_over(tx, "next"))

    @rule()
    def shut_down(self) -> None:
        self.model.leave_running_tasks("interrupted", spent=False)
        self.model.is_led = False
        self.desk.do(lambda tx: interrupt(tx, self.desk.epoch))

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def a_worker_meets_an_error(self, data: st.DataObject) -> None:
        task, _ = data.draw(st.sampled_from(self.running()))
        self.model.leave_running_tasks("rescued", spent=True, queue=task.queue)
        self.desk.do(lambda tx: rescue_left_over(tx, task.queue, self.desk.epoch))

    @rule(span=spans)
    def forget(self, span: timedelta) -> None:
        assert self.desk.do(lambda tx: forget_finished(tx, span)) == self.model.forget(span)


TestStoreAgainstModel = StoreAgainstModel.TestCase
TestStoreAgainstModel.settings = settings(
    max_examples=40, stateful_step_count=50, deadline=None, derandomize=True, database=None
)
