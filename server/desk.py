"""The composition root: one home's settings, database, handlers and queues, put together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from handlers.ai_analysis import KIND as ANALYSE
from handlers.ai_analysis import AnalystSettings, ai_analysis
from handlers.data_fetcher import KIND as FETCH
from handlers.data_fetcher import data_fetcher
from handlers.migrations import domain_migrations
from handlers.no_data import judge_without_data
from handlers.planning import fetch_then_analyse, review_after_sync
from handlers.portfolio_sync import KIND as SYNC
from handlers.portfolio_sync import portfolio_sync
from handlers.sources.opening import open_sources
from queues.clock import Clock, system_clock
from queues.database import Database
from queues.errors import DatabaseError
from queues.scheduler import SequentialQueueManager, engine_migrations
from server.settings import Settings

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
async def open_desk(settings: Settings, command: str) -> AsyncGenerator[Desk]:
    """Open the home, creating it if need be. Nothing runs until `manager.run` or `execute_queues` does.

    `command` says in status views what kind of process this is.

    Raises:
        DatabaseError: the home or its database cannot be opened.
    """
    make_folders(settings)
    database = open_database(settings)
    clock = desk_clock(settings)
    try:
        async with open_sources(
            settings.price_sources,
            yahoo_base_url=settings.yahoo_base_url,
            requests_per_second=settings.requests_per_second,
        ) as sources:
            handlers = {
                SYNC: portfolio_sync(
                    uploads_folder(settings),
                    review_after_sync(clock, settings.stocks_per_session, settings.session_deadline),
                ),
                FETCH: data_fetcher(sources, clock, settings.requests_at_once, judge_without_data(clock)),
                ANALYSE: ai_analysis(_analyst(settings), clock, fetch_then_analyse),
            }
            retention = timedelta(days=settings.retention_days)
            manager = SequentialQueueManager(database, handlers, command=command, retention=retention)
            yield Desk(settings, database, manager, clock)
    finally:
        database.close()


def make_folders(settings: Settings) -> None:
    try:
        for folder in (settings.home, uploads_folder(settings), settings.home / "logs", _sessions(settings)):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise DatabaseError(
            f"The home {settings.home} cannot be made: {error}; set STOCKDESK_HOME."
        ) from error


def open_database(settings: Settings) -> Database:
    migrations = {"queues": engine_migrations(), "handlers": domain_migrations()}
    return Database(settings.home / DATABASE_NAME, migrations)


def desk_clock(settings: Settings) -> Clock:
    if settings.as_of is None:
        return system_clock
    # The last minute of the day in UTC: every exchange of that day has closed.
    fixed = datetime.combine(settings.as_of, time(23, 59), UTC)
    return lambda: fixed


def uploads_folder(settings: Settings) -> Path:
    return settings.home / "uploads"


def _sessions(settings: Settings) -> Path:
    return settings.home / "sessions"


def _analyst(settings: Settings) -> AnalystSettings:
    return AnalystSettings(
        analyst=settings.analyst,
        model=settings.model,
        cli=settings.claude_cli,
        folder=_sessions(settings),
        deadline=settings.session_deadline,
        budget_usd=settings.session_budget_usd,
    )
