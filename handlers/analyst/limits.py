"""What the settings need to know of sessions; apart, as they load without the SDK."""

from datetime import timedelta
from pathlib import Path

# A session with thinking takes one to two minutes for three stocks; the rest is for a slow or busy API.
SESSION_DEADLINE = timedelta(minutes=15)
# One request to the API. The CLI does not try again: the queue does, with its backoff.
API_TIMEOUT = timedelta(minutes=2)
SESSION_BUDGET_USD = 1.0
# 81 stocks are 40 sessions: they finish if each costs up to $0.49. An accident costs no more than this a day.
DAILY_BUDGET_USD = 20.0


def is_bare_name(cli: Path) -> bool:
    """`claude` rather than `/opt/claude` or `~/claude`."""
    return str(cli) == cli.name and not cli.name.startswith("~")
