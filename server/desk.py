"""The composition root: one home's settings, database, handlers and queues, put together."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from handlers.analysis_task import KIND as ANALYSE
from handlers.analyst.costs import close_lost_sessions
from handlers.analyst.standing import release_outdated, stands_on
from handlers.benchmarks import BENCHMARKS
from handlers.fetch_task import KIND as FETCH
from handlers.instruments import load_instruments
from handlers.migrations import domain_migrations
from handlers.planning import fetch_then_analyse, review_after_sync
from handlers.portfolio_sync import KIND as SYNC
from handlers.portfolio_sync import LiveBroker, portfolio_sync
from handlers.rates import with_rates
from handlers.timetable import DeskTimetable
from queues.clock import Clock, system_clock
from queues.context import Handler, TaskContext
from queues.database import Database, Transaction
from queues.errors import DatabaseError
from queues.outcome import Failed, Outcome, Retry, Snooze
from queues.scheduler import SequentialQueueManager, engine_migrations
from server.migrations import server_migrations
from server.settings import Settings

if TYPE_CHECKING:  # see handlers/portfolio_sync.py
    from handlers.brokers.live.asking import LiveHoldings
    from handlers.brokers.live.syncing import Brokers
    from handlers.sources.kite import KiteAccess
    from handlers.sources.opening import SourceSettings
    from server.telemetry.telemetry import Telemetry

DATABASE_NAME = "stockdesk.db"


@dataclass(frozen=True, slots=True)
class Desk:
    """One open home. `clock` is the desk's own: the real one, or fixed at the end of `settings.as_of`."""

    settings: Settings
    database: Database
    manager: SequentialQueueManager
    clock: Clock

    @property
    def uploads(self) -> Path:
        return uploads_folder(self.settings)


@asynccontextmanager
async def open_desk(
    settings: Settings, command: str, telemetry: "Telemetry | None" = None
) -> AsyncGenerator[Desk]:
    """Open the home, creating it if need be. Nothing runs until `manager.run` or `execute_queues` does.

    `command` says in status views what kind of process this is; `telemetry` looks on.

    Raises:
        DatabaseError: the home or its database cannot be opened.
    """
    make_folders(settings)
    database = open_database(settings)
    clock = desk_clock(settings)
    try:
        async with AsyncExitStack() as stack:
            retention = timedelta(days=settings.retention_days)
            manager = SequentialQueueManager(
                database,
                _handlers(settings, database, clock, stack, telemetry),
                command=command,
                retention=retention,
                on_lead=partial(_begin_to_lead, settings),
                timetable=desk_timetable(settings, clock),
                observer=telemetry,
            )
            if telemetry is not None:
                telemetry.follow(database, lambda: manager.is_leader)
            yield Desk(settings, database, manager, clock)
    finally:
        database.close()


def _begin_to_lead(settings: Settings, tx: Transaction) -> None:
    """Settle what another process left: sessions that died with it, holds that stand on other settings."""
    close_lost_sessions(tx)
    release_outdated(tx, stands_on(settings.model, settings.daily_budget_usd, os.environ))


def _handlers(
    settings: Settings,
    database: Database,
    clock: Clock,
    stack: AsyncExitStack,
    telemetry: "Telemetry | None",
) -> dict[str, Handler]:
    """The handlers by kind; what they have opened is closed with `stack`."""

    async def fetcher() -> Handler:
        for module in ("handlers.data_fetcher", "handlers.no_data", "handlers.sources.opening"):
            await anyio.to_thread.run_sync(import_module, module)
        from handlers.data_fetcher import data_fetcher  # noqa: PLC0415 (see _at_first_task)
        from handlers.no_data import judge_without_data  # noqa: PLC0415
        from handlers.sources.opening import open_sources  # noqa: PLC0415

        kite = await _kite_access(settings, database) if "kite" in settings.price_sources else None
        sources = await stack.enter_async_context(open_sources(_source_settings(settings, kite)))
        fetch = data_fetcher(
            sources.prices,
            clock,
            settings.requests_at_once,
            judge_without_data(clock),
            extras=sources.extras,
            benchmarks=BENCHMARKS,
        )
        if settings.base_currency is None or set(settings.price_sources) == {"sample"}:
            return fetch  # beside the sample, nothing is asked of the network
        from handlers.sources.ecb import open_ecb  # noqa: PLC0415

        ask = await stack.enter_async_context(open_ecb(settings.requests_per_second))
        return with_rates(fetch, ask, settings.base_currency)

    async def analyst() -> Handler:
        await anyio.to_thread.run_sync(import_module, "handlers.ai_analysis")
        from handlers.ai_analysis import AnalystSettings, ai_analysis  # noqa: PLC0415
        from handlers.analyst.observing import NOBODY  # noqa: PLC0415

        analyst_settings = AnalystSettings(
            analyst=settings.analyst,
            model=settings.model,
            cli=settings.claude_cli,
            folder=_sessions(settings),
            deadline=settings.session_deadline,
            budget_usd=settings.session_budget_usd,
            daily_budget_usd=settings.daily_budget_usd,
            api_timeout=timedelta(seconds=settings.api_timeout_seconds),
            zone=settings.zone,
            instructions=settings.analyst_instructions,
            observer=telemetry or NOBODY,
        )
        return ai_analysis(analyst_settings, clock, fetch_then_analyse)

    async def live(broker: LiveBroker, account: str) -> "LiveHoldings | Retry | Snooze | Failed":
        await anyio.to_thread.run_sync(import_module, "handlers.brokers.live.syncing")
        from handlers.brokers.live.credentials import Broker  # noqa: PLC0415 (see _at_first_task)
        from handlers.brokers.live.syncing import live_holdings  # noqa: PLC0415

        return await live_holdings(Broker(broker), account, await _brokers(settings), system_clock())

    follow_up = review_after_sync(clock, settings.stocks_per_session, settings.session_deadline)
    return {
        SYNC: portfolio_sync(uploads_folder(settings), follow_up, instruments_folder(settings), live),
        FETCH: _at_first_task(fetcher),
        ANALYSE: _at_first_task(analyst),
    }


