"""The death of a desk in mid-session, with the real CLI."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from handlers.analyst.costs import close_lost_sessions
from handlers.analyst.options import AnalystSettings
from handlers.migrations import domain_migrations
from queues.context import TaskContext
from queues.database import Database, Transaction
from queues.lifecycle import take_over
from queues.model import QueueName
from queues.outcome import Completed
from queues.scheduler import engine_migrations
from queues.store import claim_next
from tests.handlers.claude import analyse, is_alive, launched_pid, until
from tests.standins.claude_scripts import submits_one_per_turn
from tests.standins.messages_api import MessagesApi, Reply, Request, Stalls, submits_all

DOOMED = """
import sys
from pathlib import Path

import anyio

from handlers.analyst.options import AnalystSettings
from handlers.migrations import domain_migrations
from queues.context import TaskContext
from queues.database import Database
from queues.lifecycle import take_over
from queues.model import NewTask, QueueName
from queues.scheduler import engine_migrations
from queues.store import claim_next, enqueue
from tests.handlers.claude import INFY, TCS, analyse, know, payload

home = Path(sys.argv[1])
database = Database(home / "desk.db", {"queues": engine_migrations(), "handlers": domain_migrations()})
know(database, INFY, TCS)
task = NewTask(queue=QueueName.AI_ANALYSIS, kind="analyse", payload=payload(INFY, TCS))
database.write_now(lambda tx: enqueue(tx, [task]))
epoch = database.write_now(lambda tx: take_over(tx, "doomed"))
claimed = database.write_now(lambda tx: claim_next(tx, QueueName.AI_ANALYSIS, epoch))
settings = AnalystSettings(analyst="claude", model="claude-sonnet-4-5", folder=home / "sessions")
anyio.run(analyse, TaskContext(claimed, database), settings)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's own")
def test_a_desk_killed_in_mid_batch_takes_its_cli_along_and_its_verdict_is_not_paid_for_again(
    api: MessagesApi, tmp_path: Path
) -> None:
    def stalls_after_one(request: Request) -> Reply:
        return Stalls() if request.submitted else submits_one_per_turn(request)

    api.script = stalls_after_one
    script = tmp_path / "doomed.py"
    script.write_text(DOOMED, encoding="utf-8")
    home = tmp_path / "home of the doomed"
    home.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, script, home], env=environment, cwd=tmp_path) as desk:
        api.wait_for_requests(2)
        pid = launched_pid(home / "sessions")
        assert is_alive(pid)
        left = Database(home / "desk.db", {"queues": engine_migrations(), "handlers": domain_migrations()})
        until(lambda: left.read_now(seen_turns) == 1)
        desk.send_signal(signal.SIGKILL)
        desk.wait()
        until(lambda: not is_alive(pid))
    left.write_now(close_lost_sessions)
    [row] = left.read_now(
        lambda tx: tx.rows("SELECT ended_as, input_tokens, cost_usd, at_least FROM sessions")
    )
    assert row == ("Killed", 1200, None, 1)
    assert left.read_now(lambda tx: tx.rows("SELECT symbol FROM verdicts")) == [("INFY",)]
    api.script = submits_all
    lead_and_judge(left, home / "sessions")
    assert [[entry["stock"] for entry in request.stocks] for request in api.requests[2:]] == [["NSE:TCS"]] * 2
    assert left.read_now(lambda tx: tx.rows("SELECT ended_as, stocks FROM sessions ORDER BY started_at")) == [
        ("Killed", '["NSE:INFY", "NSE:TCS"]'),
        ("Finished", '["NSE:TCS"]'),
    ]
    assert left.read_now(lambda tx: tx.rows("SELECT symbol FROM verdicts")) == [("INFY",), ("TCS",)]
    left.close()


def lead_and_judge(database: Database, sessions: Path) -> None:
    """What the next desk does: it rescues the task, claims it again and runs it to its end."""
    epoch = database.write_now(lambda tx: take_over(tx, "next"))
    claimed = database.write_now(lambda tx: claim_next(tx, QueueName.AI_ANALYSIS, epoch))
    assert claimed is not None
    settings = AnalystSettings(analyst="claude", model="claude-sonnet-4-5", folder=sessions)
    assert isinstance(anyio.run(analyse, TaskContext(claimed, database), settings), Completed)


def seen_turns(tx: Transaction) -> int:
    return sum(turns or 0 for (turns,) in tx.rows("SELECT turns FROM sessions"))
