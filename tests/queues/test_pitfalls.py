"""What went wrong in other durable queues, and cannot here: each with real processes, where it is about processes.

These are tests of their own elsewhere:

- a dead owner still counts, a second process re-runs live work:
  test_processes.py::test_starting_a_second_process_re_runs_nothing_and_killing_the_first_lets_it_go_on
- a slot is released twice, or by a stale worker: test_recording.py::test_a_stale_attempt_records_nothing,
  ::test_an_outcome_is_recorded_only_once; test_takeover.py::test_a_stopped_leader_that_goes_on_was_never_replaced
- claimed but never dispatched, in a clean exit:
  test_scheduler_leaving.py::test_a_claim_in_the_moment_of_leaving_loses_nothing
- lost between two tables: test_store.py::test_a_task_enqueued_once_is_in_its_table_or_nowhere
- lost between the end of a task and its follow-ups:
  test_dedup_and_follow_ups.py::test_follow_ups_are_enqueued_with_the_record_of_their_parent_and_belong_to_its_run
- killed between the end of the work and its record:
  test_processes.py::test_a_death_between_the_work_and_its_record_runs_the_work_again_as_the_next_attempt
- ties of a coarse clock: test_store.py::test_equal_tasks_start_in_enqueue_order_even_within_one_moment
- a retry blocks its queue: test_store.py::test_a_task_in_backoff_is_passed_by
- starvation by priority (here the order is the user's word): test_store.py::test_waiting_long_does_not_raise_a_priority
- a dedup key that covers only what is queued, or clashes on a retry:
  test_dedup_and_follow_ups.py::test_a_dedup_key_returns_the_queued_or_running_holder,
  test_control.py::test_a_retry_whose_dedup_key_is_taken_is_refused_and_names_the_holder
- a timeout taken for a crash: test_worker.py::test_a_timeout_is_a_retry_not_a_crash,
  test_processes.py::test_a_leader_that_was_stopped_and_goes_on_was_never_replaced
- a write-ahead log without bound: test_faults.py::test_the_log_stays_bounded_while_several_processes_write,
  ::test_the_log_that_a_reader_kept_growing_shrinks_once_the_reader_has_gone
- an orphaned server that owns the queues:
  test_watching.py::test_a_server_leaves_when_its_client_is_killed_though_another_process_holds_its_stdin_open
"""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from queues.connection import WAL_KEPT_BYTES
from queues.inspection import attempts_of
from queues.lifecycle import take_over
from queues.model import QueueName
from queues.ringing import listening_ports
from tests.queues.desk import fetch, new
from tests.queues.programs.dying_process import MOMENTS
from tests.queues.running import look, put
from tests.queues.test_faults import wal_size
from tests.queues.test_processes import (
    Home,
    kill,
    require_no_overlap,
    until_all_completed,
    until_started,
    wait_until_listening,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

# Claims and records as fast as it can, without asking for the leader's lock: FOLDER, LOG, epoch.
CLAIM_ALL = """
import sys, time
from datetime import timedelta
from pathlib import Path
from queues.model import QueueName
from queues.outcome import Completed
from queues.store import claim_next, record
from tests.queues.programs.desk_process import appending_to
from tests.queues.running import open_database

database, write = open_database(Path(sys.argv[1])), appending_to(Path(sys.argv[2]))
print("listens", flush=True)
sys.stdin.readline()
left = set(QueueName)
while left:
    for queue in sorted(left):
        task = database.write_now(lambda tx: claim_next(tx, queue, int(sys.argv[3])))
        if task is not None:
            write(f"start {queue} {task.id} {task.claim}")
            time.sleep(0.001)  # the work; meanwhile the others try to claim
            write(f"end {queue} {task.id} {task.claim}")
            database.write_now(lambda tx: record(tx, task, Completed({}), timedelta()))
        elif database.read_now(lambda tx: tx.row("SELECT queued = 0 FROM queue_totals WHERE queue = :q", q=queue))[0]:
            left.remove(queue)
database.close()
"""
# desk_process.py that soon loses patience with a busy database, and soon tries again.
IMPATIENT = """
import sys
from pathlib import Path
import anyio
from queues import connection, database, scheduler
from tests.queues.programs.desk_process import main

connection.BUSY_TIMEOUT_MS, database.TRY_AGAIN_SECONDS, scheduler.RESTART_SECONDS = 20, 0.05, 0.05
anyio.run(main, Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.close()


def start(home: Home, *command: str | Path, errors: int | None = None) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
    )
    home.processes.append(process)
    return process


def test_processes_that_claim_at_once_without_the_lock_never_run_two_tasks_of_one_queue(home: Home) -> None:
    tasks = put(home.database, *(new(queue) for _ in range(40) for queue in QueueName))
    epoch = home.database.write_now(lambda tx: take_over(tx, "test"))
    claimers = [start(home, "-c", CLAIM_ALL, home.folder, home.log, str(epoch)) for _ in range(3)]
    for claimer in claimers:
        wait_until_listening(claimer)
    for claimer in claimers:
        assert claimer.stdin is not None
        claimer.stdin.write(b"go\n")
        claimer.stdin.flush()
    assert [claimer.wait(timeout=60) for claimer in claimers] == [0, 0, 0]
    require_no_overlap(home.lines(), killed=set())
    assert [look(home.database, task).claim for task in tasks] == [1] * len(tasks)
    assert len({line.pid for line in home.lines()}) > 1


@pytest.mark.parametrize("moment", MOMENTS)
async def test_whatever_a_death_undoes_or_leaves_half_done_the_next_leader_completes(
    home: Home, moment: str
) -> None:
    hanging, *others = put(home.database, fetch(payload={"hangs": 1}), fetch(), fetch())
    first = home.start_listening()
    await until_started(home, hanging)
    kill(first)
    program = "tests.queues.programs.dying_process"
    dying = start(home, "-m", program, home.folder, home.log, moment)
    assert dying.wait(timeout=60) == -signal.SIGKILL
    home.start()
    await until_all_completed(home, [hanging, *others])
    require_no_overlap(home.lines(), {first.pid, dying.pid})
    for task in (hanging, *others):
        outcomes = [a.outcome for a in home.database.read_now(lambda tx, task=task: attempts_of(tx, task))]
        assert outcomes == ["rescued"] * (len(outcomes) - 1) + ["completed"]


async def test_a_database_that_is_busy_for_too_long_ends_no_process_and_loses_no_task(home: Home) -> None:
    leader = start(home, "-c", IMPATIENT, home.folder, home.log, errors=subprocess.PIPE)
    wait_until_listening(leader)
    (before,) = put(home.database, fetch())
    await until_all_completed(home, [before])
    with closing(sqlite3.connect(home.database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        home.database.ringer.tell(home.database.read_now(listening_ports), own=True)
        assert leader.stderr is not None
        assert b"cannot be used now" in leader.stderr.readline()
        other.execute("COMMIT")
    (after,) = put(home.database, fetch())
    await until_all_completed(home, [after])
    assert {line.pid for line in home.lines()} == {leader.pid}


async def test_five_processes_that_stay_open_do_not_let_the_log_grow(home: Home) -> None:
    for _ in range(5):
        home.start_listening()
    tasks = [task for _ in range(60) for task in put(home.database, fetch(payload={"text": "x" * 300_000}))]
    await until_all_completed(home, tasks)

    def shrinks() -> bool:
        put(home.database, fetch())  # whoever writes empties it, unless another one reads just then
        return wal_size(home.database) <= WAL_KEPT_BYTES

    assert any(shrinks() for _ in range(50))
