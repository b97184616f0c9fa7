"""Settings: `STOCKDESK_*` variables first, then `settings.toml` in the home, then the defaults."""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from handlers.analyst.limits import (
    API_TIMEOUT,
    DAILY_BUDGET_USD,
    SESSION_BUDGET_USD,
    SESSION_DEADLINE,
    is_bare_name,
)
from handlers.stocks import Exchange
from queues.model import QUEUE_LIMIT

PREFIX = "STOCKDESK_"
TOML_NAME = "settings.toml"


class SettingsError(Exception):
    """A setting cannot be used; the message names it, its value and what is possible."""


def default_home() -> Path:
    return platformdirs.user_data_path("stockdesk", appauthor=False)


class Settings(BaseModel):
    """Everything that a user can set. Each field's variable is its name in capitals behind `STOCKDESK_`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path = Field(default_factory=default_home, description="Folder of the database, logs and uploads.")
    analyst: Literal["claude", "baseline"] = Field(
        "claude", description="Who writes verdicts: Claude, or rules over the numbers."
    )
    stocks_per_session: int = Field(2, ge=2, le=3, description="Stocks in one Claude session.")
    model: str = Field("sonnet", min_length=1, description="Claude model or alias of the sessions.")
    claude_cli: Path | None = Field(
        None, description="Claude CLI to run; else the one that Stockdesk brings."
    )
    session_minutes: int = Field(
        SESSION_DEADLINE // timedelta(minutes=1),
        ge=1,
        le=120,
        description="Wall-clock limit of one session, in minutes.",
    )
    api_timeout_seconds: int = Field(
        API_TIMEOUT // timedelta(seconds=1), ge=1, le=600, description="Time for one answer of Claude's API."
    )
    session_budget_usd: float = Field(
        SESSION_BUDGET_USD, gt=0, description="Spending limit of one session, in US dollars."
    )
    analyst_instructions: Path | None = Field(
        None, description="File that replaces the analyst's instructions."
    )
    daily_budget_usd: float = Field(
        DAILY_BUDGET_USD,
        gt=0,
        allow_inf_nan=False,
        description="Spending limit of all sessions of one day, in US dollars.",
    )
    timezone: str | None = Field(
        None, description="Zone of the desk's day and times, like Asia/Kolkata; else the machine's."
    )
    price_sources: tuple[Literal["yahoo", "kite", "folder", "sample"], ...] = Field(
        ("yahoo",), min_length=1, description="Price sources in the order in which they are tried."
    )
    prices_folder: Path | None = Field(
        None, description="Folder of your own prices, for the source `folder`; else `prices` in the home."
    )
    fundamentals_sources: tuple[Literal["sec", "yahoo", "none"], ...] = Field(
        ("sec", "yahoo"), min_length=1, description="Sources of reported figures in their order, or none."
    )
    news_sources: tuple[Literal["google", "yahoo", "none"], ...] = Field(
        ("google", "yahoo"), min_length=1, description="Sources of news in their order, or none."
    )
    filing_sources: tuple[Literal["sec", "none"], ...] = Field(
        ("sec",), min_length=1, description="Sources of filings, or none."
    )
    sec_contact: str | None = Field(
        None,
        pattern=r"^[!-~][ -~]{2,199}$",
        description="Your e-mail address, which the SEC wants to know; without it, the SEC is not asked.",
    )
    yahoo_base_url: str = Field(
        "https://query2.finance.yahoo.com", pattern=r"^https?://", description="Where the chart endpoint is."
    )
    requests_at_once: int = Field(4, ge=1, le=16, description="Requests of one fetch task at the same time.")
    requests_per_second: float = Field(2.0, gt=0, le=100, description="Rate limit towards each host.")
    default_exchange: Exchange | None = Field(None, description="Exchange of symbols given without one.")
    base_currency: str | None = Field(
        None,
        pattern=r"^[A-Z]{3}$",
        description="Code, like INR, of the currency into which totals are converted.",
    )
    as_of: date | None = Field(None, description="Pretend that the desk's day is this one (for the sample).")
    queue_limit: int = Field(QUEUE_LIMIT, ge=1, description="Most queued tasks of one queue.")
    retention_days: int = Field(90, ge=1, description="Days for which finished tasks are kept.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Detail of the logs.")
    log_format: Literal["text", "json"] | None = Field(
        None, description="Form of the logs, text or json; else text on stderr and JSON in the file."
    )

    @property
    def session_deadline(self) -> timedelta:
        return timedelta(minutes=self.session_minutes)

    @property
    def zone(self) -> ZoneInfo | None:
        """None is the machine's own zone."""
        return None if self.timezone is None else ZoneInfo(self.timezone)

    @field_validator("timezone", mode="after")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        try:
            return None if value is None else ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # unknown, no name, a folder of zones
            raise ValueError("it is no IANA time zone; write one like Asia/Kolkata") from error

    @field_validator("price_sources", "fundamentals_sources", "news_sources", "filing_sources", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("default_exchange", "base_currency", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("claude_cli", mode="after")
    @classmethod
    def _expand_cli(cls, value: Path | None) -> Path | None:
        return value if value is None or is_bare_name(value) else absolute(value)

    @field_validator("home", "analyst_instructions", "prices_folder", mode="after")
    @classmethod
    def _expand_user(cls, value: Path | None) -> Path | None:
        return None if value is None else absolute(value)


def absolute(path: Path) -> Path:
    """The path without ~, from the root.

    Raises:
        ValueError: the ~ names no home folder.
    """
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:  # no such user, or no home
        raise ValueError("the ~ in it names no home folder; write the whole path") from error


def toml_path() -> Path:
    home = os.environ.get(f"{PREFIX}HOME")
    try:
        return (absolute(Path(home)) if home else default_home()) / TOML_NAME
    except ValueError as error:
        raise SettingsError(f"{PREFIX}HOME = {home!r} cannot be used: {error}.") from error


def require_known(environment: Mapping[str, str]) -> None:
    """Refuse a variable that looks like a setting and is none: misspelt, it would be ignored in silence.

    Raises:
        SettingsError: there is one; the message names it and the nearest setting.
    """
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    for variable, value in environment.items():
        name = variable.upper()
        # An empty one is as good as none, as for the known ones.
        if value and name.startswith(PREFIX) and name not in known:
            nearest = _nearest(name, known)
            raise SettingsError(
                f"{variable} is no setting; rename it (the nearest is {nearest}) or unset it."
            )


def _nearest(name: str, known: Sequence[str]) -> str:
    return get_close_matches(name, known, n=1, cutoff=0)[0]


def load_settings(**chosen: Any) -> Settings:
    """Read and check all settings; what is `chosen` here goes before every other origin.

    Raises:
        SettingsError: one of them cannot be used or is not known, or settings.toml cannot be read.
    """
    require_known(os.environ)
    in_environment, in_toml = _set_in(os.environ), _read_toml()
    if "home" in in_toml:
        raise SettingsError(
            f"home cannot be set in {toml_path()}, which lies in it; set {PREFIX}HOME instead."
        )
    try:
        return Settings.model_validate({**in_toml, **in_environment, **chosen})
    except ValidationError as error:
        raise SettingsError(" ".join(_explain(error, in_toml, in_environment))) from error


def _set_in(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The settings that have a variable; an empty one is as good as none."""
    values = {variable.upper(): value for variable, value in environment.items() if value}
    variables = {name: f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    return {name: values[variable] for name, variable in variables.items() if variable in values}


def _read_toml() -> Mapping[str, Any]:
    path = toml_path()
    try:
        return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error


def _explain(
    error: ValidationError, in_toml: Mapping[str, Any], in_environment: Mapping[str, str]
) -> Iterator[str]:
    # The first problem of a setting; what else pydantic says follows from it.
    problems = {str(problem["loc"][0]): problem for problem in reversed(error.errors())}
    for name, problem in problems.items():
        if problem["type"] == "extra_forbidden":
            nearest = _nearest(name, list(Settings.model_fields))
            yield f"{name!r} in {toml_path()} is no setting; rename it (the nearest is {nearest}) or remove it."
            continue
        in_file = name in in_toml and name not in in_environment
        where = f"{name} in {toml_path()}" if in_file else f"{PREFIX}{name.upper()}"
        yield f"{where} = {problem['input']!r} cannot be used: {problem['msg']}."


@dataclass(frozen=True, slots=True)
class SettingOrigin:
    variable: str
    value: str
    origin: str
    description: str


def list_settings(settings: Settings, environment: Mapping[str, str]) -> list[SettingOrigin]:
    """Every setting with its value and where that comes from: environment, settings.toml or default."""
    in_environment, in_toml = _set_in(environment), _read_toml()
    rows: list[SettingOrigin] = []
    for name, info in Settings.model_fields.items():
        origin = "environment" if name in in_environment else TOML_NAME if name in in_toml else "default"
        value = _show(getattr(settings, name))
        rows.append(SettingOrigin(f"{PREFIX}{name.upper()}", value, origin, info.description or ""))
    return rows


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType] (any element prints)
    return "" if value is None else str(value)