def _at_first_task(make: Callable[[], Awaitable[Handler]]) -> Handler:
    """A handler that is made when its first task starts: HTTP and Claude's SDK take a fifth of a second to import.

    `make` imports them in a thread, so that the server answers meanwhile. A queue runs one task at a time.
    """
    made: list[Handler] = []

    async def handle(ctx: TaskContext) -> Outcome:
        if not made:
            made.append(await make())
        return await made[0](ctx)

    return handle


async def _brokers(settings: Settings) -> "Brokers":
    from handlers.brokers.live.syncing import Brokers  # noqa: PLC0415 (see _at_first_task)
    from handlers.brokers.live.vault import Vault  # noqa: PLC0415

    lists = await anyio.to_thread.run_sync(load_instruments, instruments_folder(settings))
    return Brokers(vault=Vault(settings.home), environment=os.environ, instruments=lists)


async def _kite_access(settings: Settings, database: Database) -> "KiteAccess":
    await anyio.to_thread.run_sync(import_module, "handlers.sources.kite")
    from handlers.sources.kite import KiteAccess, live_accounts  # noqa: PLC0415 (see _at_first_task)

    return KiteAccess(brokers=partial(_brokers, settings), accounts=lambda: database.read(live_accounts))


def _source_settings(settings: Settings, kite: "KiteAccess | None") -> "SourceSettings":
    from handlers.sources.opening import SourceSettings  # noqa: PLC0415 (it imports HTTP)

    def named(names: Sequence[str]) -> list[str]:
        return [name for name in names if name != "none"]

    return SourceSettings(
        prices=settings.price_sources,
        fundamentals=named(settings.fundamentals_sources),
        news=named(settings.news_sources),
        filings=named(settings.filing_sources),
        requests_per_second=settings.requests_per_second,
        yahoo_url=settings.yahoo_base_url,
        prices_folder=settings.prices_folder or settings.home / "prices",
        cache_folder=settings.home / "cache",
        sec_contact=settings.sec_contact,
        kite=kite,
    )


def desk_timetable(settings: Settings, clock: Clock) -> DeskTimetable:
    return DeskTimetable(
        clock=clock,
        stocks_per_session=settings.stocks_per_session,
        session_deadline=settings.session_deadline,
    )


def make_folders(settings: Settings) -> None:
    try:
        for folder in (settings.home, uploads_folder(settings), settings.home / "logs", _sessions(settings)):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise DatabaseError(
            f"The home {settings.home} cannot be made: {error}; set STOCKDESK_HOME."
        ) from error


def open_database(settings: Settings) -> Database:
    return Database(settings.home / DATABASE_NAME, migrations(), queue_limit=settings.queue_limit)


def migrations() -> dict[str, list[str]]:
    """The schema of each component, as `Database` wants it."""
    return {"queues": engine_migrations(), "handlers": domain_migrations(), "server": server_migrations()}


def desk_clock(settings: Settings) -> Clock:
    if settings.as_of is None:
        return system_clock
    # The last minute of the day in UTC: every exchange of that day has closed.
    fixed = datetime.combine(settings.as_of, time(23, 59), UTC)
    return lambda: fixed


def uploads_folder(settings: Settings) -> Path:
    return settings.home / "uploads"


def instruments_folder(settings: Settings) -> Path:
    return settings.home / "instruments"


def _sessions(settings: Settings) -> Path:
    return settings.home / "sessions"
