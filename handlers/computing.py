"""Work that takes milliseconds of the processor: beside the event loop, which would stand still for it."""

import gc
from collections.abc import Callable, Generator
from contextlib import contextmanager
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


@contextmanager
def nothing_collected() -> Generator[None]:
    """For imports: what they make stays, and to look for garbage in it takes up to a twelfth of a second each time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
