"""Claude Code, the real CLI, as a client of `stockdesk serve`; its model, and the desk's sessions, are scripted."""

import json
import shlex
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from handlers.analyst.cli import find_cli
from queues.leader import lock_path
from queues.lifecycle import find_leader
from queues.model import TaskState
from tests.handlers.claude import is_alive, launched_pid, until
from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, desk_environment, opened, task_and_history
from tests.standins.claude_scripts import always
from tests.standins.messages_api import SUBMIT, MessagesApi, Reply, Request, Says, Script, Stalls, submits_all

TOOLS = "mcp__stockdesk__"
ENQUEUE = (f"{TOOLS}enqueue_ai_analysis", {"symbols": ["AAPL", "MSFT"], "exchange": "NASDAQ"})
# Claude Code loads a tool when its model asks for it by name.
LOAD = (
    "ToolSearch",
    {
        "query": f"select:{TOOLS}enqueue_ai_analysis,{TOOLS}get_task,{TOOLS}get_verdicts",
        "max_results": 5,
    },
)
VERDICTS = (f"{TOOLS}get_verdicts", {"symbols": ["NASDAQ:AAPL"], "full": True})
WAIT = (f"{TOOLS}get_task", {"task_id": "analysis-2", "wait_seconds": 50, "wait_for": "run"})
UNKNOWN = (f"{TOOLS}get_task", {"task_id": "no-1"})


def tool_results(request: Request) -> list[dict[str, Any]]:
    """What the tools have answered so far, as the model is shown it."""
    blocks = [
        block
        for message in request.body["messages"]
        for block in message["content"]
        if message["role"] == "user"
    ]
    return [block for block in blocks if not isinstance(block, str) and block["type"] == "tool_result"]


@dataclass(slots=True)
class TwoModels:
    """Claude Code's model makes one call a turn; the desk's sessions, told apart by their tool, have their own script.

    After its last call Claude Code's model waits until a session has begun, then ends its turn, or stalls.
    """

    calls: Sequence[tuple[str, dict[str, Any]]]
    session: Script = submits_all
    stalls_at_last: bool = False
    outer: list[Request] = field(default_factory=list[Request])
    inner: list[Request] = field(default_factory=list[Request])
    session_began: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: Request) -> Reply:
        if SUBMIT in request.tool_names:
            self.inner.append(request)
            self.session_began.set()
            return self.session(request)
        self.outer.append(request)
        done = len(tool_results(request))
        if done < len(self.calls):
            return Says(calls=(self.calls[done],))
        assert self.session_began.wait(PATIENCE_SECONDS)
        return Stalls() if self.stalls_at_last else Says("That is all.")


class ClaudeCode:
    """`claude -p` in a project whose .mcp.json is what `stockdesk config claude-code` prints."""

    def __init__(self, folder: Path, models: TwoModels) -> None:
        self.folder = folder
        self.models = models
        self.api = MessagesApi(models)
        settings = desk_environment(folder, self.api.url)
        entry = subprocess.run(
            [STOCKDESK, "config", "claude-code"], env=settings, capture_output=True, text=True, check=True
        )
        (folder / ".mcp.json").write_text(entry.stdout, encoding="utf-8")
        # The desk's settings come from the entry alone.
        self.environment = {
            name: value for name, value in settings.items() if not name.startswith("STOCKDESK_")
        } | {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}

    def start(self) -> "subprocess.Popen[str]":
        options = ["--mcp-config", ".mcp.json", "--strict-mcp-config", "--model", "claude-sonnet-4-5"]
        approved = ["--permission-mode", "dontAsk", "--allowedTools", "mcp__stockdesk", "ToolSearch"]
        return subprocess.Popen(
            [find_cli(), "-p", "Please look at Apple and Microsoft.", *options, *approved],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClaudeCode]:
    """A whole conversation: the desk analyses two stocks while Claude Code waits, and shows the verdicts."""
    host = ClaudeCode(
        tmp_path_factory.mktemp("claude code"), TwoModels([LOAD, ENQUEUE, WAIT, VERDICTS, UNKNOWN])
    )
    with host.api, host.start() as process:
        output, _ = process.communicate(timeout=2 * PATIENCE_SECONDS)
        assert process.returncode == 0, output
        assert "That is all." in output
        yield host


