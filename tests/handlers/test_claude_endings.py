"""How sessions of the real Claude CLI end: limits, failures, cancellation, and the death of the desk."""

import os
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from handlers.ai_analysis import AnalystSettings
from handlers.analyst.costs import sessions_of_task
from handlers.analyst.usage import usage_warnings
from handlers.verdicts import verdicts_of_task
from queues.database import Database, T, Work
from queues.errors import StaleClaimError, StorageError
from queues.lifecycle import interrupt
from queues.model import QueueName
from queues.outcome import Completed, HoldRequest, Retry, Snooze
from tests.handlers.claude import (
    INFY,
    TCS,
    analyse,
    follow_ups,
    is_alive,
    know,
    launched_pid,
    payload,
    processes_that_name,
)
from tests.handlers.conftest import TaskRunner
from tests.standins.claude_scripts import always, submits_one_per_turn, usage_limit
from tests.standins.messages_api import (
    Fails,
    MessagesApi,
    Reply,
    Request,
    Says,
    Stalls,
    grounded_verdict,
    submits_all,
)

AI = QueueName.AI_ANALYSIS


async def test_a_usage_limit_snoozes_and_holds_the_queue_until_the_reset_and_nothing_is_paid_twice(
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")  # only a subscription has usage windows
    monkeypatch.setenv("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-dummy")
    resets_at = datetime(2099, 12, 31, 5, 30, tzinfo=UTC)  # ahead of the CLI's own clock
    limit = usage_limit(int(resets_at.timestamp()))

    def script(request: Request) -> Reply:
        return limit(request) if request.submitted else Says(submits=(grounded_verdict(request.stocks[0]),))

    api.script = script
    know(database, INFY, TCS)
    ctx = running_task(AI, payload(INFY, TCS))

    outcome = await analyse(ctx, claude)

    assert isinstance(outcome, Snooze)
    assert outcome.until is None  # it goes on with the queue, also if that is released before
    assert outcome.hold is not None
    assert outcome.hold.until is not None
    assert timedelta(seconds=5) <= outcome.hold.until - resets_at <= timedelta(seconds=60)
    assert outcome.hold == HoldRequest("usage_limit", outcome.reason, outcome.hold.until)
    [window] = database.read_now(lambda tx: usage_warnings(tx, resets_at - timedelta(hours=1)))
    assert (window.window, window.status, window.resets_at) == ("five_hour", "rejected", resets_at)
    assert "five-hour usage limit is used up; the queue goes on at 2099-12-31 05:3" in outcome.reason

    api.script = submits_all
    again = running_task.again(ctx, outcome)
    know(database, TCS)  # as of the day on which it goes on
    assert isinstance(await analyse(again, claude), Completed)
    assert [entry["stock"] for entry in api.requests[-1].stocks] == ["NSE:TCS"]
    assert len(database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))) == 2


async def test_a_missing_sign_in_holds_the_queue_with_the_command_that_mends_it(
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    know(database, INFY)

    outcome = await analyse(running_task(AI, payload(INFY)), claude)

    assert isinstance(outcome, Snooze)
    assert outcome.hold is not None
    assert (outcome.hold.source, outcome.hold.until) == ("sign_in", None)
    assert "stockdesk login" in outcome.hold.reason
    assert api.requests == []


async def test_a_busy_api_is_asked_once_and_then_again_by_the_queue(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    api.script = always(Fails(529, "overloaded_error", "Overloaded"))
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))

    outcome = await analyse(ctx, claude)

    assert isinstance(outcome, Retry)
    assert "Overloaded" in outcome.error
    assert len(api.requests) == 1
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert (session.ended_as, session.spent.turns) == ("Busy", 0)


async def test_facts_too_long_for_the_model_are_split(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    api.script = always(
        Fails(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
    )
    know(database, INFY, TCS)

    outcome = await analyse(running_task(AI, payload(INFY, TCS)), claude)

    assert [task.payload["stocks"] for task in follow_ups(database, outcome)] == [["NSE:INFY"], ["NSE:TCS"]]


@pytest.mark.usefixtures("api")
async def test_a_cli_that_dies_is_reported_in_its_own_words_and_tried_again(
    claude: AnalystSettings, database: Database, running_task: TaskRunner, tmp_path: Path
) -> None:
    broken = tmp_path / "broken cli"
    broken.write_text("#!/bin/sh\necho no such interpreter >&2\nexit 3\n", encoding="utf-8")
    broken.chmod(0o700)
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))

    outcome = await analyse(ctx, replace(claude, cli=broken))

    assert outcome == Retry("The Claude CLI did not run: no such interpreter")
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert (session.ended_as, session.spent.cost_usd) == ("LaunchFailed", None)


