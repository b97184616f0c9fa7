"""How long a failed attempt waits for the next."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

Backoff: TypeAlias = Callable[[int], timedelta]
"""The wait after so many spent attempts."""

FIRST_WAIT = timedelta(seconds=5)  # long enough for a source's hiccup, short enough to watch
LONGEST_WAIT = timedelta(minutes=10)


def exponential_backoff(attempt: int) -> timedelta:
    """Twice as long each time, from 5 s to 10 min, less up to half of it at random ("equal jitter")."""
    full = min(FIRST_WAIT * 2 ** min(attempt - 1, 30), LONGEST_WAIT)
    return full * random.uniform(0.5, 1)  # noqa: S311 (jitter, not a secret)
