"""A stand-in for a collector of OpenTelemetry on loopback: OTLP over HTTP, decoded with the protocol's own messages.

It keeps every span, and of each metric the newest export. It may refuse, or never answer.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, TypeAlias

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.standins.serving import Serving

Value: TypeAlias = str | int | float | bool
Behaviour: TypeAlias = Literal["takes", "refuses", "hangs"]
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """Times in nanoseconds since 1970; `resource` tells who sent it, `scope` which library made it."""

    name: str
    scope: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    is_error: bool
    attributes: Mapping[str, Value]
    resource: Mapping[str, Value]
    told: str
    """All texts of it besides, which could tell too much: the status, events and links."""


@dataclass(frozen=True, slots=True)
class Point:
    """`value` is that of a gauge or counter, the sum of a histogram; `count` a histogram's."""

    attributes: Mapping[str, Value]
    value: float
    count: int = 1


class OtlpCollector(Serving):
    def __init__(self, behaviour: Behaviour = "takes") -> None:
        self.behaviour = behaviour
        self.spans: list[SeenSpan] = []
        self.metrics: dict[str, list[Point]] = {}
        self.units: dict[str, str] = {}
        self.headers: list[Mapping[str, str]] = []
        self.let_go = threading.Event()
        self._came = threading.Condition()
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        server.daemon_threads = True
        server.block_on_close = False
        super().__init__(server)

    def close(self) -> None:
        self.let_go.set()
        super().close()

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        with self._came:
            self.headers.append(headers)
            match path if self.behaviour == "takes" else "":
                case "/v1/traces":
                    self.spans += _spans(ExportTraceServiceRequest.FromString(body))
                case "/v1/metrics":
                    self._take_metrics(ExportMetricsServiceRequest.FromString(body))
                case _:
                    pass
            self._came.notify_all()

    def _take_metrics(self, request: ExportMetricsServiceRequest) -> None:
        for of_resource in request.resource_metrics:
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    self.metrics[metric.name] = list(_points(metric))
                    self.units[metric.name] = metric.unit

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once it holds; it is looked at after each request."""
        with self._came:
            assert self._came.wait_for(condition, PATIENCE_SECONDS), (self.metrics, self.spans)

    def value(self, metric: str, **attributes: Value) -> float:
        """The sum over the points that have these attributes (their names end so, with _ for each dot)."""
        return sum(each.value for each in self.points(metric, **attributes))

    def points(self, metric: str, **attributes: Value) -> list[Point]:
        def matches(point: Point) -> bool:
            known = {name.rpartition(".")[2]: value for name, value in point.attributes.items()}
            return attributes.items() <= known.items()

        return list(filter(matches, self.metrics.get(metric, [])))


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, collector: OtlpCollector, *args: object) -> None:
        self._collector = collector
        super().__init__(*args)  # pyright: ignore[reportArgumentType] (the server passes what it wants)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._collector.take(self.path, dict(self.headers.items()), body)
        if self._collector.behaviour == "hangs":
            self._collector.let_go.wait()
        with suppress(ConnectionError):  # whoever asked may have gone away
            self.send_response(200 if self._collector.behaviour == "takes" else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
        """Nothing on the tests' stderr."""


def _spans(request: ExportTraceServiceRequest) -> Iterable[SeenSpan]:
    for of_resource in request.resource_spans:
        resource = _values(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield _span(span, of_scope.scope.name, resource)


def _span(span: Span, scope: str, resource: Mapping[str, Value]) -> SeenSpan:
    return SeenSpan(
        name=span.name,
        scope=scope,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        is_error=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_values(span.attributes),
        resource=resource,
        told=f"{span.status.message} {list(span.events)} {list(span.links)}",
    )


def _points(metric: Metric) -> Iterable[Point]:
    match metric.WhichOneof("data"):
        case "histogram":
            for each in metric.histogram.data_points:
                yield Point(_values(each.attributes), each.sum, each.count)
        case "sum" | "gauge" as form:
            for each in (metric.sum if form == "sum" else metric.gauge).data_points:
                is_whole = each.WhichOneof("value") == "as_int"
                yield Point(_values(each.attributes), each.as_int if is_whole else each.as_double)
        case other:
            raise AssertionError(f"{metric.name} is {other}")


def _values(attributes: Iterable[KeyValue]) -> Mapping[str, Value]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: AnyValue) -> Value:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value
        case "bool_value":
            return value.bool_value
        case other:
            raise AssertionError(f"an attribute is {other}")
