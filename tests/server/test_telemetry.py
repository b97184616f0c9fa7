"""What a real worker sends to a real collector on loopback, held against what it has stored."""

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from handlers.analyst.costs import Session, sessions_of_task
from handlers.stocks import Exchange, Stock
from queues.inspection import TaskFilter, attempts_of, list_tasks, totals
from queues.model import Attempt, QueueName, Task
from queues.moments import to_micros
from server.desk import open_desk
from server.requests import request_review
from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, desk_environment, look
from tests.server.desks import csv_of, sample_settings
from tests.standins.messages_api import MessagesApi, Reply, Request, Says, grounded_verdict
from tests.standins.otlp_collector import OtlpCollector, SeenSpan

DOCS = Path(__file__).parents[2] / "docs" / "telemetry.md"
STOCKS = [Stock("AAPL", Exchange.NASDAQ), Stock("MSFT", Exchange.NASDAQ)]
CANARY = "canary_0123456789_of_the_collector"
QUEUE, OUTCOME = "messaging.destination.name", "stockdesk.attempt.outcome"


def refused_first(request: Request) -> Reply:
    """One submission without evidence and one with an invented number, then both mended."""
    first, second = map(grounded_verdict, request.stocks)
    if request.tool_errors:
        return Says(submits=(first, second)) if len(request.submitted) == 2 else Says("All are submitted.")
    [number, *others] = second["evidence"]
    invented = {**second, "evidence": [{**number, "value": number["value"] * 3}, *others]}
    return Says(submits=({**first, "evidence": []}, invented))


@dataclass(frozen=True, slots=True)
class Worked:
    """A review by a worker that has ended, as the collector saw it and as its home keeps it."""

    collector: OtlpCollector
    folder: Path
    history: Sequence[tuple[Task, Attempt]]
    sessions: Sequence[Session]
    lines: Sequence[dict[str, Any]]

    def spans(self, prefix: str) -> list[SeenSpan]:
        return [span for span in self.collector.spans if span.name.startswith(prefix)]


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worked]:
    folder = tmp_path_factory.mktemp("worked")
    with OtlpCollector() as collector, MessagesApi(refused_first) as api:
        environment = desk_environment(
            folder,
            api.url,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS=f"x-api-key={CANARY}",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
            OTEL_METRIC_EXPORT_INTERVAL="200",
            OTEL_BSP_SCHEDULE_DELAY="200",
        )
        anyio.run(enqueue_review, folder)
        work(environment, lambda: collector.wait_for(lambda: is_reviewed(collector)))
        tasks, _ = look(folder, lambda tx: list_tasks(tx, TaskFilter(), limit=50))
        [log] = (folder / "desk" / "logs").iterdir()
        yield Worked(
            collector,
            folder,
            [
                (task, each)
                for task in tasks
                for each in look(folder, lambda tx, task=task: attempts_of(tx, task))
            ],
            [
                each
                for task in tasks
                for each in look(folder, lambda tx, task=task: sessions_of_task(tx, task.id))
            ],
            [json.loads(line) for line in log.read_text("utf-8").splitlines()],
        )


async def enqueue_review(folder: Path) -> None:
    async with open_desk(sample_settings(folder / "desk", analyst="claude"), "test") as desk:
        await request_review(desk, path=None, csv_text=csv_of(*STOCKS), account=None, exchange=None)


def is_reviewed(collector: OtlpCollector) -> bool:
    """Whether all is told, so that nothing depends on how fast the last of it is sent at the end."""
    return (
        all(collector.value("stockdesk.queue.depth", name=queue, state="completed") for queue in QueueName)
        and collector.value("stockdesk.attempts") == len(QueueName)
        and any(span.name == "process ai_analysis" for span in collector.spans)
    )


def work(environment: dict[str, str], until: Callable[[], None]) -> None:
    with subprocess.Popen([STOCKDESK, "worker"], env=environment, stderr=subprocess.DEVNULL) as worker:
        try:
            until()
        finally:
            worker.send_signal(signal.SIGTERM)
            code = worker.wait(PATIENCE_SECONDS)
    assert code == 0


def test_each_attempt_is_a_span_with_the_ids_and_times_of_the_database(worked: Worked) -> None:
    sent = {
        (
            span.attributes["messaging.message.id"],
            span.attributes["messaging.message.conversation_id"],
            span.attributes[QUEUE],
            span.attributes["stockdesk.task.kind"],
            span.attributes["stockdesk.task.attempt"],
            span.attributes["stockdesk.task.claim"],
            span.attributes[OUTCOME],
            span.start,
            span.end,
        )
        for span in worked.spans("process ")
    }
    assert sent == {
        (
            task.id,
            task.run_id,
            task.queue,
            task.kind,
            attempt.attempt,
            attempt.claim,
            attempt.outcome,
            to_micros(attempt.started_at) * 1000,
            to_micros(attempt.ended_at or attempt.started_at) * 1000,
        )
        for task, attempt in worked.history
    }
    assert {span.name for span in worked.spans("process ")} == {f"process {queue}" for queue in QueueName}


