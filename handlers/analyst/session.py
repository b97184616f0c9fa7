"""One real Claude session: the CLI under its guard, one tool, a deadline, and the cost written down."""

import logging
import shutil
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from claude_agent_sdk import ClaudeSDKClient, ClaudeSDKError

from handlers.analyst.cli import end_orphans, find_cli, kill_launched, record_launched, write_launcher
from handlers.analyst.costs import Spent, close_lost_sessions, close_session, open_session
from handlers.analyst.ending import DeadlinePassed, Ending
from handlers.analyst.observing import SessionBegin, SessionEnd
from handlers.analyst.options import AnalystSettings, Submit, session_options
from handlers.analyst.prompt import Instructions
from handlers.analyst.submissions import Answer
from handlers.analyst.watch import Watch
from handlers.stocks import Stock
from queues.context import TaskContext
from queues.database import Database, Transaction
from queues.errors import StaleClaimError, StorageError
from queues.observing import log_fields

log = logging.getLogger(__name__)

# From starting the process to its readiness: 0.7 s on two cores, after up to 20 s for an earlier session.
LAUNCH_DEADLINE = timedelta(seconds=45)
# From a cancellation to the death of the process: time for the CLI to answer an interrupt with the cost.
STOP_PATIENCE = timedelta(seconds=1.2)


