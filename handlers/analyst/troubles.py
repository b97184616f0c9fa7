"""What a task does when its session could not run to its own end: wait, hold the queue, or try again."""

from datetime import datetime, timedelta

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
SIGN_IN = "sign_in"  # the source of a hold that `stockdesk login` ends
RELEASE = "then call release_queue(ai_analysis) or run `stockdesk release ai_analysis`"


def waits_out_an_outage(task: Task) -> bool:
    """Whether this attempt, as it was claimed, is the last one, and not one of too many."""
    return task.attempt >= task.max_attempts and task.claim <= OUTAGE_CLAIMS


def trouble(ending: Ending, now: datetime, *, wait_out: bool = False) -> Outcome | None:
    """The outcome of an ending that is nobody's verdict; None where the session ran and its verdicts count.

    With `wait_out`, an outage of the API holds the queue instead of spending the attempt.
    """
    match ending:
        case Busy(text) if wait_out:
            return _outage(text, now)
        case UsageLimit():
            return _usage_limit(ending, now)
        case NotSignedIn() | BillingError() | UnknownModel():
            return _for_a_person(ending)
        case Busy() | LaunchFailed() | Died() | DeadlinePassed() | Interrupted():
            return Retry(_what_failed(ending))
        case Finished() | TurnsExhausted() | BudgetExhausted() | PromptTooLong():
            return None


def _outage(text: str, now: datetime) -> Snooze:
    until = now + OUTAGE_WAIT
    sentence = f"The Claude API keeps failing ({text}); the queue tries again at {until:%Y-%m-%d %H:%M} UTC."
    return Snooze(sentence, until, HoldRequest("claude_api", sentence, until))


def _for_a_person(ending: NotSignedIn | BillingError | UnknownModel) -> Snooze:
    match ending:
        case NotSignedIn(text):
            sentence = f"Claude is not signed in ({text}). Run `stockdesk login`, or set ANTHROPIC_API_KEY, {RELEASE}."
            return _held(SIGN_IN, sentence)
        case BillingError(text):
            return _held(
                "billing", f"Claude refuses for billing ({text}). Add credit to the account, {RELEASE}."
            )
        case UnknownModel(text):
            return _held(
                "model", f"Claude does not know the model ({text}). Correct STOCKDESK_MODEL, {RELEASE}."
            )


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
    return _held("claude_cli", f"{sentence.rstrip('.')}, {RELEASE}.")


def _usage_limit(ending: UsageLimit, now: datetime) -> Snooze:
    until = max(ending.resets_at or now + UNKNOWN_RESET, now + SHORTEST_WAIT)
    window = ending.window.replace("_", "-")
    sentence = f"Claude's {window} usage limit is used up; the queue goes on at {until:%Y-%m-%d %H:%M} UTC."
    return Snooze(sentence, until, HoldRequest("usage_limit", sentence, until))


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
