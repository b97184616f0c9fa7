"""How `stockdesk serve` ends, with a real session of the real Claude CLI in flight."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from queues.model import TaskState
from tests.handlers.claude import is_alive, launched_pid, until
from tests.hosts.serve import STOCKDESK, Serve, desk_environment, opened, task_and_history
from tests.standins.claude_scripts import always
from tests.standins.messages_api import MessagesApi, Stalls, submits_all

# The promise is that no CLI lives a second after the desk's end.
CLI_GONE_SECONDS = 1.0


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi(always(Stalls())) as standin:
        yield standin


@dataclass(frozen=True, slots=True)
class MidSession:
    """A server whose Claude session waits for an answer of the API."""

    folder: Path
    serve: Serve
    task_id: str
    cli: int

    def signal(self, signum: signal.Signals) -> None:
        self.serve.process.send_signal(signum)

    def assert_interrupted(self) -> None:
        """The task waits for its next run and has lost no attempt; nothing of the session lives."""
        until(lambda: not is_alive(self.cli), limit=CLI_GONE_SECONDS)
        task, history = task_and_history(self.folder, self.task_id)
        assert (task.state, task.attempt, task.claim) == (TaskState.QUEUED, 0, 1)
        assert [attempt.outcome for attempt in history] == ["interrupted"]


def reach_mid_session(folder: Path, serve: Serve, api: MessagesApi) -> MidSession:
    serve.initialize()
    answer = serve.call("enqueue_ai_analysis", symbols=["AAPL", "MSFT"], exchange="NASDAQ")
    [task_id] = (task_id for task_id in answer["task_ids"] if task_id.startswith("analysis-"))
    api.wait_for_requests(1)
    return MidSession(folder, serve, task_id, launched_pid(folder / "desk" / "sessions"))


@pytest.fixture
def session(tmp_path: Path, api: MessagesApi) -> Iterator[MidSession]:
    with Serve(desk_environment(tmp_path, api.url)) as serve:
        yield reach_mid_session(tmp_path, serve, api)


@pytest.mark.parametrize("frozen", [False, True], ids=["a session that stops", "a session that does not"])
def test_the_way_claude_code_ends_its_servers_loses_no_attempt(session: MidSession, *, frozen: bool) -> None:
    if frozen:
        os.kill(session.cli, signal.SIGSTOP)  # the last of the three signals finds the server still waiting
    signalled_at = datetime.now(UTC)
    session.signal(signal.SIGINT)
    time.sleep(0.1)  # the host's own pace
    session.signal(signal.SIGTERM)
    time.sleep(0.5)
    session.signal(signal.SIGKILL)
    assert session.serve.ended() == (-signal.SIGKILL if frozen else 0)
    session.assert_interrupted()
    _, [attempt] = task_and_history(session.folder, session.task_id)
    assert attempt.ended_at is not None
    sys.stdout.write(f"recorded {(attempt.ended_at - signalled_at).total_seconds() * 1000:.1f} ms after it\n")


def test_a_session_that_does_not_stop_is_ended_whatever_else_asks_for_the_end(session: MidSession) -> None:
    os.kill(session.cli, signal.SIGSTOP)
    session.signal(signal.SIGTERM)
    session.signal(signal.SIGINT)
    session.serve.close_stdin()
    assert session.serve.ended() == 0
    session.assert_interrupted()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_the_server_and_the_task_waits_for_its_next_run(
    session: MidSession, signum: signal.Signals
) -> None:
    session.signal(signum)
    assert session.serve.ended() == 0
    session.assert_interrupted()
    assert f"Leaving on {signum.name}; interrupted: {session.task_id}" in session.serve.stderr


def test_the_end_of_stdin_ends_the_server_even_while_a_call_waits(session: MidSession) -> None:
    session.serve.send(
        "tools/call", {"name": "get_task", "arguments": {"task_id": session.task_id, "wait_seconds": 50}}
    )
    session.serve.call("get_queue_status")  # the other call has begun
    session.serve.close_stdin()
    assert session.serve.ended() == 0
    session.assert_interrupted()


def test_a_killed_server_takes_its_session_along_and_the_next_one_rescues_the_task(
    session: MidSession, api: MessagesApi
) -> None:
    session.signal(signal.SIGKILL)
    session.serve.ended()
    until(lambda: not is_alive(session.cli), limit=CLI_GONE_SECONDS)
    task, _ = task_and_history(session.folder, session.task_id)
    assert task.state is TaskState.RUNNING  # nobody could record anything

    api.script = submits_all
    with Serve(desk_environment(session.folder, api.url)) as next_one:
        answer = next_one.initialize().call("get_task", task_id=session.task_id, wait_seconds=30)
    assert (answer["task"]["state"], answer["task"]["attempt"]) == ("completed", 2)
    _, history = task_and_history(session.folder, session.task_id)
    assert [attempt.outcome for attempt in history] == ["rescued", "completed"]


def test_a_client_that_is_killed_ends_its_server(tmp_path: Path, api: MessagesApi) -> None:
    # It only starts the server and lives; what ends the server is that the pipe to it breaks.
    client = "import subprocess as s, sys; s.Popen(sys.argv[1:], stdin=s.PIPE, stdout=s.PIPE).wait()"
    with subprocess.Popen(
        [sys.executable, "-c", client, STOCKDESK, "serve"],
        env=desk_environment(tmp_path, api.url),
        stderr=subprocess.PIPE,
    ) as host:
        assert host.stderr is not None
        assert b"This process leads" in host.stderr.readline()
        host.kill()
        # stderr ends when its last holder, the server, does
        assert b"Leaving on end of input" in host.stderr.read()


def test_a_client_that_goes_away_before_it_is_answered_ends_its_server_in_peace(tmp_path: Path) -> None:
    with subprocess.Popen(
        [STOCKDESK, "serve"],
        env=desk_environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None
        server.stdout.close()
        server.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        server.stdin.close()
        errors = server.stderr.read().decode()
    assert server.returncode == 0, errors
    assert "Leaving on end of input" in errors
    assert "Traceback" not in errors


def test_nothing_but_the_protocol_is_written_to_stdout(tmp_path: Path, api: MessagesApi) -> None:
    with Serve(desk_environment(tmp_path, api.url, STOCKDESK_LOG_LEVEL="DEBUG")) as serve:
        session = reach_mid_session(tmp_path, serve, api)
        serve.write(b"this is no JSON")
        serve.write(b'{"jsonrpc": "2.0", "method": "notifications/nobody/knows"}')
        assert "error" in serve.request("no/such/method", {})
        assert serve.request("tools/call", {"name": "no_such_tool", "arguments": {}})
        assert serve.request("tools/call", {"name": "get_task", "arguments": {"task_id": 3.5}})
        assert serve.request("tools/call", {"name": "get_task", "arguments": {"task_id": "no-1"}})
        serve.call("cancel_tasks", task_ids=[session.task_id])
        until(lambda: not is_alive(session.cli))
        session.signal(signal.SIGINT)
        serve.ended()
        assert "starts (attempt 1" in serve.stderr
        assert len(serve.messages()) >= 7
        for message in serve.messages():
            assert message["jsonrpc"] == "2.0"


def test_a_database_that_another_process_blocks_does_not_keep_the_server_alive(tmp_path: Path) -> None:
    with opened(tmp_path) as database, Serve(desk_environment(tmp_path)) as serve:

        def end_it_while_it_waits(_: object) -> int:
            serve.initialize()
            serve.process.send_signal(signal.SIGTERM)
            return serve.ended()  # a write waits up to 10 s for the database, the end does not

        assert database.write_now(end_it_while_it_waits) == 0


def test_an_error_that_stops_the_queues_ends_the_server_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "desk" / "leader.lock").mkdir(parents=True)
    with Serve(desk_environment(tmp_path)) as serve:
        assert serve.ended() == 1  # though its stdin is still open
        assert "Stockdesk ends, because of an error in the queues: IsADirectoryError" in serve.stderr


def test_a_home_that_cannot_be_opened_ends_the_server_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "stockdesk.db").write_bytes(os.urandom(4096))
    with Serve(desk_environment(tmp_path)) as serve:
        assert serve.ended() == 1
        assert "stockdesk.db cannot be opened (file is not a database)" in serve.stderr
        assert "Traceback" not in serve.stderr


def test_ctrl_c_ends_a_worker(tmp_path: Path) -> None:
    with subprocess.Popen(
        [STOCKDESK, "worker"], env=desk_environment(tmp_path), stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stderr is not None
        assert next(line for line in worker.stderr if "Working on" in line)
        worker.send_signal(signal.SIGINT)
        assert "Leaving on SIGINT; interrupted: nothing" in worker.stderr.read()
        assert worker.wait() == 0
