"""Keeps a minimum time between the requests to one host."""

from collections.abc import Awaitable, Callable

import anyio


class Pace:
    """One per host, shared by everyone who asks it. `turn` returns when the next request may be sent."""

    def __init__(
        self,
        per_second: float,
        monotonic: Callable[[], float] = anyio.current_time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        """At most `per_second` requests a second, evenly spaced; 0.5 is one every two seconds."""
        if not per_second > 0:
            raise ValueError(f"requests per second must be more than 0, not {per_second}")
        self._gap = 1 / per_second
        self._monotonic = monotonic
        self._sleep = sleep
        self._next = 0.0

    async def turn(self) -> None:
        # The slot is taken before the wait, so that those who come meanwhile line up behind it.
        now = self._monotonic()
        slot = max(now, self._next)
        self._next = slot + self._gap
        await self._sleep(slot - now)
