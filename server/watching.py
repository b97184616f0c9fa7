"""Waits for the end of another process."""

import os
from datetime import timedelta

import anyio

from queues.processes import Process, is_running, open_pidfd, process_of

PARENT_LOOK_EVERY = timedelta(seconds=10)
# The pipe of a client that died ends with it and is the usual way out; only where another process holds it open, none
# comes within this time.
PIPE_ENDS_WITHIN = timedelta(seconds=1)


async def ended(process: Process, look_every: timedelta) -> None:
    """Return once this process has ended; at once on Linux, elsewhere after at most `look_every`."""
    descriptor = open_pidfd(process.pid)
    if descriptor is None:
        while is_running(process):  # noqa: ASYNC110 (nothing here could set an event)
            await anyio.sleep(look_every.total_seconds())
        return
    try:
        if is_running(process):  # so the descriptor is of this one
            await anyio.wait_readable(descriptor)
    finally:
        os.close(descriptor)


async def parent_ended() -> None:
    """Return a second after the process that started this one has ended; never, if it had ended before the call.

    So a launcher that starts the server and ends at once is no client that died: imports take longer than that.
    """
    parent = process_of(os.getppid())
    if parent is None or parent.pid == 1:  # init adopts orphans; as a container's client it takes all along
        await anyio.sleep_forever()
    else:
        await ended(parent, PARENT_LOOK_EVERY)
        await anyio.sleep(PIPE_ENDS_WITHIN.total_seconds())
