"""The MCP Inspector as a client, with the entry that `stockdesk config inspector` prints, in both protocol eras."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, desk_environment

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

    def call(self, tool: str, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        pairs = ["--tool-arg", *arguments] if arguments else []
        ended = self.run("--method", "tools/call", "--tool-name", tool, *pairs)
        assert ended.returncode == exit_code, ended.stderr
        return json.loads(ended.stdout)


@pytest.fixture(params=["legacy", "modern"])
def inspector(
    request: pytest.FixtureRequest, tmp_path: Path, require_program: Callable[[str, str], Path]
) -> Inspector:
    program = require_program("mcp-inspector", INSTALL)
    version = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert version == VERSION, f"this is Inspector {version}; install it: {INSTALL}"
    entry = subprocess.run(
        [STOCKDESK, "config", "inspector"],
        env=desk_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"@{VERSION} " in entry.stderr  # the version that we print is the one that was tried
    config = tmp_path / "inspector.json"
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
