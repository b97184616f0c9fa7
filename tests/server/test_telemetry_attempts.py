"""What is told of attempts that do not simply complete, and of the queues around them; seen in memory."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, ResourceMetrics
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from queues.context import Handler, TaskContext
from queues.database import Database
from queues.ending import finish
from queues.holds import hold_queue
from queues.model import TaskState
from queues.outcome import Completed, Outcome, Retry
from queues.scheduler import SequentialQueueManager
from server.telemetry.instruments import wait_of
from server.telemetry.telemetry import Telemetry
from tests.queues.desk import BACKOFF, FETCH, Desk, fetch
from tests.queues.running import PATIENCE, open_database, put, serving, until_running


@dataclass(frozen=True, slots=True)
class Seen:
    telemetry: Telemetry
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def told(self, attribute: str) -> list[Any]:
        return [(span.attributes or {}).get(attribute) for span in self.spans]

    def points(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        """The attributes and the value of each point of a metric; none where it is not reported."""
        data = self.reader.get_metrics_data()
        return [
            (dict(point.attributes or {}), getattr(point, "value", None))
            for of_resource in (data.resource_metrics if data else list[ResourceMetrics]())
            for of_scope in of_resource.scope_metrics
            for metric in of_scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def seen() -> Seen:
    tracers, exporter, reader = TracerProvider(), InMemorySpanExporter(), InMemoryMetricReader()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    return Seen(Telemetry(tracers, MeterProvider([reader])), exporter, reader)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path)
    yield opened
    opened.close()


def manager(database: Database, seen: Seen, handler: Handler) -> SequentialQueueManager:
    return SequentialQueueManager(
        database,
        {"work": handler},
        command="test",
        backoff=lambda _: timedelta(),
        observer=seen.telemetry,
    )


async def run(database: Database, seen: Seen, handler: Handler) -> None:
    with anyio.fail_after(PATIENCE):
        await manager(database, seen, handler).execute_queues()


async def test_a_retry_and_a_failure_are_errors_that_tell_no_text(database: Database, seen: Seen) -> None:
    async def fail(ctx: TaskContext) -> Outcome:
        raise ValueError(f"{ctx.task.id} holds 40 NSE:INFY")

    put(database, fetch(max_attempts=2))
    await run(database, seen, fail)
    assert seen.told("stockdesk.attempt.outcome") == seen.told("error.type") == ["retry", "failed"]
    assert {span.status.status_code for span in seen.spans} == {StatusCode.ERROR}
    assert "INFY" not in "".join(span.to_json() for span in seen.spans)


async def test_an_attempt_that_a_shutdown_ends_is_interrupted_and_no_error(
    database: Database, seen: Seen
) -> None:
    async def wait(_: TaskContext) -> Outcome:
        await anyio.sleep_forever()
        raise AssertionError("it is cancelled")

    [task] = put(database, fetch())
    queues = manager(database, seen, wait)
    async with serving(queues):
        await until_running(queues, database, task)
        queues.interrupt()
    assert seen.told("stockdesk.attempt.outcome") == ["interrupted"]
    assert seen.told("error.type") == [None]
    [(attributes, count)] = seen.points("stockdesk.attempts")
    assert (attributes["stockdesk.attempt.outcome"], count) == ("interrupted", 1)


async def test_an_attempt_that_was_ended_elsewhere_is_lost(database: Database, seen: Seen) -> None:
    async def end_elsewhere(ctx: TaskContext) -> Outcome:
        await ctx.database.write(lambda tx: finish(tx, ctx.task, TaskState.CANCELLED, error="by hand"))
        return Completed({})

    put(database, fetch())
    await run(database, seen, end_elsewhere)
    assert seen.told("stockdesk.attempt.outcome") == ["lost"]


async def test_the_depth_and_the_holds_of_the_queues_are_told_by_the_leader_alone(
    database: Database, seen: Seen
) -> None:
    is_leader = False
    seen.telemetry.follow(database, lambda: is_leader)
    put(database, fetch(), fetch())
    database.write_now(lambda tx: hold_queue(tx, FETCH, "user", "a pause"))
    assert seen.points("stockdesk.queue.depth") == []
    is_leader = True
    depths = {tuple(point.values()): value for point, value in seen.points("stockdesk.queue.depth")}
    assert len(depths) == 15
    assert {name: value for name, value in depths.items() if value} == {("data_fetcher", "queued"): 2}
    holds = {
        point["messaging.destination.name"]: value for point, value in seen.points("stockdesk.queue.holds")
    }
    assert holds == {"portfolio_sync": 0, "data_fetcher": 1, "ai_analysis": 0}


def test_a_wait_is_counted_from_when_the_task_could_have_started(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    task = desk.enqueue_one(fetch())
    desk.pass_time(timedelta(seconds=3))
    first = desk.start()
    assert wait_of(first, []) == timedelta(seconds=3)
    desk.pass_time(timedelta(seconds=60))
    desk.end(first, Retry("not yet"))
    desk.pass_time(BACKOFF + timedelta(seconds=5))
    second = desk.start()
    assert wait_of(second, desk.history(task)) == timedelta(seconds=5)
    assert wait_of(second, []) is None
    desk.end(second)
    desk.pass_time(timedelta(days=1))
    desk.retry(task)
    desk.pass_time(timedelta(seconds=7))
    assert wait_of(desk.start(), desk.history(task)) == timedelta(seconds=7)


async def test_what_waits_is_sent_at_the_end(database: Database) -> None:
    tracers, exporter = TracerProvider(), InMemorySpanExporter()
    tracers.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=600_000))
    telemetry = Telemetry(tracers, MeterProvider(), [tracers.force_flush])
    [task] = put(database, fetch())
    with telemetry.attempt(task._replace(started_at=task.enqueued_at)):
        pass
    assert not exporter.get_finished_spans()
    await telemetry.flush()
    assert len(exporter.get_finished_spans()) == 1
    tracers.shutdown()


async def test_a_last_export_that_hangs_or_fails_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    let_go, tried = threading.Event(), list[str]()

    def fail() -> None:
        tried.append("fail")
        raise RuntimeError("the metrics cannot be collected")

    telemetry = Telemetry(TracerProvider(), MeterProvider(), [let_go.wait, fail])
    try:
        with anyio.fail_after(PATIENCE):
            await telemetry.flush()
    finally:
        let_go.set()
    assert tried == ["fail"]
    assert caplog.messages == ["The last traces and metrics could not be sent within 0.4 s; they are lost"]
