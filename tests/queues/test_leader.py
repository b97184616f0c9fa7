"""The leader's lock: one holder, given on by itself, never taken by who gave up waiting."""

import fcntl
import sys
import threading
from pathlib import Path

import anyio
import pytest

from queues.leader import LeaderLock, is_led

PATIENCE = 20.0

HOLD_THE_LOCK = """
import sys, anyio
from pathlib import Path
from queues.leader import LeaderLock

async def main():
    await LeaderLock(Path(sys.argv[1])).acquire()
    print("held", flush=True)
    await anyio.sleep_forever()

anyio.run(main)
"""


async def test_only_one_of_two_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "leader.lock"
    first, second = LeaderLock(path), LeaderLock(path)
    assert not is_led(path)
    await first.acquire()
    assert is_led(path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(second.acquire)
        await anyio.wait_all_tasks_blocked()
        assert not second.is_held
        first.release()
    assert second.is_held
    assert is_led(path)
    second.release()
    assert not is_led(path)


async def test_a_wait_that_is_cancelled_never_takes_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "leader.lock"
    holder, impatient = LeaderLock(path), LeaderLock(path)
    await holder.acquire()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(impatient.acquire)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    holder.release()
    # Its thread may get the lock for a moment, and gives it back at once: whoever wants it, gets it.
    other = LeaderLock(path)
    with anyio.fail_after(PATIENCE):
        await other.acquire()
    assert not impatient.is_held
    other.release()


async def test_who_gave_up_waiting_may_wait_again(tmp_path: Path) -> None:
    path = tmp_path / "leader.lock"
    holder, again = LeaderLock(path), LeaderLock(path)
    await holder.acquire()
    for _ in range(3):
        with anyio.move_on_after(0):
            await again.acquire()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(again.acquire)
        await anyio.wait_all_tasks_blocked()
        holder.release()
    assert again.is_held
    again.release()
    # Those who gave up may get the lock once more, for as long as it takes to let it go.
    for thread in threading.enumerate():
        if thread.name == "leader-lock":
            thread.join(PATIENCE)
    assert not is_led(path)


async def test_a_lock_can_be_taken_again_after_its_release(tmp_path: Path) -> None:
    lock = LeaderLock(tmp_path / "leader.lock")
    for _ in range(3):
        with anyio.fail_after(PATIENCE):
            await lock.acquire()
        assert lock.is_held
        lock.release()
        assert not lock.is_held


async def test_a_lock_file_that_cannot_be_opened_is_an_error_not_a_wait(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), anyio.fail_after(PATIENCE):
        await LeaderLock(tmp_path / "no such folder" / "leader.lock").acquire()


async def test_a_file_system_without_locks_is_an_error_not_a_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("queues.leader._lock", refuse)
    lock = LeaderLock(tmp_path / "leader.lock")
    with pytest.raises(OSError, match="No locks available"), anyio.fail_after(PATIENCE):
        await lock.acquire()
    assert not lock.is_held


async def test_the_lock_falls_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "leader.lock"
    async with await anyio.open_process([sys.executable, "-c", HOLD_THE_LOCK, str(path)]) as holder:
        assert holder.stdout is not None
        assert (await holder.stdout.receive()).startswith(b"held")
        assert is_led(path)
        lock = LeaderLock(path)
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lock.acquire)
                await anyio.wait_all_tasks_blocked()
                assert not lock.is_held
                holder.kill()
    assert lock.is_held
    lock.release()


async def test_a_child_of_the_holder_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = LeaderLock(tmp_path / "leader.lock")
    await lock.acquire()
    async with await anyio.open_process([sys.executable, "-c", "input()"]) as child:
        lock.release()
        assert not is_led(tmp_path / "leader.lock")
        child.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="looking takes the lock for a moment there")
def test_who_merely_looks_is_not_taken_for_a_leader(tmp_path: Path) -> None:
    path = tmp_path / "leader.lock"
    with path.open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not is_led(path)
