"""Which process is that: killing by identity never meets another process with the same id."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from queues.processes import Process, is_running, kill_now, process_of, this_process

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has neither zombies nor stopped processes"
)

# A child that says who it is, and lives until its stdin ends.
CHILD = "from queues.processes import this_process as me; print(me().pid, me().started, sep='|', flush=True); input()"


@pytest.fixture(params=["this system's way", "ps"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] (used by name)
    """`ps` is what macOS uses; Linux has it too."""
    if request.param == "ps":
        if sys.platform == "win32":
            pytest.skip("Windows has no ps")
        monkeypatch.setattr(sys, "platform", "darwin")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def found(child: subprocess.Popen[str]) -> Process:
    process = process_of(child.pid)
    assert process is not None
    return process


def another(process: Process) -> Process:
    """One that had the same id at another time."""
    return process._replace(started=f"{process.started}1")


def test_a_process_knows_itself_as_others_see_it(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    pid, _, started = child.stdout.readline().rstrip("\n").partition("|")
    assert Process(int(pid), started) == found(child)
    assert found(child) != this_process()


@posix
@pytest.mark.usefixtures("_way")
def test_a_process_runs_until_it_is_killed_even_while_nobody_reaps_it(child: subprocess.Popen[str]) -> None:
    process = found(child)
    assert is_running(process)
    assert kill_now(process)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and still a zombie
    assert not is_running(process)
    assert not kill_now(process)
    assert child.wait() == -signal.SIGKILL
    assert process_of(child.pid) is None


@posix
@pytest.mark.usefixtures("_way")
def test_a_stopped_process_runs_and_can_be_killed(child: subprocess.Popen[str]) -> None:
    process = found(child)
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert is_running(process)
    assert kill_now(process)
    assert child.wait() == -signal.SIGKILL


@pytest.mark.usefixtures("_way")
def test_a_process_that_merely_has_the_same_id_is_left_alone(child: subprocess.Popen[str]) -> None:
    earlier = another(found(child))
    assert not is_running(earlier)
    assert not kill_now(earlier)
    child.communicate("\n")
    assert child.returncode == 0


def test_a_process_that_was_never_told_its_start_is_never_killed(child: subprocess.Popen[str]) -> None:
    assert not kill_now(Process(child.pid, ""))
    assert is_running(found(child))


@posix
def test_the_name_of_a_program_does_not_blur_its_identity(tmp_path: Path) -> None:
    script = tmp_path / "x) Z 1 ("
    script.write_text("#!/bin/sh\necho up; read line\n", encoding="utf-8")
    script.chmod(0o700)
    with subprocess.Popen([script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as oddly_named:
        assert oddly_named.stdout is not None
        assert oddly_named.stdout.readline() == b"up\n"
        process = process_of(oddly_named.pid)
        assert process is not None
        assert process.started.split()[:-1] == this_process().started.split()[:-1]
        assert kill_now(process)
