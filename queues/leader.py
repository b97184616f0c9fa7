"""The leader's lock: an OS lock on a file, held for life; it falls by itself when its holder is killed.

Own code instead of a lock library, because a waiter must get it within milliseconds without polling; see
docs/decisions/0003-one-leader.md.
"""

import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.lowlevel

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Windows has no lock that is waited for without end; this many seconds lie between two tries.
WINDOWS_POLL_SECONDS = 0.05


LOCK_FILE = "leader.lock"


def lock_path(database: Path) -> Path:
    """Where the leader's lock of this database lies."""
    return database.parent / LOCK_FILE


class LeaderLock:
    """One claim on the lock file. The file is never deleted: a deleted file can be locked twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._wait: object | None = None
        self._settling = threading.Lock()

    @property
    def is_held(self) -> bool:
        return self._descriptor is not None

    async def acquire(self) -> None:
        """Wait until no other process holds the lock. If cancelled, the lock is not and will not be held.

        Raises:
            OSError: the file cannot be opened, or its file system has no locks.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        # Told apart by identity: the thread of an abandoned wait may still be waiting beside a newer one.
        wait = self._wait = object()
        granted = anyio.Event()
        token = anyio.lowlevel.current_token()
        refusals: list[OSError] = []

        def wait_for_lock() -> None:
            try:
                _lock(descriptor)
            except OSError as error:
                refusals.append(error)
            with self._settling:
                if self._wait is wait and not refusals:
                    self._descriptor = descriptor
                else:
                    os.close(descriptor)
                if self._wait is not wait:
                    return
            with suppress(RuntimeError):  # the loop has ended; `acquire` was cancelled and released
                anyio.from_thread.run_sync(granted.set, token=token)

        # A daemon thread: it may wait for as long as the other process lives and must not delay our exit.
        threading.Thread(target=wait_for_lock, name="leader-lock", daemon=True).start()
        try:
            await granted.wait()
        except BaseException:
            self.release()
            raise
        if refusals:
            raise refusals[0]

    def release(self) -> None:
        """Give the lock up, or stop waiting for it."""
        with self._settling:
            self._wait = None
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


def is_led(path: Path) -> bool:
    """Whether any process holds the lock now."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        # Shared: two processes that merely look never take each other for a leader.
        return not _try_lock(descriptor, exclusively=False)
    finally:
        os.close(descriptor)


@contextmanager
def try_to_hold(path: Path) -> Generator[bool]:
    """Hold the lock inside the block, if nobody else holds it now; yields whether it is so."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _try_lock(descriptor, exclusively=True)
    finally:
        os.close(descriptor)


if sys.platform == "win32":

    def _try_lock(descriptor: int, *, exclusively: bool) -> bool:
        del exclusively  # Windows' locks always are
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _lock(descriptor: int) -> None:
        while not _try_lock(descriptor, exclusively=True):
            time.sleep(WINDOWS_POLL_SECONDS)

else:

    def _try_lock(descriptor: int, *, exclusively: bool) -> bool:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
