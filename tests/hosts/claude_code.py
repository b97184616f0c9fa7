"""Claude Code, the real CLI, as a client of a desk; scripts play its model, its user and the desk's sessions."""

import json
import subprocess
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from handlers.analyst.cli import find_cli
from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, desk_environment
from tests.standins.messages_api import SUBMIT, MessagesApi, Reply, Request, Says, Script, Stalls, submits_all

TOOLS = "mcp__stockdesk__"
ALLOWED = ("mcp__stockdesk", "ToolSearch", "ListMcpResourcesTool", "ReadMcpResourceTool")
STREAMED = ("--input-format", "stream-json", "--output-format", "stream-json", "--verbose")

Json = dict[str, Any]
Call = tuple[str, Json]


def load(*tools: str) -> Call:
    """Claude Code loads a tool when its model asks for it by name."""
    names = ",".join(f"{TOOLS}{tool}" for tool in tools)
    return "ToolSearch", {"query": f"select:{names}", "max_results": len(tools)}


def call(tool: str, **arguments: Any) -> Call:
    return f"{TOOLS}{tool}", arguments


def tool_results(request: Request) -> list[Json]:
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

    After its `calls` Claude Code's model waits until a session has begun, makes those of `then`, and ends its turn, or
    stalls.
    """

    calls: Sequence[Call]
    then: Sequence[Call] = ()
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
        if done >= len(self.calls):
            assert self.session_began.wait(PATIENCE_SECONDS)
        if left := [*self.calls, *self.then][done:]:
            return Says(calls=(left[0],))
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

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
        options = ["--mcp-config", ".mcp.json", "--strict-mcp-config", "--model", "claude-sonnet-4-5"]
        approved = ["--permission-mode", "dontAsk", "--allowedTools", *ALLOWED]
        return subprocess.Popen(
            [find_cli(), "-p", *arguments, *options, *approved],
            env=self.environment,
            cwd=self.folder,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self, prompt: str) -> str:
        """One turn that nobody attends; returns what the CLI printed."""
        with self.start(prompt) as process:
            output, _ = process.communicate(timeout=2 * PATIENCE_SECONDS)
        assert process.returncode == 0, output
        return output

    def talk(self, turns: Sequence[str], answers: Sequence[Json]) -> list[Json]:
        """What a person is shown who types these turns, one after another, and answers the forms in this order."""
        events: list[Json] = []
        next_turn, next_answer = map(_typed, turns), iter(answers)
        with self.start(*STREAMED, stdin=subprocess.PIPE) as process, _bound(process):
            assert process.stdin is not None
            assert process.stdout is not None
            _send(process.stdin, next(next_turn))
            for event in _events(process.stdout):
                events.append(event)
                match event:
                    case {"type": "control_request", "request": {"subtype": "elicitation"}}:
                        _send(process.stdin, _answered(event, next(next_answer)))
                    case {"type": "result"} if turn := next(next_turn, None):
                        _send(process.stdin, turn)
                    case {"type": "result"}:
                        process.stdin.close()
                    case _:
                        pass
        assert process.returncode == 0, events[-3:]
        return events


@contextmanager
def _bound(process: "subprocess.Popen[str]") -> Generator[None]:
    """Kill a CLI that hangs, so that the reading of its output ends."""
    timer = threading.Timer(2 * PATIENCE_SECONDS, process.kill)
    timer.start()
    yield
    timer.cancel()


def _events(lines: Iterable[str]) -> Iterator[Json]:
    yield from (
        json.loads(line) for line in lines if line.startswith("{")
    )  # the others are remarks on stderr


def _send(stdin: IO[str], message: Json) -> None:
    stdin.write(json.dumps(message) + "\n")
    stdin.flush()


def _typed(text: str) -> Json:
    return {"type": "user", "message": {"role": "user", "content": text}}


def _answered(request: Json, answer: Json) -> Json:
    response = {"subtype": "success", "request_id": request["request_id"], "response": answer}
    return {"type": "control_response", "response": response}
