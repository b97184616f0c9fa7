"""A server whose client has died leaves, even if its stdin never ends."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from queues.processes import is_running, process_of
from server import watching
from tests.handlers.claude import until
from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, desk_environment

# A client whose other child got the pipe to the server, and lives until its own stdin ends.
CLIENT = """
import subprocess as s, sys
server = s.Popen(sys.argv[1:], stdin=s.PIPE, stdout=s.DEVNULL)
s.Popen([sys.executable, "-c", "input()"], pass_fds=[server.stdin.fileno()], stdout=s.DEVNULL, stderr=s.DEVNULL)
print(server.pid, flush=True)
server.wait()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pass_fds and SIGKILL are POSIX")


def test_a_server_leaves_when_its_client_is_killed_though_another_process_holds_its_stdin_open(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, STOCKDESK, "serve"],
        env=desk_environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stderr is not None
        server = process_of(int(client.stdout.readline()))
        assert server is not None
        assert b"This process leads" in client.stderr.readline()
        client.kill()
        until(lambda: not is_running(server), PATIENCE_SECONDS)
        assert b"Leaving on the death of its parent; interrupted: nothing" in client.stderr.read()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process


def without_pidfd(_pid: int) -> None:
    return None


@pytest.mark.parametrize("helped", [True, False], ids=["with pidfd", "without"])
async def test_the_end_of_a_process_is_seen(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, *, helped: bool
) -> None:
    if not helped:
        monkeypatch.setattr(watching, "open_pidfd", without_pidfd)
    process = process_of(child.pid)
    assert process is not None
    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watching.ended, process, timedelta(milliseconds=1))
            await anyio.wait_all_tasks_blocked()
            assert is_running(process)
            child.kill()
        await watching.ended(process, timedelta(days=1))  # it has ended: there is nothing to wait for
