"""The SDK of OpenTelemetry, set up by the environment: what is sent where, how often, and as whom."""

import sys
import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace import set_tracer_provider

from server.telemetry.telemetry import Telemetry
from server.telemetry.troubles import tell_seldom

HTTP = "http/protobuf"


def open_telemetry(
    traces: Sequence[str], metrics: Sequence[str], environment: Mapping[str, str], command: str
) -> Telemetry:
    """Set up the named exporters for this process; the SDK of MCP then makes a span of each request.

    Raises:
        ValueError: an exporter, or a variable that says how it works, cannot be used.
        OSError: a certificate cannot be read.
    """
    for signal, names in (("TRACES", traces), ("METRICS", metrics)):
        _require_usable(signal, names, environment)
    tell_seldom()
    resource = _resource(command)
    # Neither ends by itself at the exit, where it would wait for whoever collects.
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    for name in traces:
        # Else it would write to stdout, which belongs to the protocol.
        console = ConsoleSpanExporter(out=sys.stderr) if name == "console" else None
        tracers.add_span_processor(BatchSpanProcessor(console or OTLPSpanExporter()))
    readers = [
        PeriodicExportingMetricReader(
            ConsoleMetricExporter(out=sys.stderr) if name == "console" else OTLPMetricExporter()
        )
        for name in metrics
    ]
    meters = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
    set_tracer_provider(tracers)
    set_meter_provider(meters)
    return Telemetry(tracers, meters, [tracers.force_flush, meters.force_flush])


def _require_usable(signal: str, names: Sequence[str], environment: Mapping[str, str]) -> None:
    for name in names:
        if name not in ("otlp", "console"):
            raise ValueError(
                f"OTEL_{signal}_EXPORTER = {name!r} cannot be used; write otlp, console or none."
            )
    for variable in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = environment.get(variable)
        if "otlp" in names and protocol and protocol != HTTP:
            raise ValueError(
                f"{variable} = {protocol!r} cannot be used; set it to {HTTP}, and the endpoint to the collector's port "
                "for it (4318 unless it was changed)."
            )
        if protocol:
            return


def _resource(command: str) -> Resource:
    ours = {
        "service.name": "stockdesk",
        "service.version": version("stockdesk"),
        "service.instance.id": str(uuid.uuid4()),
        "stockdesk.command": command,
    }
    # Last, so that OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before ours.
    return Resource.create(ours).merge(OTELResourceDetector().detect())
