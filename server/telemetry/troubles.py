"""What the exporter says when it cannot send: once in a while, or a dead collector would drown the desk's own lines."""

import logging

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 600.0


class _Seldom(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._silent_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if record.created < self._silent_until:
            return
        self._silent_until = record.created + SECONDS_BETWEEN
        log.warning(
            "Traces or metrics are not sent now, the tasks go on: %s (said at most every %d minutes)",
            record.getMessage(),
            SECONDS_BETWEEN // 60,
        )


def tell_seldom() -> None:
    """Let nothing that OpenTelemetry logs into the logs but a warning of ours, every ten minutes at most."""
    theirs = logging.getLogger("opentelemetry")
    theirs.handlers[:] = [_Seldom()]
    theirs.propagate = False
