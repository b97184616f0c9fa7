"""Analyses that a person cancels, or a shutdown interrupts, in mid-batch: through the engine and the real CLI."""

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest

from handlers.ai_analysis import AnalystSettings, ai_analysis
from handlers.analysis_task import KIND, analysis_task
from handlers.analyst.costs import Session, sessions_of_task
from handlers.planning import fetch_then_analyse
from handlers.verdict import Verdict
from handlers.verdicts import verdicts_of_task
from queues.context import TaskContext
from queues.control import cancel_task
from queues.database import Database
from queues.model import Task, TaskState
from queues.outcome import Outcome
from queues.scheduler import SequentialQueueManager
from queues.store import enqueue, find_task
from tests.handlers.claude import INFY, TCS, is_alive, know, launched_pid
from tests.standins.claude_scripts import submits_one_per_turn
from tests.standins.messages_api import MessagesApi, Reply, Request, Stalls, submits_all

ANSWER_USD = (1200 * 3 + 340 * 15) / 1e6


def stalls_after_one(request: Request) -> Reply:
    return Stalls() if request.submitted else submits_one_per_turn(request)


class Batch:
    """A task of two stocks and a desk that runs it; `left` tells what held when its handler let go."""

    def __init__(self, database: Database, settings: AnalystSettings, api: MessagesApi) -> None:
        know(database, INFY, TCS)
        api.script = stalls_after_one
        self.api = api
        self.database = database
        self.folder = settings.folder
        self.task = database.write_now(lambda tx: enqueue(tx, [analysis_task([INFY, TCS])]))[0].task
        self.pid = 0
        self.left: list[tuple[bool, TaskState, Session]] = []
        judge = ai_analysis(settings, database.clock, fetch_then_analyse)

        async def watched(ctx: TaskContext) -> Outcome:
            try:
                return await judge(ctx)
            finally:
                self.left.append((is_alive(self.pid), self.now.state, self.sessions[-1]))

        self.desk = SequentialQueueManager(database, {KIND: watched}, command="test")

    @property
    def now(self) -> Task:
        return self.database.read_now(lambda tx: find_task(tx, self.task.id))

    @property
    def sessions(self) -> list[Session]:
        return self.database.read_now(lambda tx: sessions_of_task(tx, self.task.id))

    @property
    def verdicts(self) -> list[Verdict]:
        return self.database.read_now(lambda tx: verdicts_of_task(tx, self.task))

    @asynccontextmanager
    async def in_the_middle(self) -> AsyncGenerator[None]:
        """One verdict is stored, and the CLI waits for the answer after it; then the desk runs on to its end."""
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(self.desk.execute_queues)
                await anyio.to_thread.run_sync(self.api.wait_for_requests, 2)
                self.pid = launched_pid(self.folder)
                assert is_alive(self.pid)
                yield


@pytest.fixture
def batch(database: Database, claude: AnalystSettings, api: MessagesApi) -> Batch:
    return Batch(database, claude, api)


async def test_a_cancelled_batch_shows_as_cancelled_only_once_its_process_is_gone_and_its_cost_is_written(
    batch: Batch,
) -> None:
    async with batch.in_the_middle():
        batch.database.write_now(lambda tx: cancel_task(tx, batch.task.id, "changed my mind"))

    [(was_alive, state, session)] = batch.left
    assert (was_alive, state, session.ended_as) == (False, TaskState.RUNNING, "Interrupted")
    assert (session.spent.cost_usd, session.at_least) == (pytest.approx(ANSWER_USD), True)
    assert (batch.now.state, batch.sessions) == (TaskState.CANCELLED, [session])
    assert [each.stock for each in batch.verdicts] == [INFY]


async def test_a_cli_that_no_longer_reacts_is_killed_and_the_tokens_seen_are_a_lower_bound(
    batch: Batch,
) -> None:
    async with batch.in_the_middle():
        os.kill(batch.pid, signal.SIGSTOP)
        batch.database.write_now(lambda tx: cancel_task(tx, batch.task.id, "changed my mind"))

    [(was_alive, _, session)] = batch.left
    assert (was_alive, session.ended_as, session.at_least) == (False, "Interrupted", True)
    assert (session.spent.input_tokens, session.spent.output_tokens is not None) == (1200, True)
    assert session.spent.cost_usd is None
    assert batch.now.state is TaskState.CANCELLED


async def test_a_batch_that_a_shutdown_interrupts_costs_no_attempt_and_its_verdict_is_paid_for_once(
    batch: Batch,
) -> None:
    async with anyio.create_task_group() as shutdown, batch.in_the_middle():
        assert batch.desk.interrupt() == [batch.task.id]
        shutdown.cancel_scope.cancel()

    [(was_alive, state, session)] = batch.left
    assert (was_alive, state, batch.now.attempt) == (False, TaskState.QUEUED, 0)
    assert (session.ended_as, session.spent.cost_usd) == ("Interrupted", pytest.approx(ANSWER_USD))

    batch.api.script = submits_all
    await batch.desk.execute_queues()

    assert batch.now.state is TaskState.COMPLETED
    assert [each.stocks for each in batch.sessions] == [("NSE:INFY", "NSE:TCS"), ("NSE:TCS",)]
    assert batch.sessions[0] == session
    assert [each.session_id for each in batch.verdicts] == [each.session_id for each in batch.sessions]
