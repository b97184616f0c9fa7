"""Keeps credentials out of what the desk stores, logs and shows: the CLI and the API may echo them."""

import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

CREDENTIALS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
# Of clouds and gateways. No hold stands on them, but a CLI that prints its environment shows them too.
OTHER_SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "ANTHROPIC_FOUNDRY_API_KEY",
    "ANTHROPIC_CUSTOM_HEADERS",
    "KITE_API_SECRET",
    "KITE_ACCESS_TOKEN",
    "APCA_API_KEY_ID",
    "APCA_API_SECRET_KEY",
)
# `name=value` pairs with commas, percent-encoded; whom they are sent to may repeat a value.
EXPORTER_HEADERS = (
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
)
HIDDEN = "[hidden]"
# A shorter value ("x", "dummy") is no secret, and to hide it would tear words apart.
SHORTEST_SECRET = 8
_LIKE_A_KEY = re.compile(r"sk-ant-[\w-]+")


def redact(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The text without the values of the credentials in `environment`, nor anything that looks like a key of Anthropic.

    Before a text is shortened: of half a key nothing is recognised.
    """
    for value in sorted(_secrets(environment), key=len, reverse=True):
        if len(value) >= SHORTEST_SECRET:
            text = text.replace(value, HIDDEN)
    return _LIKE_A_KEY.sub(HIDDEN, text)


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    for name in (*CREDENTIALS, *OTHER_SECRETS):
        yield environment.get(name, "").strip()
    for name in EXPORTER_HEADERS:
        headers = environment.get(name, "").strip()
        yield headers
        for pair in headers.split(","):
            yield unquote(pair.partition("=")[2]).rpartition(" ")[2].strip()  # of "Bearer abc", the "abc"


def credentials_set(environment: Mapping[str, str] = os.environ) -> str:
    """The names of the credentials that are set, with commas; never their values."""
    return ",".join(name for name in CREDENTIALS if environment.get(name))
