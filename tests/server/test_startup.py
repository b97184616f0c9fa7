"""What a start does not wait for; a real process tells what it imports (`PYTHONPROFILEIMPORTTIME`).

Each of these takes tens of milliseconds, from every client that starts a server. The first fetch and the first
analysis import what they need in a thread; `rich` prints tables; `jsonschema` comes with Claude's SDK only.
"""

import subprocess
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from handlers.sources import opening
from server.desk import open_desk
from server.requests import request_fetch
from server.settings import Settings
from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, Serve, desk_environment, opened

ONLY_TASKS = {
    "httpx",
    "claude_agent_sdk",
    "jsonschema",
    "handlers.ai_analysis",
    "handlers.sources.yahoo",
}
LEADS = "This process leads"


def environment(folder: Path) -> dict[str, str]:
    """That of a user who has set nothing but the home: Claude judges, Yahoo gives prices."""
    usual = desk_environment(folder, PYTHONPROFILEIMPORTTIME="1")
    home = usual["STOCKDESK_HOME"]
    others = {name: value for name, value in usual.items() if not name.startswith("STOCKDESK_")}
    return others | {"STOCKDESK_HOME": home}


def imported(stderr: str) -> set[str]:
    """From lines like `import time:  123 |  456 |   package.module`, indented by who imported it."""
    lines = [line for line in stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_a_server_answers_without_what_only_tasks_and_tables_need(tmp_path: Path) -> None:
    with Serve(environment(tmp_path)) as serve:
        serve.wait_for_stderr(LEADS)
        serve.initialize().call("get_queue_status")
        serve.close_stdin()
        serve.ended()
        modules = imported(serve.stderr)
    assert "mcp.server.mcpserver" in modules
    assert modules.isdisjoint({*ONLY_TASKS, "rich"})
    assert not [
        module for module in modules if module.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))
    ]


def test_a_worker_leads_without_what_only_tasks_and_clients_need(tmp_path: Path) -> None:
    command = [STOCKDESK, "worker"]
    with subprocess.Popen(command, env=environment(tmp_path), stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        before = list(takewhile(lambda line: LEADS not in line, worker.stderr))
        assert worker.poll() is None, before
        worker.terminate()
    modules = imported("".join(before))
    assert "server.serving" in modules
    assert modules.isdisjoint({*ONLY_TASKS, "rich", "mcp", "opentelemetry.trace"})


@pytest.mark.parametrize(("command", "unneeded"), [("status", set[str]()), ("--version", {"apsw"})])
def test_a_command_that_only_looks_imports_no_server(
    tmp_path: Path, command: str, unneeded: set[str]
) -> None:
    with opened(tmp_path):
        ended = subprocess.run(
            [STOCKDESK, command],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=True,
        )
    modules = imported(ended.stderr)
    assert "server.cli" in modules
    assert modules.isdisjoint({*ONLY_TASKS, *unneeded, "mcp"})


async def test_the_first_fetch_opens_the_sources_for_all(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[Any]()
    really_open = opening.open_sources

    def open_sources(*names: Any, **chosen: Any) -> Any:
        opened.append(names)
        return really_open(*names, **chosen)

    monkeypatch.setattr(opening, "open_sources", open_sources)
    async with open_desk(settings, "test") as desk:
        assert not opened
        for symbol in ("AAPL", "MSFT"):
            await request_fetch(desk, symbols=[symbol], exchange="NASDAQ", force=True)
            await desk.manager.execute_queues()
    assert len(opened) == 1
