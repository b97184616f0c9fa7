"""Real clients find the desk where `stockdesk install` has put it, and start it from there."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from handlers.analyst.cli import find_cli
from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, desk_environment
from tests.hosts.test_inspector import INSTALL


@dataclass(frozen=True, slots=True)
class User:
    folder: Path

    def runs(self, *command: str | Path, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            command,
            env={
                **desk_environment(self.folder),
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                **variables,
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_claude_code_connects_to_the_desk_that_replaced_another_and_keeps_its_other_servers(
    user: User,
) -> None:
    private = user.folder / ".claude.json"
    before = {"notes": {"command": "notes"}, "stockdesk": {"command": "/old/stockdesk", "alwaysLoad": True}}
    private.write_text(json.dumps({"mcpServers": before}), "utf-8")
    user.runs(STOCKDESK, "install", "claude-code", "--yes")
    shown = user.runs(find_cli(), "mcp", "get", "stockdesk").stdout
    assert "Connected" in shown
    assert "User config" in shown
    servers = json.loads(private.read_text("utf-8"))["mcpServers"]
    assert (servers["notes"], servers["stockdesk"]["alwaysLoad"]) == (before["notes"], True)
    backup = private.with_name(".claude.json.backup-1")
    assert json.loads(backup.read_text("utf-8")) == {"mcpServers": before}

    assert "already there" in user.runs(STOCKDESK, "install", "claude-code").stdout
    user.runs(STOCKDESK, "install", "claude-code", "--uninstall")
    assert json.loads(private.read_text("utf-8"))["mcpServers"].keys() == {"notes"}


def test_what_the_cli_of_claude_code_refuses_ends_with_its_sentence_and_the_backup(user: User) -> None:
    (user.folder / ".claude.json").write_text("{}", "utf-8")
    cli = user.folder / "claude"
    cli.write_text("#!/bin/sh\necho no such command: add-json >&2; exit 3\n", "utf-8")
    cli.chmod(0o700)
    ended = user.runs(STOCKDESK, "install", "claude-code", STOCKDESK_CLAUDE_CLI=str(cli), code=1)
    assert ended.stderr == (
        "`claude mcp add-json` failed with exit code 3: no such command: add-json"
        f" The file as it was is {user.folder}/.claude.json.backup-1.\n"
    )


def test_the_inspector_lists_the_tools_of_the_desk_in_its_catalog(
    user: User, require_program: Callable[[str, str], Path]
) -> None:
    program = require_program("mcp-inspector", INSTALL)
    user.runs(STOCKDESK, "install", "inspector")
    arguments = ["--cli", "--server", "stockdesk", "--method", "tools/list"]
    listed = user.runs(program, *arguments, PATH=os.environ["PATH"])  # it needs node
    assert "get_queue_status" in [tool["name"] for tool in json.loads(listed.stdout)["tools"]]
