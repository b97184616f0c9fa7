"""Whether traces and metrics are wanted, by the standard OTEL_ variables; without them nothing is imported."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.telemetry.telemetry import Telemetry

log = logging.getLogger(__name__)

# What the extra `telemetry` holds: by the packages' own names, for Stockdesk itself is installed from a clone.
INSTALL = "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"


def start_telemetry(environment: Mapping[str, str], command: str) -> "Telemetry | None":
    """What observes this process, which is a `command`; None where no exporter is configured, or none can be used.

    A warning says why it cannot be used: no work of the desk waits for telemetry.
    """
    traces, metrics = exporters("traces", environment), exporters("metrics", environment)
    if not traces and not metrics:
        return None
    try:
        from server.telemetry.providers import open_telemetry  # noqa: PLC0415 (the SDK takes a quarter of a second)

        return open_telemetry(traces, metrics, environment, command)
    except ImportError as error:
        log.warning(
            "No traces or metrics are sent, though the environment asks for them: %s; install the exporter with "
            "%s, or set OTEL_SDK_DISABLED=true",
            error,
            INSTALL,
        )
    except (ValueError, OSError) as error:  # a variable, or a certificate's file
        log.warning("No traces or metrics are sent: %s", error)
    return None


def exporters(signal: str, environment: Mapping[str, str]) -> list[str]:
    """The exporters that the environment asks for, for `signal` (traces or metrics): otlp where it names an endpoint.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/, but for one thing: where nothing
    is set, nothing is sent.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    of_signal = signal.upper()
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{of_signal}_ENDPOINT")
    by_endpoint = "otlp" if any(environment.get(name) for name in endpoints) else ""
    named = environment.get(f"OTEL_{of_signal}_EXPORTER") or by_endpoint
    return [name for name in map(str.strip, named.lower().split(",")) if name not in ("", "none")]
