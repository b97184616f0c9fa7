"""A leader that hangs is shown as such by every status, and ended by `stockdesk takeover` alone."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from queues.leader import lock_path
from queues.lifecycle import find_leader
from queues.model import NewTask, QueueName, TaskState
from queues.processes import is_running, process_of
from queues.store import enqueue
from tests.hosts.serve import STOCKDESK, Serve, desk_environment, look, opened, task_and_history
from tests.standins.messages_api import MessagesApi, submits_all

STALLING_DESK = Path(__file__).parent / "programs" / "stalling_desk.py"


def stockdesk(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [STOCKDESK, *arguments]
    return subprocess.run(
        command, env=desk_environment(folder), capture_output=True, text=True, check=False, timeout=60
    )


@contextmanager
def stopped(serve: Serve) -> Generator[None]:
    serve.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, serve.process.pid, os.WSTOPPED | os.WNOWAIT)
    try:
        yield
    finally:
        serve.process.send_signal(signal.SIGCONT)


def test_a_stopped_leader_is_shown_and_ended_and_its_task_runs_again_elsewhere(
    tmp_path: Path, leader: Serve, follower: Serve, task_id: str, api: MessagesApi
) -> None:
    with stopped(leader):
        status = follower.call("get_queue_status")
        assert (status["leader"]["leads"], status["leader"]["responds"]) == (True, False)
        assert f"(pid {leader.process.pid}, serve, since " in status["message"]
        assert "does not answer" in status["message"]
        assert "`stockdesk takeover` ends it" in " ".join(stockdesk(tmp_path, "status").stdout.split())

        api.script = submits_all
        taken = stockdesk(tmp_path, "takeover")

    assert (taken.returncode, taken.stderr) == (0, "")
    assert f"Killed the process that hung (pid {leader.process.pid}, serve, " in taken.stdout
    assert f"Now serve (pid {follower.process.pid}) runs the queues." in taken.stdout
    assert leader.ended() == -signal.SIGKILL
    assert follower.call("get_task", task_id=task_id, wait_seconds=30)["task"]["state"] == "completed"
    task, history = task_and_history(tmp_path, task_id)
    assert ([attempt.outcome for attempt in history], task.attempt) == (["rescued", "completed"], 2)


def test_a_stopped_leader_that_goes_on_was_never_replaced(
    tmp_path: Path, leader: Serve, follower: Serve, task_id: str, api: MessagesApi
) -> None:
    with stopped(leader):
        assert follower.call("get_queue_status")["leader"]["responds"] is False
    status = follower.call("get_queue_status")
    assert (status["leader"]["pid"], status["leader"]["responds"]) == (leader.process.pid, True)
    assert "does not answer" not in status["message"]
    task, history = task_and_history(tmp_path, task_id)
    assert (task.state, task.claim, len(history), len(api.requests)) == (TaskState.RUNNING, 1, 1, 1)


def test_a_leader_that_answers_is_ended_by_force_only(tmp_path: Path, leader: Serve, follower: Serve) -> None:
    refused = stockdesk(tmp_path, "takeover")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "answers, so it was left alone" in refused.stderr
    assert "spends an attempt" in refused.stderr
    shown = leader.call("get_queue_status")["leader"]
    assert (shown["is_this_process"], shown["responds"]) == (True, True)

    forced = stockdesk(tmp_path, "takeover", "--force")
    assert forced.returncode == 0
    assert f"Killed the process that ran the queues (pid {leader.process.pid}, serve, " in forced.stdout
    assert leader.ended() == -signal.SIGKILL
    assert follower.call("get_queue_status")["leader"]["is_this_process"]


@contextmanager
def stalling_desk(folder: Path, where: str) -> Generator[tuple[subprocess.Popen[str], int]]:
    """A leader that stalls, and the child that it forked, or 0."""
    with opened(folder) as database:
        task = NewTask(queue=QueueName.DATA_FETCHER, kind="stalls", payload={})
        database.write_now(lambda tx: enqueue(tx, [task]))
    command = [sys.executable, STALLING_DESK, folder / "desk", where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stalling:
        try:
            assert stalling.stdout is not None
            word, child = stalling.stdout.readline().split()
            assert word == "stalls"
            yield stalling, int(child)
        finally:
            stalling.kill()


@pytest.mark.parametrize("where", ["loop", "write"])
def test_a_leader_whose_handler_stalls_is_shown_and_ended(tmp_path: Path, where: str) -> None:
    with stalling_desk(tmp_path, where) as (stalling, _):
        shown = json.loads(stockdesk(tmp_path, "status", "--json").stdout)
        assert (shown["leader"]["pid"], shown["leader"]["responds"]) == (stalling.pid, False)
        taken = stockdesk(tmp_path, "takeover")
        assert taken.returncode == 0, taken.stderr
        assert "No process runs the queues now; `stockdesk worker` does." in taken.stdout
        assert stalling.wait() == -signal.SIGKILL


def test_a_lock_that_outlives_its_leader_is_reported_and_never_taken(tmp_path: Path) -> None:
    with stalling_desk(tmp_path, "fork") as (stalling, child):
        try:
            taken = stockdesk(tmp_path, "takeover")
        finally:
            os.kill(child, signal.SIGKILL)
    assert stalling.returncode == -signal.SIGKILL
    assert (taken.returncode, taken.stdout) == (1, "")
    assert f"Killed the process that hung (pid {stalling.pid}, stalling, since " in taken.stderr
    assert "leader.lock is still held" in taken.stderr


def test_where_nobody_leads_there_is_nothing_to_end(tmp_path: Path) -> None:
    for _ in range(2):
        with opened(tmp_path):
            taken = stockdesk(tmp_path, "takeover")
        assert (taken.returncode, taken.stderr) == (0, "")
        assert "No process runs the queues, so there is none to end" in taken.stdout
        with Serve(desk_environment(tmp_path)) as serve:  # the next time, one that led is on record
            serve.initialize()


def test_a_process_that_merely_got_the_id_of_the_leader_is_not_killed(tmp_path: Path) -> None:
    with Serve(desk_environment(tmp_path)) as serve:
        serve.initialize().wait_for_stderr("This process leads")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        with opened(tmp_path) as database, (tmp_path / "desk" / "leader.lock").open("a") as lock:
            database.write_now(lambda tx: tx.run("UPDATE leader SET pid = :pid", pid=bystander.pid))
            fcntl.flock(lock, fcntl.LOCK_EX)  # held by somebody whom no record names
            status = json.loads(stockdesk(tmp_path, "status", "--json").stdout)
            refused = stockdesk(tmp_path, "takeover")
        assert (status["leader"]["leads"], status["leader"]["responds"]) == (False, None)
        assert "`stockdesk takeover` says what to look at" in status["message"]
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "leader.lock, but the one on record as leader does not run" in refused.stderr
        bystander.communicate(b"\n")
        assert bystander.returncode == 0


def test_the_record_of_the_leader_names_its_start(tmp_path: Path) -> None:
    with Serve(desk_environment(tmp_path)) as serve:
        serve.initialize().wait_for_stderr("This process leads")
        recorded = look(tmp_path, lambda tx: find_leader(tx, lock_path(tmp_path / "desk" / "stockdesk.db")))
        process = process_of(serve.process.pid)
        assert recorded is not None
        assert process is not None
        assert (recorded.pid, recorded.started) == (process.pid, process.started)
        assert recorded.port > 0
    assert not is_running(process)
