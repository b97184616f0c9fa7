"""What the messages of a session tell: what it spent, and how it ended."""

import os
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    Message,
    RateLimitEvent,
    RateLimitInfo,
    ResultMessage,
    SystemMessage,
    ToolUseBlock,
)

from handlers.analyst.costs import Spent, note_spent
from handlers.analyst.ending import (
    BillingError,
    Busy,
    DeadlinePassed,
    Died,
    Ending,
    Finished,
    Interrupted,
    LaunchFailed,
    NotSignedIn,
    UnknownModel,
    UsageLimit,
    read_ending,
)
from handlers.analyst.options import TOOL_OF_THE_CLI
from handlers.analyst.secrets import redact
from handlers.analyst.usage import store_usage_window
from queues.database import Transaction
from queues.errors import StaleClaimError

STDERR_LINES = 40
# The CLI names no API key with these either, but a gateway or a cloud is paid, not a subscription.
PAID_ELSEWHERE = (
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_GATEWAY",
)


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
    answers: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    api_key: bool | None = None
    has_begun: bool = False
    has_news: bool = False
    last_answer: str | None = None
    handed_in: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    taken: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    def see(self, message: Message) -> None:
        self.has_begun = True
        match message:
            case AssistantMessage():
                self.error = None if message.error is None else str(message.error)
                if message.error is None and message.message_id is not None:
                    self._count(message.message_id, message.usage or {})
                    self._keep_calls(message.message_id, message)
            case SystemMessage(subtype="init", data=data):
                self.api_key = data.get("apiKeySource", "none") != "none" or is_paid_elsewhere()
            case RateLimitEvent():
                self.limit = message.rate_limit_info
                self.has_news = True
            case ResultMessage():
                self.result = message
                self.spent = spent_by(message, len(self.answers))
            case _:
                pass

    def _count(self, answer: str, usage: dict[str, Any]) -> None:
        """One answer arrives as a message per content block, each with the tokens so far."""
        read = sum(
            usage.get(kind) or 0
            for kind in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        )
        self.has_news = self.has_news or answer not in self.answers
        before = self.answers.get(answer, (0, 0))
        self.answers[answer] = (max(read, before[0]), max(usage.get("output_tokens") or 0, before[1]))
        self.spent = Spent(
            turns=len(self.answers),
            input_tokens=sum(read for read, _ in self.answers.values()),
            output_tokens=sum(written for _, written in self.answers.values()),
        )

    def _keep_calls(self, answer: str, message: AssistantMessage) -> None:
        if answer != self.last_answer:
            self.last_answer, self.handed_in = answer, []
        self.handed_in += [
            block.input
            for block in message.content
            if isinstance(block, ToolUseBlock) and block.name == TOOL_OF_THE_CLI
        ]

    @property
    def cut_off(self) -> list[dict[str, Any]]:
        """The calls of the last answer that did not arrive: the session ended before they were delivered."""
        ran_on = isinstance(self.ending, Finished)
        return [] if ran_on else [each for each in self.handed_in if each not in self.taken]

    @property
    def billing(self) -> str | None:
        """Who pays, known once the API has answered."""
        return None if not self.answers else "api" if self.api_key else "subscription"

    @property
    def is_at_least(self) -> bool:
        """Whether the end was not seen: what the API was doing then is paid for, but not in the numbers."""
        return self.has_begun and isinstance(self.ending, Interrupted | DeadlinePassed | Died)

    def news(self, session_id: str) -> Callable[[Transaction], None]:
        """A write of what has been told so far; until more is told there is nothing to write."""
        self.has_news = False
        spent, billing, limit = self.spent, self.billing, self.limit

        def write(tx: Transaction) -> None:
            note_spent(tx, session_id, spent, billing)
            if limit is not None:
                resets_at = None if limit.resets_at is None else datetime.fromtimestamp(limit.resets_at, UTC)
                window = str(limit.rate_limit_type or "usage")
                store_usage_window(tx, window, limit.status, limit.utilization, resets_at)

        return write

    def conclude(self) -> None:
        """Read the ending from a session that ran to its own end."""
        if self.result is None:
            self.break_off("it ended without a result")
        else:
            self.ending = read_ending(self.result, self.error, self.limit)

    def hear(self, line: str) -> None:
        """Keep a line of the CLI's stderr, which alone says why a launch failed."""
        self.stderr.append(redact(line)[:500])

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
        return type(self.ending).__name__, redact(detail)

    def break_off(self, why: str) -> None:
        """The CLI did not start or, once it has said something, died. Its own words go before `why`."""
        words = redact(" ".join((" · ".join(self.stderr) or why).split()))
        self.ending = Died(words) if self.has_begun else LaunchFailed(words)


def is_paid_elsewhere(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `environment`, which the CLI gets, leads to a gateway or a cloud that bills by tokens."""
    return any(
        environment.get(name, "").lower() not in {"", "0", "false", "no", "off"} for name in PAID_ELSEWHERE
    )


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
