"""A key in the server's environment is in no answer, no line and no file of the desk, whatever echoes it."""

import json
from pathlib import Path
from typing import Any

import pytest

from handlers.stocks import Exchange, Stock
from tests.handlers.claude import until
from tests.hosts.serve import PATIENCE_SECONDS, Serve, desk_environment
from tests.server.desks import csv_of
from tests.standins.claude_scripts import always
from tests.standins.messages_api import Fails, MessagesApi, submits_all

AAPL, MSFT = Stock("AAPL", Exchange.NASDAQ), Stock("MSFT", Exchange.NASDAQ)
CANARY = "sk-ant-canary-0123456789abcdefghijklmnop"
# Found by its value, not only by its form.
SHAPELESS = "canary_0123456789_without_a_known_prefix"

CREDENTIALS = pytest.mark.parametrize(
    ("variable", "secret"),
    [("ANTHROPIC_API_KEY", CANARY), ("ANTHROPIC_AUTH_TOKEN", SHAPELESS), ("CLAUDE_CODE_OAUTH_TOKEN", CANARY)],
)


def start(folder: Path, api: MessagesApi, variable: str, secret: str, **settings: str) -> Serve:
    environment = desk_environment(folder, api.url, STOCKDESK_LOG_LEVEL="DEBUG", **settings)
    del environment["ANTHROPIC_API_KEY"]
    return Serve({**environment, variable: secret}).initialize()


def review(server: Serve) -> str:
    """Ask for a review and wait until its analysis was attempted or is held; returns its run."""
    run = server.call("enqueue_portfolio_review", csv_text=csv_of(AAPL, MSFT))["run_id"]

    def was_tried() -> bool:
        [task] = server.call("list_tasks", run_id=run, queue="ai_analysis")["tasks"] or [None]
        if task is None or task["state"] == "running":
            return False
        return task["attempt"] > 0 or (
            task["waiting_for"] is not None and task["waiting_for"]["on"] == "hold"
        )

    until(was_tried, PATIENCE_SECONDS)
    return run


def ask_every_tool(server: Serve, run: str) -> None:
    """Each tool once and each task in full; whether a tool refuses is all the same, its answer is kept."""
    tasks = [task["id"] for task in server.call("list_tasks", limit=50)["tasks"]]
    for task in tasks:
        server.call("get_task", task_id=task)
    arguments: dict[str, dict[str, Any]] = {
        "get_verdicts": {"full": True},
        "get_task": {"task_id": run},
        "cancel_tasks": {"run_id": run, "reason": "enough", "confirm": True},
        "retry_task": {"task_id": tasks[0]},
        "enqueue_data_fetch": {"symbols": ["NASDAQ:AAPL"]},
        "enqueue_ai_analysis": {"symbols": ["NASDAQ:AAPL"]},
        "enqueue_portfolio_sync": {"csv_text": csv_of(AAPL)},
    }
    for tool in server.request("tools/list", {})["result"]["tools"]:
        of_a_queue = {"queue": "ai_analysis"} if "queue" in tool["inputSchema"].get("required", []) else {}
        chosen = arguments.get(tool["name"], of_a_queue)
        answer = server.request("tools/call", {"name": tool["name"], "arguments": chosen})
        assert "validation error" not in json.dumps(answer), answer


def where_it_stands(secret: str, server: Serve, folder: Path) -> list[str]:
    """The places, of all that the server said and kept until its end, where the secret is found."""
    server.close_stdin()
    assert server.ended() == 0
    [log] = folder.glob("desk/logs/*.log")
    assert "The session ended as " in log.read_text("utf-8")
    said = {"answers": b"".join(server.lines), "stderr": b"".join(server.errors)}
    assert all(said.values())
    files = {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return [name for name, content in {**said, **files}.items() if secret.encode() in content]


@CREDENTIALS
def test_a_review_and_every_tool_tell_and_keep_no_key(tmp_path: Path, variable: str, secret: str) -> None:
    with MessagesApi(submits_all) as api, start(tmp_path, api, variable, secret) as server:
        ask_every_tool(server, review(server))
        verdicts = server.call("get_verdicts")["verdicts"]
        assert {each["stock"]: each["analyst"] for each in verdicts} == {
            str(AAPL): "claude",
            str(MSFT): "claude",
        }
        assert {secret in str(request.headers) for request in api.requests} == {True}
        assert where_it_stands(secret, server, tmp_path) == []


@CREDENTIALS
def test_a_cli_that_fails_and_prints_its_environment_tells_and_keeps_no_key(
    tmp_path: Path, variable: str, secret: str
) -> None:
    cli = tmp_path / "talkative"
    cli.write_text(f'#!/bin/sh\necho "it failed with {variable}=${variable}" >&2\nexit 1\n', encoding="utf-8")
    cli.chmod(0o755)
    with (
        MessagesApi() as api,
        start(tmp_path, api, variable, secret, STOCKDESK_CLAUDE_CLI=str(cli)) as server,
    ):
        ask_every_tool(server, review(server))
        assert f"it failed with {variable}=[hidden]" in b"".join(server.lines).decode()
        assert where_it_stands(secret, server, tmp_path) == []


@pytest.mark.parametrize("status", [400, 401, 403])
@CREDENTIALS
def test_an_api_that_repeats_the_key_in_its_error_makes_nobody_tell_it(
    tmp_path: Path, variable: str, secret: str, status: int
) -> None:
    echo = always(Fails(status, "invalid_request_error", f"the key {secret} is not liked here"))
    with MessagesApi(echo) as api, start(tmp_path, api, variable, secret) as server:
        ask_every_tool(server, review(server))
        assert api.requests
        assert "the key [hidden] is not liked here" in b"".join(server.lines).decode()
        assert where_it_stands(secret, server, tmp_path) == []
