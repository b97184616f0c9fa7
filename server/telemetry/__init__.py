"""Traces and metrics for those who configure an OpenTelemetry exporter; docs/telemetry.md names all that is sent."""
