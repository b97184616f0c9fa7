"""Whether the process that leads hangs, and `stockdesk takeover`, which then ends it."""

from datetime import timedelta

import anyio

from queues.doorbell import answers
from queues.leader import is_led, lock_path
from queues.lifecycle import find_leader
from queues.model import Leader
from queues.processes import Process, is_running, kill_now, this_process
from server.desk import Desk
from server.watching import ended

# A loop that turns answers in a millisecond; a machine under load gets this long.
ANSWER_WITHIN = timedelta(seconds=1)
# Before a process is killed it is asked so many times: an import or a slow disk may hold its loop for a second.
QUESTIONS = 3
# The kernel ends a process at once, unless it waits for a dead disk.
ENDS_WITHIN = timedelta(seconds=10)
# From the fall of the lock to the follower's record: 10 ms on Linux, 1 s anywhere.
FOLLOWS_WITHIN = timedelta(seconds=2)
LOOK_EVERY = timedelta(milliseconds=20)


class TakeoverRefusedError(Exception):
    """The queues are still run by the same process, or by one that nobody knows; the message says what to do."""


def described(leader: Leader) -> str:
    return f"pid {leader.pid}, {leader.command}, since {leader.led_since:%Y-%m-%d %H:%M} UTC"


async def responds(leader: Leader) -> bool | None:
    """Whether the loop of the process that leads turns.

    None where there is nobody to ask: no process leads, or the one on record does not run.
    """
    if not leader.is_alive:
        return None
    if is_here(leader) or await answers(leader.port, ANSWER_WITHIN):
        return True
    return False if is_running(_process(leader)) else None


def is_here(leader: Leader) -> bool:
    """Whether this process leads; whoever asks knows that its loop turns."""
    return leader.is_alive and _process(leader) == this_process()


async def take_over(desk: Desk, *, force: bool) -> str:
    """End the leader if it hangs (with `force`, in any case), and wait until its lock has fallen.

    The lock is never taken from it: it falls with the process. Returns a sentence that says who leads now.

    Raises:
        TakeoverRefusedError: it answers, may not be killed, or is not the process on record.
    """
    if await _leader(desk) is None:
        return "No process runs the queues, so there is none to end; `stockdesk worker` runs them."
    leader = await _next_on_record(desk)
    if leader is None:
        raise TakeoverRefusedError(
            f"Some process holds {lock_path(desk.database.path)}, but the one on record as leader does not run; "
            "nothing was killed. Find out who holds that file (`lsof` shows it), and end that process."
        )
    who = described(leader)
    hangs = not await _answers_in_the_end(leader)
    if not (hangs or force):
        raise TakeoverRefusedError(
            f"The process that runs the queues ({who}) answers, so it was left alone; `stockdesk takeover --force` "
            "kills it all the same, and each task it runs spends an attempt."
        )
    process = _process(leader)
    if not kill_now(process) and is_running(process):
        raise TakeoverRefusedError(
            f"The process that runs the queues ({who}) cannot be killed by this user; end it as its owner."
        )
    killed = f"Killed the process that {'hung' if hangs else 'ran the queues'} ({who})."
    with anyio.move_on_after(ENDS_WITHIN.total_seconds()):
        await ended(process, LOOK_EVERY)
    follower = await _next_on_record(desk, other_than=process)
    if follower is not None:
        return f"{killed} Now {follower.command} (pid {follower.pid}) runs the queues."
    if is_led(lock_path(desk.database.path)):
        raise TakeoverRefusedError(
            f"{killed} But {lock_path(desk.database.path)} is still held: find out by whom (`lsof` shows it), and end "
            "that process."
        )
    return f"{killed} No process runs the queues now; `stockdesk worker` does."


async def _next_on_record(desk: Desk, *, other_than: Process | None = None) -> Leader | None:
    """Who leads and runs, as soon as there is one: a process that just got the lock is not on record yet."""
    with anyio.move_on_after(FOLLOWS_WITHIN.total_seconds()):
        while True:
            leader = await _leader(desk)
            if leader is not None and _process(leader) != other_than and is_running(_process(leader)):
                return leader
            await anyio.sleep(LOOK_EVERY.total_seconds())
    return None


async def _leader(desk: Desk) -> Leader | None:
    leader = await desk.database.read(lambda tx: find_leader(tx, lock_path(desk.database.path)))
    return leader if leader is not None and leader.is_alive else None


async def _answers_in_the_end(leader: Leader) -> bool:
    for _ in range(QUESTIONS):
        if await responds(leader):
            return True
    return False


def _process(leader: Leader) -> Process:
    return Process(leader.pid, leader.started)
