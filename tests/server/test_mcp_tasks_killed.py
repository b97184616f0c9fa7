"""A real `stockdesk serve` that is killed after it answered with a handle."""

from pathlib import Path
from typing import Any

from server.mcp_tasks import TASKS
from tests.hosts.serve import Serve, desk_environment

# What every request of 2026-07-28 carries.
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}},
}


def ask(serve: Serve, method: str, **params: Any) -> dict[str, Any]:
    return serve.request(method, {**params, "_meta": META})["result"]


def test_a_handle_that_was_answered_is_good_after_its_server_was_killed(tmp_path: Path) -> None:
    environment = desk_environment(tmp_path)
    arguments: dict[str, Any] = {"symbols": ["AAPL", "MSFT"], "exchange": "NASDAQ"}
    with Serve(environment) as serve:
        handle = ask(serve, "tools/call", name="enqueue_ai_analysis", arguments=arguments)
        serve.process.kill()
        serve.ended()
    assert handle["resultType"] == "task"
    with Serve(environment) as serve:
        until = {"task_id": "fetch-1", "wait_seconds": 30, "wait_for": "run"}
        ask(serve, "tools/call", name="get_task", arguments=until)
        told = ask(serve, "tasks/get", taskId=handle["taskId"])
    assert (told["resultType"], told["status"]) == ("complete", "completed")
    assert told["statusMessage"].startswith("2 of 2 tasks completed, 2 of 2 stocks done.")
