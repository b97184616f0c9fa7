"""What the messages of a session tell: what it spent, and how it ended."""

from collections import deque
from dataclasses import dataclass, field

from claude_agent_sdk import AssistantMessage, Message, RateLimitEvent, RateLimitInfo, ResultMessage

from handlers.analyst.costs import Spent
from handlers.analyst.ending import (
    BillingError,
    Busy,
    Died,
    Ending,
    Interrupted,
    LaunchFailed,
    NotSignedIn,
    UnknownModel,
    UsageLimit,
    read_ending,
)
from queues.errors import StaleClaimError

STDERR_LINES = 40


@dataclass(slots=True)
class Watch:
    """What the messages of a session have told so far."""

    ending: Ending = field(default_factory=Interrupted)
    spent: Spent = field(default_factory=Spent)
    result: ResultMessage | None = None
    error: str | None = None
    limit: RateLimitInfo | None = None
    stderr: deque[str] = field(default_factory=lambda: deque(maxlen=STDERR_LINES))
    lost: StaleClaimError | None = None
    answers: set[str] = field(default_factory=set[str])
    has_begun: bool = False

    def see(self, message: Message) -> None:
        self.has_begun = True
        match message:
            case AssistantMessage():
                self.error = None if message.error is None else str(message.error)
                if message.error is None and message.message_id is not None:
                    self.answers.add(message.message_id)  # one answer arrives as a message per content block
            case RateLimitEvent():
                self.limit = message.rate_limit_info
            case ResultMessage():
                self.result = message
                self.spent = spent_by(message, len(self.answers))
            case _:
                pass

    def conclude(self) -> None:
        """Read the ending from a session that ran to its own end."""
        if self.result is None:
            self.break_off("it ended without a result")
        else:
            self.ending = read_ending(self.result, self.error, self.limit)

    def hear(self, line: str) -> None:
        """Keep a line of the CLI's stderr, which alone says why a launch failed."""
        self.stderr.append(line[:500])

    @property
    def ending_in_words(self) -> tuple[str, str]:
        """The ending's name, and what the CLI or the API said of it."""
        match self.ending:
            case NotSignedIn(text) | BillingError(text) | UnknownModel(text) | Busy(text):
                detail = text
            case LaunchFailed(text) | Died(text):
                detail = text
            case UsageLimit(resets_at, window):
                detail = f"{window}, resets at {resets_at}"
            case _:
                detail = ""
        return type(self.ending).__name__, detail

    def break_off(self, why: str) -> None:
        """The CLI did not start or, once it has said something, died. Its own words go before `why`."""
        words = " ".join((" · ".join(self.stderr) or why).split())
        self.ending = Died(words) if self.has_begun else LaunchFailed(words)


def spent_by(result: ResultMessage, answers: int) -> Spent:
    """Over all turns and models; input includes what was read from or written to the prompt cache.

    Turns are counted by `answers`: the CLI's own number counts tool calls that share a turn.
    """
    usage = (result.model_usage or {}).values()
    return Spent(
        turns=answers,
        input_tokens=sum(
            each["inputTokens"] + each["cacheReadInputTokens"] + each["cacheCreationInputTokens"]
            for each in usage
        ),
        output_tokens=sum(each["outputTokens"] for each in usage),
        cost_usd=result.total_cost_usd,
    )
