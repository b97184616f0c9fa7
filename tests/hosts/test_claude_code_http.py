"""Claude Code, the real CLI, as a client of `stockdesk serve --http`."""

import shlex
import subprocess
from pathlib import Path

from handlers.analyst.cli import find_cli
from tests.hosts.serve import PATIENCE_SECONDS, desk_environment
from tests.hosts.serve_http import HttpServe


def test_the_line_that_a_first_start_prints_connects_claude_code(tmp_path: Path) -> None:
    (tmp_path / "claude").symlink_to(find_cli())
    environment = desk_environment(tmp_path) | {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }

    def run(*command: str) -> str:
        ended = subprocess.run(
            command,
            check=True,
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        return ended.stdout

    with HttpServe(environment) as serve:
        serve.wait_for_stderr("Claude Code: ")
        [line] = [line for line in serve.stderr.splitlines() if line.startswith("Claude Code: ")]
        run(*shlex.split(line.removeprefix("Claude Code: ")))
        assert "Connected" in run("claude", "mcp", "get", "stockdesk")
