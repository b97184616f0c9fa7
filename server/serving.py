"""How a long-lived process of the desk starts, and above all how it ends."""

import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, cast

import anyio
import anyio.lowlevel

from handlers.computing import nothing_collected
from queues.errors import EngineError
from queues.scheduler import SequentialQueueManager
from server.desk import Desk, make_folders, open_desk
from server.logs import close_logs, configure_logs
from server.settings import Settings
from server.telemetry.starting import start_telemetry
from server.watching import parent_ended

if TYPE_CHECKING:
    from server.http.listening import Address
    from server.telemetry.telemetry import Telemetry

log = logging.getLogger(__name__)

# Hosts kill 500 ms (Claude Code) to 2 s (Python and TypeScript clients) after their first word; a running session
# needs most of that to stop and to say what it cost.
STOP_SECONDS = 1.7


async def serve_stdio(settings: Settings) -> None:
    """Serve MCP over stdin and stdout, and lead the queues if no other process does; ends the process."""
    with nothing_collected():
        from server.app import build_server  # noqa: PLC0415 (the MCP SDK is slow to import; `work` needs none)

    async def until_eof(desk: Desk) -> None:
        try:
            await build_server(desk).run_stdio_async()
        except* BrokenPipeError:
            log.info("The client went away in the middle of an answer")

    await _run_desk(settings, "serve", until_eof, parent_ended)


async def serve_http(settings: Settings, address: "Address", *, new_token: bool) -> None:
    """Serve MCP over HTTP until a signal, and lead the queues if no other process does; ends the process.

    Raises:
        SettingsError: the address, the certificate or the token's file cannot be used.
    """
    with nothing_collected():
        from server.http.serving import HttpServer  # noqa: PLC0415 (as above)

    server = HttpServer(settings, address, new_token=new_token)
    await _run_desk(settings, "serve", server.run, anyio.sleep_forever, server.close)


async def work(settings: Settings) -> None:
    """Run the queues without a client, until a signal; ends the process."""

    async def forever(desk: Desk) -> None:
        log.info("Working on %s; Ctrl-C ends it, the tasks stay", desk.settings.home)
        await anyio.sleep_forever()

    await _run_desk(settings, "worker", forever, anyio.sleep_forever)


async def _run_desk(
    settings: Settings,
    command: str,
    body: Callable[[Desk], Awaitable[None]],
    orphaned: Callable[[], Awaitable[None]],
    close: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint,
) -> None:
    """`close` ends what `body` has open with its clients, while the queues stop."""
    # Signals are caught from before the queues run, so that none can end them without a record.
    with _signals_to_stop() as signals:
        make_folders(settings)
        configure_logs(settings.home / "logs", settings.log_level, command=command, form=settings.log_format)
        telemetry = start_telemetry(os.environ, command)
        async with open_desk(settings, command, telemetry) as desk:
            running = _Running(desk.manager, close, telemetry)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(running.leave_on, signals)
                tasks.start_soon(running.leave_after, orphaned)
                tasks.start_soon(running.run_queues)
                code = await _exit_code(body(desk), "serving")
                await running.leave("end of input" if code == 0 else "an error", code)


class _Running:
    """The queues of this process, and the one way out of it."""

    def __init__(
        self,
        manager: SequentialQueueManager,
        close: Callable[[], Awaitable[None]],
        telemetry: "Telemetry | None",
    ) -> None:
        self._manager = manager
        self._close = close
        self._telemetry = telemetry
        self._scope = anyio.CancelScope()
        self._stopped = anyio.Event()

    async def run_queues(self) -> None:
        """Run the queues until `leave` stops them; an error that ends them ends the process."""
        code = 0
        with self._scope:
            code = await _exit_code(self._listen_and_lead(), "the queues")
        self._stopped.set()
        if not self._scope.cancel_called:
            await self.leave("an error", code)

    async def _listen_and_lead(self) -> None:
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._manager.run)
            # Requests may have begun to wait before anything could ring here.
            self._manager.bell.ring_here()

    async def leave_on(self, signals: AsyncIterator[signal.Signals]) -> None:
        async for signum in signals:
            await self.leave(signum.name)

    async def leave_after(self, orphaned: Callable[[], Awaitable[None]]) -> None:
        await orphaned()
        await self.leave("the death of its parent")

    async def leave(self, why: str, code: int = 0) -> NoReturn:
        """Record the running tasks as interrupted, stop them, and end the process within `STOP_SECONDS`.

        It ends here and not by returning: a thread may block on stdin, and no interpreter exit can end it.
        """
        # From a thread of its own, for the event loop may block: on a slow disk, or on a stderr that nobody reads.
        bound = threading.Timer(STOP_SECONDS, os._exit, [code])
        bound.daemon = True
        bound.start()
        # Before anything is awaited: a kill may follow in 100 ms.
        self._interrupt(why)
        self._scope.cancel()
        with anyio.CancelScope(shield=True):
            await self._close()
            await self._stopped.wait()
            if self._telemetry is not None:
                await self._telemetry.flush()
        close_logs()
        os._exit(code)

    def _interrupt(self, why: str) -> None:
        try:
            interrupted = self._manager.interrupt()
        except EngineError as error:
            log.error(  # noqa: TRY400 (no bug of ours: the disk's or another process's)
                "Leaving on %s; the running tasks cannot be recorded as interrupted (%s), they spend an attempt",
                why,
                error,
            )
        else:
            log.info("Leaving on %s; interrupted: %s", why, ", ".join(interrupted) or "nothing")


async def _exit_code(work: Awaitable[None], what: str) -> int:
    """0 if `work` ended well, else 1, with the error in the log and on stderr."""
    try:
        await work
    # An exception that left the task group would wait there for the thread that blocks on stdin, for ever.
    except Exception as error:
        log.critical("Stockdesk ends, because of an error in %s: %s", what, _sentence(error), exc_info=error)
        return 1
    return 0


def _sentence(error: BaseException) -> str:
    """What the innermost errors say: a task group wraps them."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return "; ".join(map(_sentence, group.exceptions))
    return f"{type(error).__name__}: {error}"


@contextmanager
def _signals_to_stop() -> Generator[AsyncIterator[signal.Signals]]:
    """The signals that ask this process to end, those left out that whoever started it has it ignore."""
    if sys.platform == "win32":  # Ctrl-C raises KeyboardInterrupt, hosts close stdin
        yield _never()
        return
    asking = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    heeded = [signum for signum in asking if signal.getsignal(signum) is not signal.SIG_IGN]
    with anyio.open_signal_receiver(*heeded) as signals:
        yield signals


async def _never() -> AsyncIterator[signal.Signals]:
    await anyio.sleep_forever()
    yield signal.SIGINT  # an iterator without a yield would be a coroutine
