"""How a Claude session can end: a closed set, read from the CLI's messages.

An API failure arrives as `ResultMessage(subtype='success', is_error=True)`: what counts is `is_error`, then
`terminal_reason`, the error of the last assistant message, and the rate-limit event before it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from claude_agent_sdk import RateLimitInfo, ResultMessage

from handlers.analyst.secrets import redact


@dataclass(frozen=True, slots=True)
class Finished:
    """The model ended its turn. It may still owe a verdict."""


@dataclass(frozen=True, slots=True)
class TurnsExhausted:
    pass


@dataclass(frozen=True, slots=True)
class BudgetExhausted:
    pass


@dataclass(frozen=True, slots=True)
class UsageLimit:
    """A subscription's window is used up; `window` is its name (five_hour, seven_day, …)."""

    resets_at: datetime | None
    window: str


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    text: str


@dataclass(frozen=True, slots=True)
class BillingError:
    text: str


@dataclass(frozen=True, slots=True)
class UnknownModel:
    text: str


@dataclass(frozen=True, slots=True)
class PromptTooLong:
    pass


@dataclass(frozen=True, slots=True)
class Busy:
    """The API failed for now: 429, 5xx, no connection, no answer."""

    text: str


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    pass


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The desk stopped it: cancelled, shut down, or its attempt was ended elsewhere."""


@dataclass(frozen=True, slots=True)
class LaunchFailed:
    """The CLI did not start; `stderr` holds its last lines."""

    stderr: str


@dataclass(frozen=True, slots=True)
class Died:
    """The CLI ended in mid-session, without a result; `why` holds what it or the system said, in one line."""

    why: str


Ending: TypeAlias = (
    Finished
    | TurnsExhausted
    | BudgetExhausted
    | UsageLimit
    | NotSignedIn
    | BillingError
    | UnknownModel
    | PromptTooLong
    | Busy
    | DeadlinePassed
    | Interrupted
    | LaunchFailed
    | Died
)


def read_ending(result: ResultMessage, error: str | None, limit: RateLimitInfo | None) -> Ending:
    """`error` is the last assistant message's, `limit` the last rate-limit event's."""
    reason = result.terminal_reason
    if reason == "max_turns" or result.subtype == "error_max_turns":
        return TurnsExhausted()
    if reason == "budget_exhausted" or result.subtype == "error_max_budget_usd":
        return BudgetExhausted()
    if not result.is_error:
        return Finished()
    if reason == "prompt_too_long":
        return PromptTooLong()
    return _api_failure(result, error, limit)


def _api_failure(result: ResultMessage, error: str | None, limit: RateLimitInfo | None) -> Ending:
    said = result.result or "; ".join(result.errors or []) or "the session failed without a word"
    text = redact(said).strip()
    if error == "rate_limit" and limit is not None and limit.status == "rejected":
        resets_at = None if limit.resets_at is None else datetime.fromtimestamp(limit.resets_at, UTC)
        return UsageLimit(resets_at, str(limit.rate_limit_type or "usage"))
    match error:
        case "authentication_failed":
            return NotSignedIn(text)
        case "billing_error":
            return BillingError(text)
        case "model_not_found":
            return UnknownModel(text)
        case _:
            return Busy(text)
