"""The guard around the Claude CLI, with other programs in its place."""

import fcntl
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient

from handlers.analyst.cli import CliNotFoundError, end_orphans, find_cli, record_launched, write_launcher
from handlers.analyst.guard import scrubbed
from handlers.analyst.launched import recorded
from queues.processes import is_running, process_of
from tests.handlers.claude import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither launcher nor guard")


def cli_that(tmp_path: Path, line: str) -> Path:
    script = tmp_path / "it's a cli"
    script.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    script.chmod(0o700)
    return script


def test_the_launched_process_becomes_the_cli_with_its_arguments(tmp_path: Path) -> None:
    cli = cli_that(tmp_path, 'echo "$$ $1 $2"')
    launcher = write_launcher(tmp_path, tmp_path / "lock", cli)

    with subprocess.Popen([launcher, "--a b", "c'd"], stdout=subprocess.PIPE, text=True) as process:
        printed, _ = process.communicate()

    assert printed == f"{process.pid} --a b c'd\n"
    launched = recorded(tmp_path)
    assert launched is not None
    assert launched.pid == process.pid


def test_the_launched_process_is_on_record_before_it_is_the_cli(tmp_path: Path) -> None:
    launcher = write_launcher(tmp_path, tmp_path / "lock", cli_that(tmp_path, "echo up; read line"))
    with subprocess.Popen([launcher], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert recorded(tmp_path) == process_of(process.pid)


def test_a_session_waits_until_the_one_before_is_gone(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    launcher = write_launcher(tmp_path, tmp_path / "lock", cli_that(tmp_path, f'touch "{ran}"'))
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)

    with subprocess.Popen([launcher]) as process:
        until(lambda: _waits_for_a_lock(process.pid))
        assert not ran.exists()
        os.close(lock)

    assert process.returncode == 0
    assert ran.exists()


def _waits_for_a_lock(pid: int) -> bool:
    """`/proc/locks` lists a process that waits with an arrow: "3: -> FLOCK ADVISORY WRITE 77 …"."""
    locks = Path("/proc/locks").read_text(encoding="utf-8").splitlines()
    return any("->" in line and f" {pid} " in line for line in locks)


def test_the_lock_lives_as_long_as_the_cli(tmp_path: Path) -> None:
    launcher = write_launcher(tmp_path, tmp_path / "lock", cli_that(tmp_path, "echo up; read line"))
    with subprocess.Popen([launcher], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        lock = os.open(tmp_path / "lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.kill()
        process.wait()
        until(lambda: _can_lock(lock))
        os.close(lock)


def _can_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_an_orphan_is_ended_and_its_folder_cleared_before_the_next_session(tmp_path: Path) -> None:
    folder = tmp_path / "old session"
    folder.mkdir()
    launcher = write_launcher(folder, tmp_path / "lock", cli_that(tmp_path, "echo up; read line"))
    with subprocess.Popen([launcher], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        end_orphans(tmp_path)
        assert process.wait() == -signal.SIGKILL
    assert not folder.exists()


def test_an_orphan_that_waits_for_its_turn_is_ended_too(tmp_path: Path) -> None:
    folder = tmp_path / "old session"
    folder.mkdir()
    launcher = write_launcher(folder, tmp_path / "lock", cli_that(tmp_path, "true"))
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen([launcher]) as process:
            until(lambda: _waits_for_a_lock(process.pid))
            end_orphans(tmp_path)
            assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("started", ["at another time", "", None])
def test_a_process_that_merely_got_an_orphans_old_id_is_left_alone(
    tmp_path: Path, started: str | None
) -> None:
    folder = tmp_path / "old session"
    folder.mkdir()
    with (
        (tmp_path / "lock").open("w") as lock,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "pid").write_text(f"{bystander.pid}\n", encoding="utf-8")
        if started is not None:
            (folder / "started").write_text(started, encoding="utf-8")
        end_orphans(tmp_path)
        assert bystander.poll() is None
        bystander.communicate(b"\n")
        assert bystander.returncode == 0
    assert not folder.exists()


def command_line_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")


@pytest.mark.usefixtures("api")
async def test_a_cli_that_no_guard_started_is_put_on_record_by_its_desk(tmp_path: Path) -> None:
    client = ClaudeSDKClient(
        ClaudeAgentOptions(cli_path=find_cli(), session_id=(session := str(uuid.uuid4())))
    )
    await client.connect()
    try:
        record_launched(tmp_path, client)
        process = recorded(tmp_path)
        assert process is not None
        assert is_running(process)
        # The process itself, not how many there are: for a moment the CLI forks to start others.
        assert session in command_line_of(process.pid)
    finally:
        await client.disconnect()
    assert not is_running(process)


def test_the_surrounding_session_is_scrubbed_and_credentials_stay() -> None:
    kept = {
        "PATH": "/usr/bin",
        "ANTHROPIC_API_KEY": "k",
        "ANTHROPIC_BASE_URL": "u",
        "CLAUDE_CONFIG_DIR": "/c",
        "CLAUDE_CODE_OAUTH_TOKEN": "t",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CODE_MAX_RETRIES": "2",
    }
    session = {"CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "s", "CLAUDE_CODE_MESSAGING_SOCKET": "/s"}
    assert scrubbed({**kept, **session}) == kept


def test_the_configured_cli_wins_and_a_missing_one_is_named(tmp_path: Path) -> None:
    cli = cli_that(tmp_path, "true")
    assert find_cli(cli) == cli
    with pytest.raises(CliNotFoundError, match="nowhere"):
        find_cli(tmp_path / "nowhere")


def test_the_bundled_cli_is_the_default() -> None:
    assert find_cli().parent.name == "_bundled"
