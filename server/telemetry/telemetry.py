"""Spans and metrics of attempts and Claude sessions: names, ids, durations and costs, never a prompt, holding or text.

Names follow OpenTelemetry's conventions for messaging and generative AI where these have one.
"""

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial

import anyio
import anyio.to_thread
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider, use_span

from handlers.analyst.observing import Ended, SessionBegin, SessionEnd
from handlers.verdict import Reason
from queues.clock import system_clock
from queues.database import Database
from queues.model import Attempt, Task
from queues.moments import to_micros
from queues.observing import Recorded, log_fields
from server.telemetry import gauges
from server.telemetry.instruments import Instruments

log = logging.getLogger(__name__)

# To stop, a session takes up to 1.2 s of the 1.7 s after which the process ends in any case (server/serving.py).
FLUSH_SECONDS = 0.4
FAILED = ("failed", "retry")
# Names of endings (handlers/analyst/ending.py); to import them would import Claude's SDK.
NO_ERROR = ("Finished", "Interrupted")


class Telemetry:
    """Observes the attempts and sessions of one process."""

    def __init__(
        self,
        tracers: TracerProvider,
        meters: MeterProvider,
        flushes: Sequence[Callable[[], object]] = (),
    ) -> None:
        """Each of `flushes` sends what waits, and may block."""
        self._tracer = tracers.get_tracer("stockdesk")
        self._meter = meters.get_meter("stockdesk")
        self._instruments = Instruments(self._meter)
        self._flushes = flushes

    def follow(self, database: Database, is_leader: Callable[[], bool]) -> None:
        """Report how much waits in each queue, whenever metrics are collected, while this process leads."""
        gauges.add(self._meter, database, is_leader)

    @contextmanager
    def attempt(self, task: Task) -> Generator[Recorded]:
        assert task.started_at is not None
        history: list[Attempt] = []
        # A trace of its own: whoever enqueued the task has had its answer, maybe days ago.
        span = self._tracer.start_span(
            f"process {task.queue}",
            Context(),
            SpanKind.CONSUMER,
            {
                "messaging.system": "stockdesk",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": task.queue.value,
                "messaging.message.id": task.id,
                "messaging.message.conversation_id": task.run_id,
                "stockdesk.task.kind": task.kind,
                "stockdesk.task.attempt": task.attempt,
                "stockdesk.task.claim": task.claim,
            },
            start_time=_nanoseconds(task.started_at),
        )
        unrecorded = "lost"
        try:
            with _current(span):
                yield history.extend
        except anyio.get_cancelled_exc_class():
            unrecorded = "interrupted"
            raise
        finally:
            self._end_attempt(span, task, history, unrecorded)

    def _end_attempt(self, span: Span, task: Task, history: Sequence[Attempt], unrecorded: str) -> None:
        outcome, ended_at = unrecorded, system_clock()
        if history:
            *_, last = history
            outcome, ended_at = last.outcome or unrecorded, last.ended_at or ended_at
        span.set_attribute("stockdesk.attempt.outcome", outcome)
        if outcome in FAILED:
            _fail(span, outcome)
        span.end(_nanoseconds(ended_at))
        self._instruments.count_attempt(task, history, outcome, ended_at)

    @contextmanager
    def session(self, begin: SessionBegin) -> Generator[Ended]:
        span = self._tracer.start_span(
            "invoke_agent analyst",
            kind=SpanKind.CLIENT,
            attributes={
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.agent.name": "analyst",
                "gen_ai.request.model": begin.model,
                "gen_ai.conversation.id": begin.session_id,
                "stockdesk.session.stocks": begin.stocks,
            },
            start_time=_nanoseconds(begin.started_at),
        )
        with _current(span):
            yield partial(self._end_session, span, begin)

    def _end_session(self, span: Span, begin: SessionBegin, end: SessionEnd) -> None:
        known: Mapping[str, str | float | None] = {
            "gen_ai.usage.input_tokens": end.spent.input_tokens,
            "gen_ai.usage.output_tokens": end.spent.output_tokens,
            "stockdesk.session.turns": end.spent.turns,
            "stockdesk.session.cost_usd": end.spent.cost_usd,
            "stockdesk.session.billing": end.billing,
            "stockdesk.session.ending": end.ended_as,
        }
        span.set_attributes({name: value for name, value in known.items() if value is not None})
        if end.ended_as not in NO_ERROR:
            _fail(span, end.ended_as)
        span.end(_nanoseconds(begin.started_at + end.duration))
        self._instruments.count_session(begin, end)

    def refused(self, kind: Reason, model: str) -> None:
        self._instruments.count_refusal(kind, model)

    async def flush(self) -> None:
        """Send what waits, within `FLUSH_SECONDS`: whoever collects it may hang."""
        with anyio.move_on_after(FLUSH_SECONDS) as bound:
            async with anyio.create_task_group() as tasks:
                for flush in self._flushes:
                    send = partial(_quietly, flush)
                    tasks.start_soon(partial(anyio.to_thread.run_sync, send, abandon_on_cancel=True))
        if bound.cancelled_caught:
            log.warning(
                "The last traces and metrics could not be sent within %s s; they are lost", FLUSH_SECONDS
            )


def _quietly(flush: Callable[[], object]) -> None:
    with suppress(Exception):  # the process ends, and nobody could do anything about it
        flush()


@contextmanager
def _current(span: Span) -> Generator[None]:
    """What is traced inside is a child of the span, and each line that is logged there names both ids of it."""
    ids = span.get_span_context()
    named = log_fields(trace_id=f"{ids.trace_id:032x}", span_id=f"{ids.span_id:016x}")
    # An exception's words are those of a task, which may tell of holdings.
    with named, use_span(span, record_exception=False, set_status_on_exception=False):
        yield


def _fail(span: Span, error: str) -> None:
    span.set_attribute("error.type", error)
    span.set_status(StatusCode.ERROR)


def _nanoseconds(moment: datetime) -> int:
    return to_micros(moment) * 1000
