"""Two real `stockdesk serve` processes on one home: one leads, the other goes on when it ends."""

import signal
from pathlib import Path

import pytest

from queues.model import TaskState
from tests.hosts.serve import Serve, task_and_history
from tests.standins.messages_api import MessagesApi, submits_all


def test_a_second_server_runs_nothing_again_and_shares_the_work_of_the_first(
    tmp_path: Path, leader: Serve, follower: Serve, task_id: str, api: MessagesApi
) -> None:
    seen = follower.call("get_queue_status")["leader"]
    assert (seen["pid"], seen["is_this_process"]) == (leader.process.pid, False)

    [fetch] = follower.call("enqueue_data_fetch", symbols=["JNJ"], exchange="NYSE")["task_ids"]
    for serve in (leader, follower):
        assert serve.call("get_task", task_id=fetch, wait_seconds=30)["task"]["state"] == "completed"

    follower.close_stdin()
    assert follower.ended() == 0
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
    leader: Serve,
    follower: Serve,
    task_id: str,
    api: MessagesApi,
    *,
    signum: signal.Signals,
    first_attempt: str,
    spent: int,
) -> None:
    api.script = submits_all
    leader.process.send_signal(signum)
    leader.ended()
    assert follower.call("get_task", task_id=task_id, wait_seconds=30)["task"]["state"] == "completed"
    assert follower.call("get_queue_status")["leader"]["is_this_process"]

    task, history = task_and_history(tmp_path, task_id)
    assert [attempt.outcome for attempt in history] == [first_attempt, "completed"]
    assert task.attempt == spent
    assert len(follower.call("get_verdicts", symbols=["NASDAQ:AAPL", "NASDAQ:MSFT"])["verdicts"]) == 2
