"""Several real processes on one home: one leads, the next goes on, nothing runs twice at once, nothing is lost."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from queues.inspection import attempts_of
from queues.leader import lock_path
from queues.lifecycle import find_leader
from queues.model import QueueName, Task, TaskState
from tests.queues.desk import ANALYSIS, fetch, new
from tests.queues.running import PATIENCE, look, manager, open_database, put

PROGRAM = Path(__file__).parent / "programs" / "desk_process.py"

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="POSIX signals; the lock is the same code path"
)


@dataclass(frozen=True)
class Line:
    """One line of the log, as desk_process.py writes it."""

    what: str
    queue: str
    task_id: str
    claim: int
    pid: int


def start(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, PROGRAM, folder, log], stdout=subprocess.PIPE)


class Home:
    """A home, its log, and the processes on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = open_database(folder)
        self.log = folder / "log"
        self.log.touch()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """A new process on this home; it may or may not listen yet."""
        process = start(self.folder, self.log)
        self.processes.append(process)
        return process

    def start_listening(self) -> subprocess.Popen[bytes]:
        process = self.start()
        wait_until_listening(process)
        return process

    def lines(self) -> list[Line]:
        words = [line.split() for line in self.log.read_text().splitlines()]
        return [
            Line(what, queue, task_id, int(claim), int(pid)) for what, queue, task_id, claim, pid in words
        ]

    def close(self) -> None:
        for process in self.processes:
            with process:
                process.kill()
        self.database.close()