def test_a_session_is_a_child_of_its_attempt_with_its_tokens_and_its_cost(worked: Worked) -> None:
    [session], [span] = worked.sessions, worked.spans("invoke_agent")
    [attempt] = worked.spans("process ai_analysis")
    assert (span.trace_id, span.parent_id) == (attempt.trace_id, attempt.span_id)
    assert attempt.start <= span.start <= span.end <= attempt.end
    assert session.spent.cost_usd
    assert span.attributes == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.agent.name": "analyst",
        "gen_ai.request.model": session.model,
        "gen_ai.conversation.id": session.session_id,
        "gen_ai.usage.input_tokens": session.spent.input_tokens,
        "gen_ai.usage.output_tokens": session.spent.output_tokens,
        "stockdesk.session.stocks": 2,
        "stockdesk.session.turns": session.spent.turns,
        "stockdesk.session.cost_usd": session.spent.cost_usd,
        "stockdesk.session.billing": "api",
        "stockdesk.session.ending": "Finished",
    }


def test_metrics_equal_the_database(worked: Worked) -> None:
    collector, [session] = worked.collector, worked.sessions
    stored = Counter((task.queue.value, attempt.outcome) for task, attempt in worked.history)
    assert {
        (point.attributes[QUEUE], point.attributes[OUTCOME]): point.value
        for point in collector.points("stockdesk.attempts")
    } == stored
    for task, attempt in worked.history:
        assert attempt.ended_at is not None
        ran = collector.value("stockdesk.attempt.duration", name=task.queue.value)
        waited = collector.value("stockdesk.attempt.wait", name=task.queue.value)
        assert timedelta(seconds=ran) == attempt.ended_at - attempt.started_at
        assert timedelta(seconds=waited) == attempt.started_at - task.enqueued_at
    for queue in QueueName:
        counts = look(worked.folder, lambda tx, queue=queue: totals(tx, queue))
        sent = {state: collector.value("stockdesk.queue.depth", name=queue, state=state) for state in counts}
        assert sent == counts
        assert collector.value("stockdesk.queue.holds", name=queue) == 0
    assert collector.value("stockdesk.session.cost") == session.spent.cost_usd
    assert collector.value("gen_ai.client.token.usage", type="input") == session.spent.input_tokens
    assert collector.value("gen_ai.client.token.usage", type="output") == session.spent.output_tokens
    refused = {
        point.attributes["stockdesk.refusal.kind"]: point.value
        for point in collector.points("stockdesk.refusals")
    }
    assert refused == {"invalid_verdict": 1, "ungrounded": 1}
    assert look(worked.folder, lambda tx: tx.rows("SELECT count(*) FROM refusals")) == [(2,)]


def test_what_is_sent_says_who_sends_it(worked: Worked) -> None:
    [resource] = {frozenset(span.resource.items()) for span in worked.collector.spans}
    told = dict(resource)
    assert told["service.name"] == "stockdesk"
    assert told["stockdesk.command"] == "worker"
    assert told["deployment.environment.name"] == "test"
    assert told["service.version"]
    assert told["service.instance.id"]
    assert {headers["x-api-key"] for headers in worked.collector.headers} == {CANARY}


def test_nothing_that_is_sent_tells_of_holdings_or_texts(worked: Worked) -> None:
    sent = f"{worked.collector.spans} {worked.collector.metrics}"
    assert "analysis-3" in sent
    assert [word for word in ("AAPL", "MSFT", "NASDAQ", "newest", "close", CANARY) if word in sent] == []


def test_each_line_of_an_attempt_names_it_and_each_line_of_a_session_that_too(worked: Worked) -> None:
    [session] = worked.sessions
    [span] = worked.spans("process ai_analysis")
    [task, attempt] = next(each for each in worked.history if each[0].queue is QueueName.AI_ANALYSIS)
    of_task = {
        "task": task.id,
        "run": task.run_id,
        "queue": "ai_analysis",
        "attempt": 1,
        "claim": attempt.claim,
    }
    lines = [line for line in worked.lines if line.get("task") == task.id]
    assert [line["message"].partition(" (")[0] for line in lines] == [
        f"{task.id} starts",
        "A session over 2 stocks starts",
        "Refused a submission of NASDAQ:AAPL",
        "Refused a submission of NASDAQ:MSFT",
        f"The session ended as Finished, cost ${session.spent.cost_usd:.4f}",
        f"{task.id} is completed after claim 1",
    ]
    assert all(of_task.items() <= line.items() for line in lines)
    assert {line["trace_id"] for line in lines} == {span.trace_id}
    assert [line.get("session") for line in lines] == [None, *[session.session_id] * 4, None]
    assert not any(CANARY in str(line) for line in worked.lines)


def test_the_documentation_names_everything_that_is_sent(worked: Worked) -> None:
    documented = DOCS.read_text("utf-8")
    spans = [*worked.spans("process "), *worked.spans("invoke_agent")]
    points = [point for metric in worked.collector.metrics.values() for point in metric]
    names = {name for each in [*spans, *points] for name in each.attributes}
    metrics = set(worked.collector.metrics)
    assert len(metrics) == 8
    assert [name for name in sorted(names | metrics) if f"`{name}`" not in documented] == []
