"""How a long-lived process of the desk starts, and above all how it ends."""

import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn

import anyio

from server.app import build_server
from server.desk import Desk, open_desk
from server.logs import configure_logs
from server.settings import Settings

log = logging.getLogger(__name__)

# Hosts kill 500 ms (Claude Code) to 2 s (Python and TypeScript clients) after their first word; a running session
# needs most of that to stop and to say what it cost.
STOP_SECONDS = 1.7


async def serve_stdio(settings: Settings) -> None:
    """Serve MCP over stdin and stdout, and lead the queues if no other process does; ends the process."""

    async def until_eof(desk: Desk) -> None:
        await build_server(desk).run_stdio_async()
        log.info("The client closed stdin")

    await _run_desk(settings, "serve", until_eof)


async def work(settings: Settings) -> None:
    """Run the queues without a client, until a signal; ends the process."""

    async def forever(desk: Desk) -> None:
        log.info("Working on %s; Ctrl-C ends it, the tasks stay", desk.settings.home)
        await anyio.sleep_forever()

    await _run_desk(settings, "worker", forever)


async def _run_desk(settings: Settings, command: str, body: Callable[[Desk], Awaitable[None]]) -> None:
    async with open_desk(settings, command) as desk, anyio.create_task_group() as tasks:
        configure_logs(settings.home / "logs", settings.log_level, command=command)
        stopped = anyio.Event()
        running = anyio.CancelScope()

        async def run_queues(*, task_status: anyio.abc.TaskStatus[None]) -> None:
            with running:
                await desk.manager.run(task_status=task_status)
            stopped.set()

        async def leave_on_signal() -> None:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for signum in signals:
                    await leave(f"signal {signum.name}")

        async def leave(why: str) -> NoReturn:
            # First of all, before anything is awaited: a kill may follow in 100 ms.
            interrupted = desk.manager.interrupt()
            log.info("Leaving on %s; interrupted: %s", why, ", ".join(interrupted) or "nothing")
            running.cancel()
            with anyio.move_on_after(STOP_SECONDS, shield=True):
                await stopped.wait()
            # A thread may still block on stdin, and no interpreter exit can end it.
            _exit_now()

        await tasks.start(run_queues)
        with suppress(NotImplementedError):  # Windows: Ctrl-C ends the process, hosts close stdin
            tasks.start_soon(leave_on_signal)
        await body(desk)
        await leave("end of input")


def _exit_now() -> NoReturn:
    logging.shutdown()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(0)