def test_the_model_sees_at_first_the_tools_names_and_the_instructions(conversation: ClaudeCode) -> None:
    shown = conversation.models.outer[0].text_of("user")
    for tool in ("enqueue_portfolio_review", "get_queue_status", "get_portfolio", "release_queue"):
        assert f"{TOOLS}{tool}\n" in shown
    assert "Stockdesk reviews a stock portfolio in the background." in shown
    assert "enqueue it only when asked" in shown


def test_the_model_sees_a_loaded_tools_description_and_bounds(conversation: ClaudeCode) -> None:
    tools = {tool["name"]: tool for tool in conversation.models.outer[1].body["tools"]}
    get_task = tools[f"{TOOLS}get_task"]
    assert get_task["description"].startswith("Show one task with all its attempts")
    assert get_task["input_schema"]["properties"]["wait_seconds"]["maximum"] == 50


def test_the_model_sees_a_tools_structured_content(conversation: ClaudeCode) -> None:
    _, enqueued, waited, verdicts, _ = tool_results(conversation.models.outer[-1])
    assert '"sessions":1,"task_ids":["fetch-1","analysis-2"]' in enqueued["content"]
    assert '"stocks_done":2' in waited["content"]
    answer, _ = json.JSONDecoder().raw_decode(verdicts["content"])  # Claude Code appends a remark
    [verdict] = answer["verdicts"]
    assert (verdict["stock"], verdict["analyst"]) == ("NASDAQ:AAPL", "claude")
    [prompted] = [each for each in conversation.models.inner[0].stocks if each["stock"] == "NASDAQ:AAPL"]
    assert verdict["detail"]["evidence"][0]["value"] == prompted["facts"][0]["value"]


def test_the_model_sees_the_sentence_of_a_refused_call(conversation: ClaudeCode) -> None:
    refused = tool_results(conversation.models.outer[-1])[-1]
    assert refused["is_error"] is True
    assert "There is no task 'no-1'; list_tasks shows the ids." in refused["content"]


def test_the_desks_own_session_knows_nothing_of_the_one_around_it(conversation: ClaudeCode) -> None:
    for request in conversation.models.inner:
        assert not [name for name in request.tool_names if name.startswith(TOOLS)]
        assert "Please look at Apple" not in json.dumps(request.body)
    assert len(conversation.models.inner) == 2  # it submits, and ends


@pytest.mark.parametrize("killed", [False, True], ids=["ends", "is killed"])
def test_when_claude_code_ends_in_mid_session_the_task_loses_no_attempt(
    tmp_path: Path, *, killed: bool
) -> None:
    models = TwoModels([LOAD, ENQUEUE], session=always(Stalls()), stalls_at_last=killed)
    host = ClaudeCode(tmp_path, models)
    with host.api, host.start() as process:
        assert models.session_began.wait(PATIENCE_SECONDS)
        cli = launched_pid(tmp_path / "desk" / "sessions")
        if killed:
            process.kill()
        process.wait(PATIENCE_SECONDS)

    with opened(tmp_path) as database:

        def server_ended() -> bool:
            leader = database.read_now(lambda tx: find_leader(tx, lock_path(database.path)))
            return leader is not None and not is_alive(leader.pid)

        until(server_ended)
    assert not is_alive(cli)
    task, history = task_and_history(tmp_path, "analysis-2")
    assert (task.state, task.attempt) == (TaskState.QUEUED, 0)
    assert [attempt.outcome for attempt in history] == ["interrupted"]


def test_the_line_that_adds_the_server_to_claude_code_works_as_it_is_printed(tmp_path: Path) -> None:
    (tmp_path / "claude").symlink_to(find_cli())
    environment = desk_environment(tmp_path, STOCKDESK_HOME=str(tmp_path / "the desk's home")) | {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )

    advice = run(STOCKDESK, "config", "claude-code").stderr
    run(*shlex.split(advice.partition("run: ")[2]))
    shown = run("claude", "mcp", "get", "stockdesk").stdout
    assert "Connected" in shown
    assert f"STOCKDESK_HOME={tmp_path}/the desk's home" in shown