@dataclass(frozen=True, slots=True)
class SessionReport:
    session_id: str
    ending: Ending
    spent: Spent


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a session is told, of which stocks, and who takes its verdicts."""

    stocks: Sequence[Stock]
    instructions: Instructions
    prompt: str
    submit: Submit


async def run_session(
    ctx: TaskContext, settings: AnalystSettings, assignment: Assignment, *, session_id: str
) -> SessionReport:
    """Run one session to its end, whatever that is, and write its row in `sessions`.

    When cancelled, it interrupts the CLI, waits for the cost, and returns with the process gone, within 1.5 s.

    Raises:
        CliNotFoundError: there is no CLI to run; nothing was started.
        StaleClaimError: the attempt was ended elsewhere.
    """
    cli = find_cli(settings.cli)
    watch = Watch()
    async with (
        _written_down(ctx, settings, assignment, watch, session_id),
        _folder(settings, session_id) as folder,
    ):
        with _observed(ctx, settings, assignment, watch, session_id):
            await _converse(
                ctx,
                settings,
                assignment,
                watch,
                session_id=session_id,
                folder=folder,
                launcher=write_launcher(folder, settings.lock_file, cli),
            )
    if watch.lost is not None:
        raise watch.lost
    return SessionReport(session_id, watch.ending, watch.spent)


@asynccontextmanager
async def _written_down(
    ctx: TaskContext, settings: AnalystSettings, assignment: Assignment, watch: Watch, session_id: str
) -> AsyncGenerator[None]:
    """Opens the row of the session only for a current attempt; completes it however the session ends."""

    def open_row(tx: Transaction) -> None:
        close_lost_sessions(tx, ctx.task)
        open_session(
            tx,
            ctx.task,
            session_id,
            model=settings.model,
            stocks=assignment.stocks,
            prompt_version=assignment.instructions.version,
            budget_usd=settings.budget_usd,
        )

    await ctx.commit(open_row)
    started_at = ctx.now
    try:
        yield
    finally:
        ended_as, detail = watch.ending_in_words
        duration = max(ctx.now - started_at, timedelta(0))
        with anyio.CancelScope(shield=True):
            # Patiently, as the outcome is recorded: what was spent must not be lost to a busy disk.
            await ctx.database.write_patiently(
                lambda tx: close_session(
                    tx,
                    session_id,
                    ended_as=ended_as,
                    detail=detail,
                    spent=watch.spent,
                    duration=duration,
                    billing=watch.billing,
                    at_least=watch.is_at_least,
                )
            )


@contextmanager
def _observed(
    ctx: TaskContext, settings: AnalystSettings, assignment: Assignment, watch: Watch, session_id: str
) -> Generator[None]:
    """Tells of the session, in the log and to the observer; what is logged inside carries its id."""
    stocks, started_at = len(assignment.stocks), ctx.now
    begin = SessionBegin(session_id=session_id, model=settings.model, stocks=stocks, started_at=started_at)
    with log_fields(session=session_id), settings.observer.session(begin) as ended:
        log.info(
            "A session over %d stocks starts (%s, at most $%.2f)", stocks, settings.model, settings.budget_usd
        )
        try:
            yield
        finally:
            ended_as, detail = watch.ending_in_words
            duration = max(ctx.now - started_at, timedelta(0))
            ended(SessionEnd(ended_as=ended_as, spent=watch.spent, billing=watch.billing, duration=duration))
            cost = "unknown" if watch.spent.cost_usd is None else f"${watch.spent.cost_usd:.4f}"
            log.info("The session ended as %s, cost %s%s", ended_as, cost, detail and f": {detail}")


async def _converse(
    ctx: TaskContext,
    settings: AnalystSettings,
    assignment: Assignment,
    watch: Watch,
    *,
    session_id: str,
    folder: Path,
    launcher: Path,
) -> None:
    gone = anyio.Event()
    async with anyio.create_task_group() as group:
        scope = group.cancel_scope
        scope.deadline = anyio.current_time() + settings.deadline.total_seconds()
        group.start_soon(_kill_after_cancellation, folder, gone)
        options = session_options(
            settings,
            assignment.instructions,
            session_id=session_id,
            stocks=len(assignment.stocks),
            cwd=folder / "cwd",
            launcher=launcher,
            submit=_ending_if_stale(assignment.submit, watch, scope),
            on_stderr=watch.hear,
        )
        client = ClaudeSDKClient(options)
        try:
            await _talk(
                client, assignment.prompt, watch, folder, partial(_note, ctx.database, session_id, watch)
            )
        except ClaudeSDKError as error:
            # The SDK's second line only refers to stderr, which the watch has.
            watch.break_off(str(error).partition("\n")[0])
        finally:
            if watch.result is None and anyio.current_time() >= scope.deadline:
                watch.ending = DeadlinePassed()
            await _stop(client, watch)
            gone.set()
            await _take_what_was_cut_off(assignment.submit, watch)
        scope.cancel()


def _ending_if_stale(submit: Submit, watch: Watch, scope: anyio.CancelScope) -> Submit:
    """The SDK tells the model of an exception; a stale attempt must rather end the session, and its spending."""

    async def guarded(arguments: Mapping[str, Any]) -> Answer:
        watch.taken.append(arguments)
        try:
            # A verdict that was handed in is paid for: the end of the session must not overtake its commit.
            with anyio.CancelScope(shield=True):
                return await submit(arguments)
            raise AssertionError("nobody cancels that scope")
        except StaleClaimError as error:
            watch.lost = error
            scope.cancel()
            raise

    return guarded


async def _take_what_was_cut_off(submit: Submit, watch: Watch) -> None:
    """A verdict that the model handed in is paid for, though the session ended before its call was delivered.

    The SDK may drop a call that it has read but not passed on when the result comes.
    """
    with anyio.CancelScope(shield=True):
        for arguments in watch.cut_off:
            try:
                await submit(arguments)
            except StaleClaimError as error:
                watch.lost = watch.lost or error
                return


async def _note(database: Database, session_id: str, watch: Watch) -> None:
    """At most once per answered turn; a disk that is busy for it gets everything at the end."""
    if watch.has_news:
        with suppress(StorageError):
            await database.write(watch.news(session_id))


async def _talk(
    client: ClaudeSDKClient, prompt: str, watch: Watch, folder: Path, note: Callable[[], Awaitable[None]]
) -> None:
    with anyio.move_on_after(LAUNCH_DEADLINE.total_seconds()) as launch:
        await client.connect()
    if launch.cancelled_caught:
        watch.break_off(f"not ready after {LAUNCH_DEADLINE.total_seconds():.0f} s")
        return
    record_launched(folder, client)
    await client.query(prompt)
    async for message in client.receive_response():
        watch.see(message)
        await note()
    watch.conclude()


async def _stop(client: ClaudeSDKClient, watch: Watch) -> None:
    """Let the CLI end; if it is in the middle of something, interrupt it and wait for what it cost."""
    with anyio.CancelScope(shield=True):
        try:
            if watch.result is None:
                with anyio.move_on_after(STOP_PATIENCE.total_seconds()), suppress(ClaudeSDKError):
                    await client.interrupt()
                    async for message in client.receive_response():
                        watch.see(message)
        finally:
            await client.disconnect()


async def _kill_after_cancellation(folder: Path, gone: anyio.Event) -> None:
    """Bounds the stop: the SDK alone waits up to 5 s for a process to end by itself."""
    try:
        await anyio.sleep_forever()
    finally:
        with anyio.move_on_after(STOP_PATIENCE.total_seconds(), shield=True) as patience:
            await gone.wait()
        if patience.cancelled_caught:
            kill_launched(folder)


def new_session_id() -> str:
    """The CLI wants a UUID; choosing it here lets the row stand before the process does."""
    return str(uuid.uuid4())


@asynccontextmanager
async def _folder(settings: AnalystSettings, session_id: str) -> AsyncGenerator[Path]:
    """A folder with an empty `cwd`, removed at the end; also clears what a killed desk left behind."""
    end_orphans(settings.folder)
    folder = settings.folder / session_id
    (folder / "cwd").mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
