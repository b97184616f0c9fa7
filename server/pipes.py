"""stdin and stdout as pipes that the event loop itself waits for: a line needs no thread, and no way there and back."""

import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Self

import anyio

READ_AT_ONCE = 65_536


class LinesIn:
    """The lines of a pipe, as `stdio_server` reads them of its own stdin."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = bytearray()
        self._looked_at = 0
        self._is_open = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while (end := self._rest.find(b"\n", self._looked_at)) < 0 and self._is_open:
            self._looked_at = len(self._rest)
            piece = await self._read()
            self._rest += piece
            self._is_open = bool(piece)
        self._looked_at = 0
        end = end + 1 or len(self._rest)
        line = self._rest[:end].decode(errors="replace")
        del self._rest[:end]
        if not line:
            raise StopAsyncIteration
        return line

    async def _read(self) -> bytes:
        while True:
            try:
                return os.read(self._descriptor, READ_AT_ONCE)
            except BlockingIOError:
                await anyio.wait_readable(self._descriptor)


class LinesOut:
    """A pipe to write to, as `stdio_server` writes to its own stdout."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def write(self, text: str) -> None:
        """Return once the pipe has taken all of it.

        Raises:
            BrokenPipeError: nobody reads it any more.
        """
        rest = memoryview(text.encode())
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._descriptor)

    async def flush(self) -> None:
        """Nothing is kept back."""


@contextmanager
def standard_pipes() -> Generator[tuple[LinesIn, LinesOut] | None]:
    """Take stdin and stdout for the protocol; what else is read or printed meets an empty stdin, and stderr.

    None where they are not pipes that can be waited for (a terminal, a file, Windows).
    """
    if sys.platform == "win32" or not all(_is_pipe(descriptor) for descriptor in (0, 1)):
        yield None
        return
    import fcntl  # noqa: PLC0415 (not on Windows)

    taken = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3) for descriptor in (0, 1)]
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for descriptor in taken:
        os.set_blocking(descriptor, False)
    try:
        yield LinesIn(taken[0]), LinesOut(taken[1])
    finally:
        for descriptor, private in enumerate(taken):
            os.set_blocking(private, True)
            os.dup2(private, descriptor)
            os.close(private)


def _is_pipe(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
