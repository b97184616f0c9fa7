"""`stockdesk doctor`: looks at everything that the desk needs, changes nothing, and says what to do."""

import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from pathlib import Path

import anyio
import anyio.to_thread
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from handlers.analyst.cli import CliNotFoundError, find_cli
from handlers.analyst.guard import scrubbed
from handlers.analyst.prompt import InstructionsError, analyst_instructions
from handlers.market_calendar import known_through
from handlers.sources.reachability import ask_yahoo
from handlers.stocks import Exchange
from queues.backup import Contents, inspect
from queues.clock import system_clock
from queues.errors import DatabaseError, EngineError
from queues.filesystems import file_system_of, refuse_network
from queues.model import TaskState
from server.desk import DATABASE_NAME, migrations, open_desk
from server.inspection import desk_status
from server.rendering.console import visible
from server.settings import Settings
from server.views import LeaderView, StatusView

# apsw is numbered as the SQLite that it brings.
PACKAGES = {"stockdesk": "stockdesk", "mcp": "mcp", "claude-agent-sdk": "claude-agent-sdk", "SQLite": "apsw"}
# A year of reviews of 81 stocks is some 100 MB; a full disk stops every queue.
LITTLE_SPACE, SOME_SPACE = 50_000_000, 500_000_000
# SQLite empties its log at 4 MB; it is this large only while somebody reads for long.
LARGE_LOG = 64_000_000
# More than clocks differ that are kept by the network.
CLOCK_TOLERANCE = timedelta(minutes=2)
# The CLI answers within half a second; a first start may unpack it.
CLI_SECONDS = 20.0
MODE_OF_OTHERS = 0o077


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


COLOURS = {Level.PROBLEM: "bold red", Level.WARNING: "yellow", Level.OK: "green"}


@dataclass(frozen=True, slots=True)
class Finding:
    """`advice` is what to do, empty where there is nothing."""

    about: str
    level: Level
    what: str
    advice: str = ""


