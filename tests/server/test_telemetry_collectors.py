"""A real server whose collector works, refuses or hangs: its tasks end alike, and so does its process."""

import json
from pathlib import Path

import pytest

from handlers.stocks import Exchange, Stock
from tests.hosts.serve import Serve, desk_environment
from tests.server.desks import csv_of
from tests.standins.otlp_collector import Behaviour, OtlpCollector

STOCKS = [Stock("AAPL", Exchange.NASDAQ), Stock("MSFT", Exchange.NASDAQ)]
CALL = "tools/call get_queue_status"
NOT_NOW = "Traces or metrics are not sent now, the tasks go on: "
LOST = "The last traces and metrics could not be sent within 0.4 s; they are lost"


def environment(collector: OtlpCollector, folder: Path, **others: str) -> dict[str, str]:
    """Sent often, and awaited far longer than a test lasts."""
    return desk_environment(
        folder,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_METRIC_EXPORT_INTERVAL="100",
        OTEL_BSP_SCHEDULE_DELAY="100",
        OTEL_EXPORTER_OTLP_TIMEOUT="600",
        **others,
    )


def end(serve: Serve, folder: Path) -> list[str]:
    """Let the server end by itself; returns the warnings in its log."""
    serve.close_stdin()
    assert serve.ended() == 0
    [log] = (folder / "desk" / "logs").iterdir()
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [line["message"] for line in lines if line["level"] != "INFO"]


def test_a_request_of_a_client_is_traced_by_the_sdk_and_never_on_stdout(tmp_path: Path) -> None:
    with (
        OtlpCollector() as collector,
        Serve(environment(collector, tmp_path, OTEL_TRACES_EXPORTER="otlp,console")) as serve,
    ):
        serve.initialize().call("get_queue_status")
        collector.wait_for(lambda: any(span.name == CALL for span in collector.spans))
        end(serve, tmp_path)
        [span] = [span for span in collector.spans if span.name == CALL]
    assert (span.kind, span.resource["stockdesk.command"]) == ("SERVER", "serve")
    assert span.attributes["gen_ai.tool.name"] == "get_queue_status"
    assert f'"name": "{CALL}"' in serve.stderr
    assert all(message["jsonrpc"] == "2.0" for message in serve.messages())


@pytest.mark.parametrize(("behaviour", "said"), [("refuses", [NOT_NOW, LOST]), ("hangs", [LOST])])
def test_a_collector_in_trouble_stops_no_task_and_no_end(
    tmp_path: Path, behaviour: Behaviour, said: list[str]
) -> None:
    with OtlpCollector(behaviour) as collector, Serve(environment(collector, tmp_path)) as serve:
        run = serve.initialize().call("enqueue_portfolio_review", csv_text=csv_of(*STOCKS))["run_id"]
        serve.call("get_task", task_id=run, wait_seconds=25, wait_for="run")
        verdicts = serve.call("get_verdicts")["verdicts"]
        assert {each["stock"] for each in verdicts} == set(map(str, STOCKS))
        assert collector.headers
        warnings = end(serve, tmp_path)
    assert [known for warning, known in zip(warnings, said, strict=True) if warning.startswith(known)] == said
