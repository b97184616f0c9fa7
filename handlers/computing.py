"""Work that takes milliseconds of the processor: beside the event loop, which would stand still for it."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
_limiter = RunVar[anyio.CapacityLimiter]("computing")


async def compute(work: Callable[[*_Ts], _T], *arguments: *_Ts) -> _T:
    """Run `work` in a thread, one piece at a time.

    Threads take turns of up to 5 ms at Python: behind several of them the loop would wait as long as for the work.
    """
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(1)
        _limiter.set(limiter)
    return await anyio.to_thread.run_sync(work, *arguments, limiter=limiter)
