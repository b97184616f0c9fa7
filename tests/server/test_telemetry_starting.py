"""When traces and metrics are sent, and what is said where they cannot be."""

import logging
import sys
from collections.abc import Iterator, Mapping

import pytest

from server.telemetry.starting import exporters, start_telemetry
from server.telemetry.troubles import tell_seldom

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
TRACES_ENDPOINT = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}


@pytest.fixture(autouse=True)
def _their_logger_as_before() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction] (autouse)
    theirs = logging.getLogger("opentelemetry")
    handlers, propagate = theirs.handlers[:], theirs.propagate
    yield
    theirs.handlers[:], theirs.propagate = handlers, propagate


@pytest.mark.parametrize(
    ("environment", "traces", "metrics"),
    [
        ({}, [], []),
        ({"OTEL_SERVICE_NAME": "mine", "OTEL_EXPORTER_OTLP_HEADERS": "a=b"}, [], []),
        (ENDPOINT, ["otlp"], ["otlp"]),
        (TRACES_ENDPOINT, ["otlp"], []),
        (ENDPOINT | {"OTEL_METRICS_EXPORTER": "none"}, ["otlp"], []),
        ({"OTEL_METRICS_EXPORTER": "Console"}, [], ["console"]),
        ({"OTEL_TRACES_EXPORTER": "otlp, console"}, ["otlp", "console"], []),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": ""}, ["otlp"], ["otlp"]),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "TRUE"}, [], []),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "false"}, ["otlp"], ["otlp"]),
    ],
)
def test_the_standard_variables_say_what_is_sent(
    environment: Mapping[str, str], traces: list[str], metrics: list[str]
) -> None:
    assert exporters("traces", environment) == traces
    assert exporters("metrics", environment) == metrics


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            (
                "No traces or metrics are sent: OTEL_TRACES_EXPORTER = 'zipkin' cannot be used; write otlp, console or "
                "none."
            ),
        ),
        (
            ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            (
                "No traces or metrics are sent: OTEL_EXPORTER_OTLP_PROTOCOL = 'grpc' cannot be used; set it to "
                "http/protobuf, and the endpoint to the collector's port for it (4318 unless it was changed)."
            ),
        ),
    ],
)
def test_what_cannot_be_sent_is_said_once_and_stops_nothing(
    environment: Mapping[str, str], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert start_telemetry(environment, "worker") is None
    assert caplog.messages == [sentence]


def test_without_the_extra_a_warning_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "server.telemetry.providers", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    assert start_telemetry(ENDPOINT, "worker") is None
    [said] = caplog.records
    assert said.levelname == "WARNING"
    assert (
        "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http, or set OTEL_SDK_DISABLED=true"
        in said.getMessage()
    )


def test_an_exporter_in_trouble_is_heard_once_in_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    tell_seldom()
    theirs = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")

    def fails(at: float, level: int = logging.ERROR) -> None:
        record = theirs.makeRecord(theirs.name, level, "", 0, "Failed to export %s batch", ("spans",), None)
        record.created = at
        theirs.handle(record)

    fails(1e9, logging.INFO)
    assert not caplog.records
    for at in (1e9, 1e9 + 1, 1e9 + 599):
        fails(at)
    [said] = caplog.records
    assert (said.name, said.levelname) == ("server.telemetry.troubles", "WARNING")
    assert "the tasks go on: Failed to export spans batch" in said.getMessage()
    fails(1e9 + 601)
    assert len(caplog.records) == 2
