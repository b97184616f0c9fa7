"""Two real `stockdesk serve` processes on one home: one leads, the other goes on when it ends."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from queues.model import TaskState
from tests.hosts.serve import Serve, desk_environment, task_and_history
from tests.standins.claude_scripts import always
from tests.standins.messages_api import MessagesApi, Stalls, submits_all


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi(always(Stalls())) as standin:
        yield standin


@pytest.fixture
def first(tmp_path: Path, api: MessagesApi) -> Iterator[Serve]:
    with Serve(desk_environment(tmp_path, api.url)) as serve:
        yield serve.initialize()


@pytest.fixture
def task_id(first: Serve, api: MessagesApi) -> str:
    """An analysis whose session waits for an answer of the API."""
    answer = first.call("enqueue_ai_analysis", symbols=["AAPL", "MSFT"], exchange="NASDAQ")
    api.wait_for_requests(1)
    [task_id] = (task_id for task_id in answer["task_ids"] if task_id.startswith("analysis-"))
    return task_id


@pytest.fixture
def second(tmp_path: Path, api: MessagesApi, task_id: str) -> Iterator[Serve]:
    assert task_id  # it starts in the middle of that session
    with Serve(desk_environment(tmp_path, api.url)) as serve:
        yield serve.initialize()


def test_a_second_server_runs_nothing_again_and_shares_the_work_of_the_first(
    tmp_path: Path, first: Serve, second: Serve, task_id: str, api: MessagesApi
) -> None:
    leader = second.call("get_queue_status")["leader"]
    assert (leader["pid"], leader["is_this_process"]) == (first.process.pid, False)

    [fetch] = second.call("enqueue_data_fetch", symbols=["JNJ"], exchange="NYSE")["task_ids"]
    for serve in (first, second):
        assert serve.call("get_task", task_id=fetch, wait_seconds=30)["task"]["state"] == "completed"

    second.close_stdin()
    assert second.ended() == 0
    task, history = task_and_history(tmp_path, task_id)
    assert (task.state, task.claim, len(history)) == (TaskState.RUNNING, 1, 1)
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("signum", "first_attempt", "spent"),
    [(signal.SIGKILL, "rescued", 2), (signal.SIGTERM, "interrupted", 1)],
    ids=["killed", "ended"],
)
def test_when_the_first_server_ends_the_second_goes_on_with_its_work(
    tmp_path: Path,
    first: Serve,
    second: Serve,
    task_id: str,
    api: MessagesApi,
    *,
    signum: signal.Signals,
    first_attempt: str,
    spent: int,
) -> None:
    api.script = submits_all
    first.process.send_signal(signum)
    first.ended()
    assert second.call("get_task", task_id=task_id, wait_seconds=30)["task"]["state"] == "completed"
    assert second.call("get_queue_status")["leader"]["is_this_process"]

    task, history = task_and_history(tmp_path, task_id)
    assert [attempt.outcome for attempt in history] == [first_attempt, "completed"]
    assert task.attempt == spent
    assert len(second.call("get_verdicts", symbols=["NASDAQ:AAPL", "NASDAQ:MSFT"])["verdicts"]) == 2