async def test_a_cli_that_is_killed_in_mid_session_has_died_in_one_line(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    def script(request: Request) -> Reply:
        if request.submitted:
            os.kill(launched_pid(claude.folder), signal.SIGKILL)
            return Stalls()
        return Says(submits=(grounded_verdict(request.stocks[0]),))

    api.script = script
    know(database, INFY, TCS)
    ctx = running_task(AI, payload(INFY, TCS))

    outcome = await analyse(ctx, claude)

    assert isinstance(outcome, Retry)
    assert outcome.error.startswith("The Claude CLI died in mid-session: ")
    assert "\n" not in outcome.error
    assert "stderr output" not in outcome.error
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert session.ended_as == "Died"
    assert outcome.error.endswith(session.detail)
    assert [each.stock for each in database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))] == [INFY]


class BusyDatabase(Database):
    """A disk that refuses as many writes as a test asks for."""

    refusals = 0

    async def write(self, work: Work[T]) -> T:
        if self.refusals:
            self.refusals -= 1
            raise StorageError("database or disk is full")
        return await super().write(work)


async def test_what_a_session_cost_outlasts_a_busy_disk(
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("queues.database.TRY_AGAIN_SECONDS", 0)
    database.__class__ = BusyDatabase
    assert isinstance(database, BusyDatabase)
    busy = database

    def script(request: Request) -> Reply:
        if request.submitted:
            busy.refusals = 2  # all that is still to be written is what it cost
            return Says("Done.")
        return Says(submits=(grounded_verdict(request.stocks[0]),))

    api.script = script
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))

    assert isinstance(await analyse(ctx, claude), Completed)

    assert busy.refusals == 0
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert session.ended_as == "Finished"
    assert session.spent.cost_usd == pytest.approx(2 * (1200 * 3 + 340 * 15) / 1e6)


@pytest.mark.parametrize("exists", [False, True], ids=["missing", "not executable"])
async def test_a_cli_that_cannot_be_run_holds_the_queue_and_costs_no_session(
    claude: AnalystSettings, database: Database, running_task: TaskRunner, tmp_path: Path, exists: bool
) -> None:
    cli = tmp_path / "claude of the user"
    if exists:
        cli.write_text("#!/bin/sh\n", encoding="utf-8")
        cli.chmod(0o600)
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))

    outcome = await analyse(ctx, replace(claude, cli=cli))

    assert isinstance(outcome, Snooze)
    assert outcome.hold is not None
    assert outcome.hold.source == "claude_cli"
    assert "STOCKDESK_CLAUDE_CLI" in outcome.hold.reason
    assert ("is not executable" if exists else "does not exist") in outcome.hold.reason
    assert database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id)) == []


async def test_a_cancelled_session_is_gone_when_the_handler_returns_and_its_cost_is_known(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    def script(request: Request) -> Reply:
        return Stalls() if request.submitted else Says(submits=(grounded_verdict(request.stocks[0]),))

    api.script = script
    know(database, INFY, TCS)
    ctx = running_task(AI, payload(INFY, TCS))

    pid = 0
    async with anyio.create_task_group() as group:
        group.start_soon(analyse, ctx, claude)
        await anyio.to_thread.run_sync(api.wait_for_requests, 2)
        pid = launched_pid(claude.folder)
        assert is_alive(pid)
        group.cancel_scope.cancel()

    assert not is_alive(pid)
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert session.ended_as == "Interrupted"
    assert session.spent.cost_usd == pytest.approx((1200 * 3 + 340 * 15) / 1e6)
    assert [each.stock for each in database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))] == [INFY]


@pytest.mark.usefixtures("api")
async def test_a_deadline_that_passes_while_the_cli_starts_leaves_no_process(
    claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))

    outcome = await analyse(ctx, replace(claude, deadline=timedelta(milliseconds=150)))

    assert isinstance(outcome, Retry)
    assert "STOCKDESK_SESSION_MINUTES" in outcome.error
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert session.ended_as == "DeadlinePassed"
    assert not processes_that_name(session.session_id)


async def test_an_attempt_that_was_ended_elsewhere_stops_its_session_and_stores_nothing_more(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY, TCS)
    ctx = running_task(AI, payload(INFY, TCS))

    def script(request: Request) -> Reply:
        if request.submitted:
            database.write_now(lambda tx: interrupt(tx, ctx.task.epoch))
        return submits_one_per_turn(request)

    api.script = script

    with pytest.raises(StaleClaimError):
        await analyse(ctx, claude)

    assert len(api.requests) == 2
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert session.ended_as == "Interrupted"
    assert [each.stock for each in database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))] == [INFY]
