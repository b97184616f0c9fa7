"""How a session is set up: the settings of the desk, the options of the CLI, and its one tool."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal, TypeAlias

from claude_agent_sdk import ClaudeAgentOptions, SdkMcpTool, create_sdk_mcp_server, tool

from handlers.analyst.limits import API_TIMEOUT, DAILY_BUDGET_USD, SESSION_BUDGET_USD, SESSION_DEADLINE
from handlers.analyst.observing import NOBODY, SessionObserver
from handlers.analyst.prompt import Instructions
from handlers.analyst.submissions import MAX_REFUSALS, Answer
from handlers.verdict import submission_schema

SERVER, TOOL = "desk", "submit_verdict"
TOOL_OF_THE_CLI = f"mcp__{SERVER}__{TOOL}"  # as it names a tool of a server

Submit: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalystSettings:
    """Who judges unless a task says otherwise, and how Claude's sessions run.

    `folder` is the home's own: it holds the lock that keeps two sessions apart, and an empty working directory
    per session. `cli` overrides the bundled CLI, `instructions` the analyst's. `zone` is
    that of the day of the budget and of the times that people read; None is the machine's. Credentials come from the
    environment.
    """

    analyst: Literal["claude", "baseline"]
    model: str
    folder: Path
    cli: Path | None = None
    instructions: Path | None = None
    deadline: timedelta = SESSION_DEADLINE
    budget_usd: float = SESSION_BUDGET_USD
    api_timeout: timedelta = API_TIMEOUT
    daily_budget_usd: float = DAILY_BUDGET_USD
    zone: tzinfo | None = UTC
    observer: SessionObserver = NOBODY

    @property
    def lock_file(self) -> Path:
        return self.folder / "claude.lock"


def max_turns(stocks: int) -> int:
    """Round trips that a session may take: 8 for two stocks, 11 for three.

    Each stock alone in a turn, with two submissions at most, for the second refusal settles it; one more per stock for
    calls that count for none (of no stock of the batch, or against the tool's schema); one turn to end, one to spare.
    """
    return stocks * (1 + MAX_REFUSALS) + 2


def submit_tool(submit: Submit) -> SdkMcpTool[Any]:
    @tool(
        TOOL, "Submit the verdict of one stock. Call it once for each stock of the data.", submission_schema()
    )
    async def submit_verdict(arguments: dict[str, Any]) -> dict[str, Any]:
        answer = await submit(arguments)
        return {"content": [{"type": "text", "text": answer.text}], "is_error": answer.is_error}

    return submit_verdict


def session_options(
    settings: AnalystSettings,
    instructions: Instructions,
    *,
    session_id: str,
    stocks: int,
    cwd: Path,
    launcher: Path,
    submit: Submit,
    on_stderr: Callable[[str], None],
) -> ClaudeAgentOptions:
    """No built-in tool, no settings, hooks, memories or MCP servers of the user, no transcript on disk."""
    return ClaudeAgentOptions(
        tools=[],
        mcp_servers={SERVER: create_sdk_mcp_server(SERVER, tools=[submit_tool(submit)])},
        allowed_tools=[TOOL_OF_THE_CLI],
        permission_mode="dontAsk",
        setting_sources=[],
        strict_mcp_config=True,
        verbatim_prompts=True,  # else the CLI would expand an "@path" or a "/command" inside the data
        system_prompt=instructions.text,
        model=settings.model,
        max_turns=max_turns(stocks),
        max_budget_usd=settings.budget_usd,
        session_id=session_id,
        cwd=cwd,
        cli_path=launcher,
        stderr=on_stderr,
        max_buffer_size=8 << 20,
        env={
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
            "API_TIMEOUT_MS": str(int(settings.api_timeout.total_seconds() * 1000)),
        },
        extra_args={"no-session-persistence": None},
    )