async def examine(
    settings: Settings, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> list[Finding]:
    """One finding or more about each thing; secrets are in none of them, and nothing costs money.

    `progress` is told how many of how many checks are done.
    """
    now = system_clock()
    findings = [_versions(), *_home(settings.home)]
    checks = [partial(_claude, settings), partial(_sources, settings, now)]
    database = settings.home / DATABASE_NAME
    if database.exists():
        checks.insert(0, partial(_database, settings, database, now))
    for done, check in enumerate(checks):
        progress(done, len(checks))
        findings += await check()
    return [*findings, *_calendars(now)]


def _versions() -> Finding:
    named = ", ".join(f"{name} {version(package)}" for name, package in PACKAGES.items())
    return Finding("versions", Level.OK, f"{named}, Python {platform.python_version()}")


def _home(home: Path) -> Iterator[Finding]:
    existing = next(path for path in (home, *home.parents) if path.exists())
    if not existing.is_dir():
        yield Finding("home", Level.PROBLEM, f"{existing} is a file", "Move it away, or set STOCKDESK_HOME.")
        return
    if existing == home:
        yield Finding("home", Level.OK, f"{home}")
    else:
        yield Finding(
            "home", Level.OK, f"{home} is not there yet; a client, or `stockdesk worker`, begins it"
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        advice = "Change its rights, or set STOCKDESK_HOME."
        yield Finding("home", Level.PROBLEM, f"{existing} cannot be written", advice)
    if existing == home and sys.platform != "win32" and home.stat().st_mode & MODE_OF_OTHERS:
        yield Finding("home", Level.WARNING, "Other users can look into it", f"Run: chmod 700 {home}")
    yield from _disk(existing)


def _disk(folder: Path) -> Iterator[Finding]:
    found = file_system_of(folder)
    if found is None:
        yield Finding("disk", Level.WARNING, "Its file system is not known", "Make sure it is a local disk.")
    elif found.is_shared:
        what = f"{found.mounted_at} is a network file system ({found.kind})"
        yield Finding("disk", Level.PROBLEM, what, "Set STOCKDESK_HOME to a folder on a local disk.")
    free = shutil.disk_usage(folder).free
    level = Level.PROBLEM if free < LITTLE_SPACE else Level.WARNING if free < SOME_SPACE else Level.OK
    advice = "" if level is Level.OK else "Make room: on a full disk the queues wait."
    where = "" if found is None else f" ({found.kind})"
    yield Finding("disk", level, f"{free / 1e9:.1f} GB free{where}", advice)


async def _database(settings: Settings, path: Path, now: datetime) -> list[Finding]:
    try:
        refuse_network(path)
        contents = await anyio.to_thread.run_sync(inspect, path)
    except DatabaseError as error:
        advice = "`stockdesk restore FILE` puts a backup in the place of a damaged one, and keeps that."
        return [Finding("database", Level.PROBLEM, str(error), advice)]
    findings = list(_of_contents(contents, path, now))
    if contents.versions == _known_versions():
        try:
            async with open_desk(settings, "doctor") as desk:
                findings += _of_queues(await desk_status(desk))
        except EngineError as error:
            findings.append(Finding("database", Level.PROBLEM, str(error)))
    return findings


def _known_versions() -> dict[str, int]:
    return {component: len(steps) for component, steps in migrations().items()}


def _of_contents(contents: Contents, path: Path, now: datetime) -> Iterator[Finding]:
    yield Finding("database", Level.OK, f"sound: {contents.tasks} tasks, {contents.size / 1e6:.1f} MB")
    log = Path(f"{path}-wal")
    if log.exists() and (size := log.stat().st_size) > LARGE_LOG:
        advice = "A process reads for long, or hangs: end the clients one by one."
        yield Finding("database", Level.WARNING, f"Its log has grown to {size / 1e6:.0f} MB", advice)
    known = _known_versions()
    if any(step > known.get(component, 0) for component, step in contents.versions.items()):
        yield Finding(
            "database", Level.PROBLEM, "A newer Stockdesk wrote it", "Install the newest Stockdesk."
        )
    elif contents.versions != known:
        advice = "Back it up; then any command brings it up to date."
        yield Finding("database", Level.WARNING, "An older Stockdesk wrote it", advice)
    if contents.newest is not None and contents.newest > now + CLOCK_TOLERANCE:
        what = f"It is {now:%Y-%m-%d %H:%M} UTC, and the newest task is of {contents.newest:%Y-%m-%d %H:%M}"
        yield Finding(
            "clock", Level.WARNING, what, "Set the clock of this machine; tasks go on all the same."
        )


def _of_queues(status: StatusView) -> Iterator[Finding]:
    waiting = sum(queue.counts[TaskState.QUEUED] for queue in status.queues)
    yield _leader(status.leader, waiting)
    for queue in status.queues:
        failed = queue.counts[TaskState.FAILED]
        what = f"{queue.counts[TaskState.QUEUED]} queued, {failed} failed"
        if queue.holds:
            what += "; held: " + " ".join(hold.reason for hold in queue.holds)
            advice = f"Once that is settled: stockdesk release {queue.queue}"
        else:
            advice = (
                "`stockdesk tasks --state failed` shows why, `stockdesk retry` brings them back."
                if failed
                else ""
            )
        yield Finding(queue.queue, Level.WARNING if queue.holds else Level.OK, what, advice)


def _leader(leader: LeaderView | None, waiting: int) -> Finding:
    if leader is None or not leader.leads:
        level = Level.WARNING if waiting else Level.OK
        advice = "Start `stockdesk worker`, or open an MCP client." if waiting else ""
        return Finding("leader", level, "No process runs the queues", advice)
    who = f"The queues are run by `stockdesk {leader.command}`, process {leader.pid}"
    if leader.responds:
        return Finding("leader", Level.OK, who)
    advice = "`stockdesk takeover` ends it, and another takes over."
    return Finding("leader", Level.PROBLEM, f"{who}, which does not answer", advice)


async def _claude(settings: Settings) -> list[Finding]:
    if settings.analyst == "baseline":
        return [Finding("claude", Level.OK, "not needed: rules judge (STOCKDESK_ANALYST)")]
    try:
        cli = find_cli(settings.claude_cli)
        shown, status = await _ask(cli, "--version"), await _ask(cli, "auth", "status", "--json")
    except (CliNotFoundError, OSError) as error:
        return [Finding("claude", Level.PROBLEM, str(error), "Correct STOCKDESK_CLAUDE_CLI, or unset it.")]
    found = Finding("claude", Level.OK, f"{shown.strip()}, {cli}")
    return [found, _sign_in(status), _instructions(settings)]


def _instructions(settings: Settings) -> Finding:
    try:
        version = analyst_instructions(settings.analyst_instructions).version
    except InstructionsError as error:
        return Finding("instructions", Level.PROBLEM, str(error), "Until then the analyses wait.")
    return Finding("instructions", Level.OK, f"the analyst's, version {version}")


def _sign_in(status: str) -> Finding:
    try:
        told = json.loads(status)
        signed_in, method = told["loggedIn"], told["authMethod"]
    except (ValueError, KeyError, TypeError):
        what = "The CLI does not tell whether it is signed in"
        return Finding(
            "sign-in", Level.WARNING, what, "Unset STOCKDESK_CLAUDE_CLI, to use the one of Stockdesk."
        )
    if signed_in:
        return Finding("sign-in", Level.OK, f"signed in ({method}), by the variables of this terminal")
    advice = "Run `stockdesk login`, or set ANTHROPIC_API_KEY where the client starts the server."
    return Finding("sign-in", Level.PROBLEM, "Claude is not signed in", advice)


async def _ask(cli: Path, *arguments: str) -> str:
    environment = scrubbed(os.environ) | {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    with anyio.move_on_after(CLI_SECONDS):
        ended = await anyio.run_process([cli, *arguments], env=environment, check=False)
        return ended.stdout.decode(errors="replace")
    return ""


async def _sources(settings: Settings, now: datetime) -> list[Finding]:
    findings: list[Finding] = []
    if "sample" in settings.price_sources:
        findings.append(Finding("sample", Level.OK, "bundled prices"))
    if "yahoo" in settings.price_sources:
        answer = await ask_yahoo(settings.yahoo_base_url, now)
        what = f"{settings.yahoo_base_url} {answer.trouble or 'answers'}"
        level, advice = (
            (Level.WARNING, "Fetches try again by themselves.") if answer.trouble else (Level.OK, "")
        )
        findings.append(Finding("yahoo", level, what, advice))
        if answer.moment is not None and abs(answer.moment - now) > CLOCK_TOLERANCE:
            what = (
                f"It is {now:%Y-%m-%d %H:%M} UTC here, and {answer.moment:%Y-%m-%d %H:%M} UTC at the source"
            )
            findings.append(Finding("clock", Level.WARNING, what, "Set the clock of this machine."))
    return findings


def _calendars(now: datetime) -> Iterator[Finding]:
    for exchange in (Exchange.NSE, Exchange.NYSE):
        known = known_through(exchange)
        what = f"Holidays of {exchange} are known through {known}"
        if now.year > known:
            what += "; every weekday since counts as a session"
            yield Finding("calendar", Level.WARNING, what, "Update Stockdesk.")
        else:
            yield Finding("calendar", Level.OK, what)


def findings_table(findings: Sequence[Finding]) -> RenderableType:
    """What was found, one line or more for each, and how much of it is bad."""
    table = Table.grid(padding=(0, 1))
    for finding in findings:
        text = Text(visible(finding.what), overflow="fold")
        if finding.advice:
            text.append(f"\n{visible(finding.advice)}", style="italic")
        table.add_row(Text(finding.level, style=COLOURS[finding.level]), finding.about, text)
    counts = [f"{count}× {level}" for level in COLOURS if (count := _count(findings, level))]
    return Group(table, Text(", ".join(counts)))


def _count(findings: Sequence[Finding], level: Level) -> int:
    return sum(finding.level is level for finding in findings)
