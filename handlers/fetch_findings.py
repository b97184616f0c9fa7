"""What became of one stock of a fetch, and how the task's result tells it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

from handlers.stocks import Stock
from queues.model import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """What came beside the prices: fundamentals, news or filings. Without a `source` none gave any.

    `passed_over` holds why sources before this one, or all, gave nothing; `note` what could not be made of what came.
    """

    kind: str
    source: str | None
    count: int = 0
    passed_over: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """`passed_over` holds why sources before this one gave nothing. `missing_sessions` have no price."""

    stock: Stock
    source: str
    newest: date
    passed_over: tuple[str, ...] = ()
    missing_sessions: int = 0
    extras: tuple[Extra, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    stock: Stock
    source: str
    newest: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """`is_final` where every source said that it has none; not where one was merely busy."""

    stock: Stock
    reason: str
    is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """At least one source could not answer now, and none gave prices."""

    stock: Stock
    reason: str
    retry_after: timedelta | None


Finding: TypeAlias = Fetched | Fresh | Missing | Busy


def status(finding: Finding) -> str:
    return type(finding).__name__.lower()


def result_of(findings: Sequence[Finding], benchmarks: Sequence[Finding]) -> JsonObject:
    """Counts by status, and a line for each stock; `benchmarks` only where this attempt asked for some."""
    statuses = [status(finding) for finding in findings]
    return {
        **{name: statuses.count(name) for name in ("fetched", "fresh", "missing")},
        "stocks": [_line(finding) for finding in findings],
        **({"benchmarks": [_line(finding) for finding in benchmarks]} if benchmarks else {}),
    }


def _line(finding: Finding) -> Json:
    line: dict[str, Json] = {"stock": str(finding.stock), "status": status(finding)}
    match finding:
        case Fetched():
            return {
                **line,
                "source": finding.source,
                "newest": finding.newest.isoformat(),
                **_said(passed_over=list(finding.passed_over), missing_sessions=finding.missing_sessions),
                **{extra.kind: _extra(extra) for extra in finding.extras},
            }
        case Fresh():
            return {**line, "source": finding.source, "newest": finding.newest.isoformat()}
        case Missing() | Busy():
            return {**line, "reason": finding.reason}


def _extra(extra: Extra) -> Json:
    return {
        "source": extra.source,
        "count": extra.count,
        **_said(passed_over=list(extra.passed_over), note=extra.note),
    }


def _said(**values: Json) -> dict[str, Json]:
    """Without what there is nothing to say of."""
    return {name: value for name, value in values.items() if value}