def wait_until_listening(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == b"listens\n"


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.close()


async def until(home: Home, is_reached: Callable[[], bool]) -> None:
    """Look at every ring of the home's bell."""
    listener = manager(home.database, {})
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            await tasks.start(listener.bell.run)
            while True:
                heard = listener.bell.next_ring()
                if is_reached():
                    break
                await heard.wait()
            tasks.cancel_scope.cancel()


async def until_all_completed(home: Home, tasks: list[Task]) -> None:
    await until(home, lambda: all(look(home.database, task).state is TaskState.COMPLETED for task in tasks))


async def until_started(home: Home, task: Task, claim: int = 1) -> None:
    """Until the handler itself has written that it starts."""
    with anyio.fail_after(PATIENCE):
        while not any(line.task_id == task.id and line.claim == claim for line in home.lines()):
            await anyio.lowlevel.checkpoint()


def require_no_overlap(lines: list[Line], killed: set[int]) -> None:
    """Between the start and the end of a task nothing else starts in its queue, unless its process died."""
    for queue in QueueName:
        mine = [line for line in lines if line.queue == queue]
        opened: Line | None = None
        for place, line in enumerate(mine):
            if line.what == "end":
                assert opened is not None
                assert (opened.task_id, opened.claim, opened.pid) == (line.task_id, line.claim, line.pid)
                opened = None
                continue
            if opened is not None:
                assert opened.pid in killed, f"{line} starts beside {opened}"
                assert all(later.pid != opened.pid for later in mine[place:])
            opened = line


def require_each_completed_once(home: Home, tasks: list[Task]) -> None:
    for task in tasks:
        outcomes = [a.outcome for a in home.database.read_now(lambda tx, task=task: attempts_of(tx, task))]
        assert outcomes.count("completed") == 1
        assert outcomes[-1] == "completed"
        assert set(outcomes) <= {"completed", "rescued"}


async def test_an_enqueue_in_another_process_wakes_the_leader(home: Home) -> None:
    leader = home.start_listening()
    for _ in range(3):
        (task,) = put(home.database, fetch())
        await until_all_completed(home, [task])
    assert {line.pid for line in home.lines()} == {leader.pid}


async def test_starting_a_second_process_re_runs_nothing_and_killing_the_first_lets_it_go_on(
    home: Home,
) -> None:
    hanging, other, behind = put(home.database, fetch(payload={"hangs": 1}), new(ANALYSIS), fetch())
    first = home.start_listening()
    await until_started(home, hanging)
    await until_all_completed(home, [other])
    second = home.start_listening()
    (later,) = put(home.database, new(ANALYSIS))
    await until_all_completed(home, [later])
    assert (look(home.database, hanging).claim, look(home.database, behind).claim) == (1, 0)
    kill(first)
    await until_all_completed(home, [hanging, behind])
    rescued, following = look(home.database, hanging), look(home.database, behind)
    assert (rescued.claim, rescued.attempt, rescued.result) == (2, 2, {"pid": second.pid})
    assert rescued.finished_at is not None
    assert following.started_at is not None
    assert rescued.finished_at <= following.started_at
    require_no_overlap(home.lines(), {first.pid})
    require_each_completed_once(home, [hanging, other, behind, later])


async def test_a_death_between_the_work_and_its_record_runs_the_work_again_as_the_next_attempt(
    home: Home,
) -> None:
    (task,) = put(home.database, fetch(payload={"dies": 1}))
    first = home.start_listening()
    home.start()
    await until_all_completed(home, [task])
    assert first.wait() == -signal.SIGKILL
    assert (look(home.database, task).claim, look(home.database, task).attempt) == (2, 2)
    require_no_overlap(home.lines(), {first.pid})


async def test_what_kills_every_process_fails_in_the_end(home: Home) -> None:
    (task,) = put(home.database, fetch(payload={"dies": 99}, max_attempts=2))
    for _ in range(2):
        assert home.start().wait() == -signal.SIGKILL
    home.start()
    await until(home, lambda: look(home.database, task).state.is_finished)
    assert look(home.database, task).error == "The process that ran it ended, in the last of 2 attempts."


async def test_a_leader_that_was_stopped_and_goes_on_was_never_replaced(home: Home) -> None:
    hanging, *others = put(home.database, fetch(payload={"hangs": 1}), fetch(), new(ANALYSIS))
    first = home.start_listening()
    await until_started(home, hanging)
    await until_all_completed(home, [others[1]])
    os.kill(first.pid, signal.SIGSTOP)
    try:
        home.start_listening()
        waiting = put(home.database, new(ANALYSIS), new(ANALYSIS))
        leader = home.database.read_now(lambda tx: find_leader(tx, lock_path(home.database.path)))
        assert leader is not None
        assert (leader.pid, leader.is_alive, leader.epoch) == (first.pid, True, 1)
    finally:
        os.kill(first.pid, signal.SIGCONT)
    await until_all_completed(home, waiting)
    assert {line.pid for line in home.lines()} == {first.pid}
    kill(first)
    await until_all_completed(home, [hanging, *others])
    require_no_overlap(home.lines(), {first.pid})


def test_processes_that_open_fresh_homes_at_the_same_moment_all_come_up(tmp_path: Path) -> None:
    fellows = 3
    command = [sys.executable, "-m", "tests.queues.programs.open_at_once", str(tmp_path)]
    processes = [subprocess.Popen([*command, str(number), str(fellows)]) for number in range(fellows)]
    try:
        assert [process.wait(timeout=60) for process in processes] == [0] * fellows
    finally:
        for process in processes:  # one that died leaves its fellows waiting
            with process:
                process.kill()


async def test_under_a_hail_of_kills_nothing_overlaps_is_lost_or_completed_twice(home: Home) -> None:
    tasks = put(home.database, *(new(queue, max_attempts=100) for _ in range(40) for queue in QueueName))
    killed: set[int] = set()
    crowd = [home.start(), home.start()]
    for done in (10, 30, 50, 70, 90):
        wait_until_listening(crowd[-1])
        await until(home, lambda done=done: count_completed(home) >= done and leading(home) not in killed)
        victim = next(process for process in crowd if process.pid == leading(home))
        crowd.append(home.start())
        kill(victim)
        crowd.remove(victim)
        killed.add(victim.pid)
    await until_all_completed(home, tasks)
    require_no_overlap(home.lines(), killed)
    require_each_completed_once(home, tasks)
    for queue in QueueName:
        finished = [look(home.database, task) for task in tasks if task.queue is queue]
        assert finished == sorted(finished, key=lambda task: str(task.finished_at))


def leading(home: Home) -> int:
    leader = home.database.read_now(lambda tx: find_leader(tx, lock_path(home.database.path)))
    assert leader is not None
    return leader.pid


def count_completed(home: Home) -> int:
    row = home.database.read_now(lambda tx: tx.row("SELECT count(*) FROM tasks WHERE state = 'completed'"))
    assert row is not None
    return row[0]
