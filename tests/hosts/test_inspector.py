"""The MCP Inspector as a client, with the entry that `stockdesk config inspector` prints, in both protocol eras."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handlers.analysis_task import analysis_task
from handlers.stocks import Exchange, Stock
from queues.clock import system_clock
from queues.store import enqueue
from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, desk_environment, opened

VERSION = "2.12.0"
INSTALL = f"npm install --global @modelcontextprotocol/inspector@{VERSION}"
# Its own exit code for a tool's error; 0 is success.
TOOL_ERROR = 5


@dataclass(frozen=True, slots=True)
class Inspector:
    """Each call is a run of the Inspector, which starts the server, asks one thing and ends it."""

    program: Path
    config: Path
    era: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        entry = ["--config", str(self.config), "--server", "stockdesk", "--protocol-era", self.era]
        return subprocess.run(
            [self.program, "--cli", *entry, *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.config.parent)},  # it needs node
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    def ask(self, method: str, *arguments: str) -> dict[str, Any]:
        ended = self.run("--method", method, *arguments)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def call(self, tool: str, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        pairs = ["--tool-arg", *arguments] if arguments else []
        ended = self.run("--method", "tools/call", "--tool-name", tool, *pairs)
        assert ended.returncode == exit_code, ended.stderr
        return json.loads(ended.stdout)


@pytest.fixture(scope="module", params=["legacy", "modern"])
def inspector(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    require_program: Callable[[str, str], Path],
) -> Inspector:
    folder = tmp_path_factory.mktemp(request.param)
    program = require_program("mcp-inspector", INSTALL)
    version = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert version == VERSION, f"this is Inspector {version}; install it: {INSTALL}"
    entry = subprocess.run(
        [STOCKDESK, "config", "inspector"],
        env=desk_environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"@{VERSION} " in entry.stderr  # the version that we print is the one that was tried
    config = folder / "inspector.json"
    config.write_text(entry.stdout, encoding="utf-8")
    return Inspector(program, config, request.param)


def test_the_inspector_lists_the_tools_and_finds_no_error_in_their_schemas(inspector: Inspector) -> None:
    listed = inspector.run("--method", "tools/list", "--strict")
    assert listed.returncode == 0, listed.stderr
    tools = {tool["name"]: tool for tool in json.loads(listed.stdout)["tools"]}
    assert {"enqueue_portfolio_review", "get_queue_status", "get_task", "clear_queue"} <= tools.keys()
    assert tools["clear_queue"]["annotations"]["destructiveHint"] is True
    assert all(tool["outputSchema"]["type"] == "object" for tool in tools.values())


def test_what_the_inspector_enqueues_is_there_when_it_comes_again(inspector: Inspector) -> None:
    enqueued = inspector.call("enqueue_ai_analysis", 'symbols=["AAPL", "MSFT"]', "exchange=NASDAQ")
    run_id = enqueued["structuredContent"]["run_id"]
    detail = inspector.call("get_task", f"task_id={run_id}", "wait_seconds=20", "wait_for=run")
    assert detail["structuredContent"]["run"]["stocks_done"] == 2


def test_the_inspector_shows_the_sentence_of_a_refused_call(inspector: Inspector) -> None:
    refused = inspector.call("get_task", "task_id=no-1", exit_code=TOOL_ERROR)
    assert "There is no task 'no-1'; list_tasks shows the ids." in refused["content"][0]["text"]


def test_the_inspector_lists_and_sends_the_prompts(inspector: Inspector) -> None:
    listed = inspector.ask("prompts/list")["prompts"]
    assert [prompt["title"] for prompt in listed][:2] == ["Review my portfolio", "Explain this verdict"]
    [message] = inspector.ask(
        "prompts/get", "--prompt-name", "review_portfolio", "--prompt-args", "path=~/a file.csv"
    )["messages"]
    assert '"path": "~/a file.csv"' in message["content"]["text"]


def test_the_inspector_lists_and_reads_the_resources(inspector: Inspector) -> None:
    listed = {resource["uri"] for resource in inspector.ask("resources/list")["resources"]}
    assert {"stockdesk://status", "stockdesk://portfolio", "stockdesk://queues/ai_analysis"} <= listed
    [content] = inspector.ask("resources/read", "--uri", "stockdesk://queues/data_fetcher")["contents"]
    assert json.loads(content["text"])["queue"] == "data_fetcher"


def test_the_inspector_which_shows_no_forms_clears_a_queue_by_an_argument_only(inspector: Inspector) -> None:
    waits = replace(analysis_task([Stock("KO", Exchange.NYSE)]), due_at=system_clock() + timedelta(days=1))
    with opened(inspector.config.parent) as database:
        [enqueued] = database.write_now(lambda tx: enqueue(tx, [waits]))
    unconfirmed = inspector.call("clear_queue", "queue=ai_analysis", exit_code=TOOL_ERROR)
    assert "Cancel 1 queued task of ai_analysis?" in unconfirmed["content"][0]["text"]
    cleared = inspector.call("clear_queue", "queue=ai_analysis", "confirm=true")
    assert cleared["structuredContent"]["cancelled"] == [enqueued.task.id]
