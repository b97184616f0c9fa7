"""The metrics of attempts and sessions; durations in seconds."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from opentelemetry.metrics import Meter

from handlers.analyst.observing import SessionBegin, SessionEnd
from handlers.verdict import Reason
from queues.model import Attempt, Task

# From a task without network to an hour of queue; a session takes minutes.
BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)
# https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
TOKEN_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)


class Instruments:
    def __init__(self, meter: Meter) -> None:
        self._attempts = meter.create_counter(
            "stockdesk.attempts", "{attempt}", "Attempts that ended, by outcome."
        )
        self._wait = meter.create_histogram(
            "stockdesk.attempt.wait",
            "s",
            "From when a task could have started to its start.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._duration = meter.create_histogram(
            "stockdesk.attempt.duration",
            "s",
            "From the start of an attempt to its end.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._cost = meter.create_counter(
            "stockdesk.session.cost", "{USD}", "Cost of Claude sessions at list prices, where it is known."
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens that a Claude session used.",
            explicit_bucket_boundaries_advisory=TOKEN_BUCKETS,
        )
        self._refusals = meter.create_counter(
            "stockdesk.refusals", "{submission}", "Submissions of Claude that the desk refused."
        )

    def count_attempt(self, task: Task, history: Sequence[Attempt], outcome: str, ended_at: datetime) -> None:
        assert task.started_at is not None
        by_outcome = {"messaging.destination.name": task.queue.value, "stockdesk.attempt.outcome": outcome}
        self._attempts.add(1, by_outcome | {"stockdesk.task.kind": task.kind})
        self._duration.record(_seconds(ended_at - task.started_at), by_outcome)
        waited = wait_of(task, history)
        if waited is not None:
            self._wait.record(_seconds(waited), by_outcome)

    def count_session(self, begin: SessionBegin, end: SessionEnd) -> None:
        model = {"gen_ai.request.model": begin.model}
        if end.spent.cost_usd is not None:
            self._cost.add(
                end.spent.cost_usd, model | {"stockdesk.session.billing": end.billing or "unknown"}
            )
        used = {"input": end.spent.input_tokens, "output": end.spent.output_tokens}
        operation = {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "anthropic"}
        for kind, tokens in used.items():
            if tokens is not None:
                self._tokens.record(tokens, model | operation | {"gen_ai.token.type": kind})

    def count_refusal(self, kind: Reason, model: str) -> None:
        self._refusals.add(1, {"stockdesk.refusal.kind": kind.value, "gen_ai.request.model": model})


def wait_of(task: Task, history: Sequence[Attempt]) -> timedelta | None:
    """How long the task, as it was claimed, could have run but did not; None where its last attempt is not known.

    From when it was due, or enqueued; again from its last attempt, or from when it was asked for anew.
    """
    assert task.started_at is not None
    if task.claim == 1:
        return task.started_at - task.due_at
    earlier = [each.ended_at for each in history if each.claim < task.claim and each.ended_at is not None]
    return task.started_at - max(task.due_at, task.asked_at, *earlier) if earlier else None


def _seconds(span: timedelta) -> float:
    """Never below 0: a hold that is released early lets a task start before it was due."""
    return max(span, timedelta()).total_seconds()
