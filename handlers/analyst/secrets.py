"""Keeps credentials out of what the desk stores, logs and shows: the CLI and the API may echo them."""

import os
import re
from collections.abc import Mapping

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
HIDDEN = "[hidden]"
# A shorter value ("x", "dummy") is no secret, and to hide it would tear words apart.
SHORTEST_SECRET = 8
_LIKE_A_KEY = re.compile(r"sk-ant-[\w-]+")


def redact(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The text without the values of the credentials in `environment`, nor anything that looks like a key of Anthropic.

    Before a text is shortened: of half a key nothing is recognised.
    """
    for value in sorted(
        (environment.get(name, "").strip() for name in (*CREDENTIALS, *OTHER_SECRETS)), key=len, reverse=True
    ):
        if len(value) >= SHORTEST_SECRET:
            text = text.replace(value, HIDDEN)
    return _LIKE_A_KEY.sub(HIDDEN, text)


def credentials_set(environment: Mapping[str, str] = os.environ) -> str:
    """The names of the credentials that are set, with commas; never their values."""
    return ",".join(name for name in CREDENTIALS if environment.get(name))
