"""What a task does when its session could not run to its own end: wait, hold the queue, or try again."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from handlers.analyst.ending import (
    BillingError,
    BudgetExhausted,
    Busy,
    DeadlinePassed,
    Died,
    Ending,
    Finished,
    Interrupted,
    LaunchFailed,
    NotSignedIn,
    PromptTooLong,
    TurnsExhausted,
    UnknownModel,
    UsageLimit,
)
from handlers.analyst.standing import BILLING, CLI, INSTRUCTIONS, MODEL, SIGN_IN
from handlers.day import dated
from queues.model import Task
from queues.outcome import HoldRequest, Outcome, Retry, Snooze

# When the API does not say when a usage window ends: the shortest window has five hours, so look every hour.
UNKNOWN_RESET = timedelta(hours=1)
# A reset that has already passed by this clock must not become a loop of refused sessions.
SHORTEST_WAIT = timedelta(minutes=1)
# After its own retries, a queue that is to run through the night waits out an outage: every ten minutes a try, for
# about five hours. Then it is this task rather than the API, and the others shall not wait for it.
OUTAGE_WAIT = timedelta(minutes=10)
OUTAGE_CLAIMS = 30
# All queues of one subscription shall not come back in the same second.
JITTER = (5.0, 60.0)
RELEASE = "then call release_queue(ai_analysis) or run `stockdesk release ai_analysis`"
RESTART = (
    "then restart what runs the queues, which ends this hold, or release it: `stockdesk release ai_analysis`"
)


def waits_out_an_outage(task: Task) -> bool:
    """Whether this attempt, as it was claimed, is the last one, and not one of too many."""
    return task.attempt >= task.max_attempts and task.claim <= OUTAGE_CLAIMS


def trouble(
    ending: Ending,
    now: datetime,
    *,
    wait_out: bool = False,
    zone: tzinfo | None = UTC,
    current: Mapping[str, str] | None = None,
    between: Callable[[float, float], float] = random.uniform,
) -> Outcome | None:
    """The outcome of an ending that is nobody's verdict; None where the session ran and its verdicts count.

    With `wait_out`, an outage of the API holds the queue instead of spending the attempt. Times are told in `zone`;
    `current` is what holds stand on, see `stands_on`.
    """
    match ending:
        case Busy(text) if wait_out:
            return _outage(text, now, zone)
        case UsageLimit():
            return _usage_limit(ending, now, zone, timedelta(seconds=between(*JITTER)))
        case NotSignedIn() | BillingError() | UnknownModel():
            return _for_a_person(ending, current or {})
        case Busy() | LaunchFailed() | Died() | DeadlinePassed() | Interrupted():
            return Retry(_what_failed(ending))
        case Finished() | TurnsExhausted() | BudgetExhausted() | PromptTooLong():
            return None


def _outage(text: str, now: datetime, zone: tzinfo | None) -> Snooze:
    until = now + OUTAGE_WAIT
    sentence = f"The Claude API keeps failing ({text}); the queue tries again at {dated(until, zone)}."
    return Snooze(sentence, None, HoldRequest("claude_api", sentence, until))


def _for_a_person(ending: NotSignedIn | BillingError | UnknownModel, current: Mapping[str, str]) -> Snooze:
    def source(name: str) -> str:
        return f"{name}={value}" if (value := current.get(name)) else name

    match ending:
        case NotSignedIn(text):
            sentence = (
                f"Claude is not signed in ({text}). Run `stockdesk login`, which ends this hold; or set"
                f" ANTHROPIC_API_KEY, {RESTART}."
            )
            return _held(source(SIGN_IN), sentence)
        case BillingError(text):
            sentence = (
                f"Claude refuses for billing ({text}). Add credit to the account, {RELEASE}; or sign in to another one"
                " by `stockdesk login`, which ends this hold."
            )
            return _held(source(BILLING), sentence)
        case UnknownModel(text):
            sentence = f"Claude does not know the model ({text}). Correct STOCKDESK_MODEL, {RESTART}."
            return _held(source(MODEL), sentence)


def _what_failed(ending: Busy | LaunchFailed | Died | DeadlinePassed | Interrupted) -> str:
    match ending:
        case Busy(text):
            return f"The Claude API failed: {text}"
        case LaunchFailed(stderr):
            return f"The Claude CLI did not run: {stderr}"
        case Died(why):
            return f"The Claude CLI died in mid-session: {why}"
        case DeadlinePassed():
            return "The Claude session did not end by its deadline (STOCKDESK_SESSION_MINUTES)."
        case Interrupted():
            return "The Claude session was stopped from outside."


def no_cli(sentence: str) -> Outcome:
    return _held(CLI, f"{sentence.rstrip('.')}, {RESTART}.")


def no_instructions(sentence: str) -> Outcome:
    return _held(INSTRUCTIONS, f"{sentence.rstrip('.')}, {RESTART}.")


def _usage_limit(ending: UsageLimit, now: datetime, zone: tzinfo | None, jitter: timedelta) -> Snooze:
    until = max(ending.resets_at or now + UNKNOWN_RESET, now + SHORTEST_WAIT) + jitter
    window = ending.window.replace("_", "-")
    sentence = f"Claude's {window} usage limit is used up; the queue goes on at {dated(until, zone)}."
    return Snooze(sentence, None, HoldRequest("usage_limit", sentence, until))


def _held(source: str, sentence: str) -> Snooze:
    return Snooze(sentence, None, HoldRequest(source, sentence))


def why_incomplete(ending: Ending) -> str:
    """The words for a session that ran and left verdicts open: "… without a verdict of NSE:INFY"."""
    match ending:
        case TurnsExhausted():
            return "The session used up its turns"
        case BudgetExhausted():
            return "The session used up its budget (STOCKDESK_SESSION_BUDGET_USD)"
        case PromptTooLong():
            return "The facts were too long for the model"
        case _:
            return "The session ended"
