"""Clients on the TypeScript SDK, of both its versions and so of both protocol eras, over stdio and over HTTP."""

import json
import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest

from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, desk_environment
from tests.hosts.serve_http import HttpServe

PROGRAM = Path(__file__).with_name("programs") / "typescript_client.mjs"
PACKAGES = {
    "v1": ("@modelcontextprotocol/sdk", "1.32.2"),
    "v2": ("@modelcontextprotocol/client", "2.4.0"),
}


Server: TypeAlias = Callable[[Path], AbstractContextManager[dict[str, Any]]]
"""Gives what a client needs to reach a server of the desk in a folder."""


class Conversation(NamedTuple):
    """`seen` is what the program printed; `logs` is what the servers that it started, or that it met, have logged."""

    seen: Mapping[str, Any]
    logs: str


@contextmanager
def over_stdio(folder: Path) -> Generator[dict[str, Any]]:
    yield {"command": str(STOCKDESK), "args": ["serve"], "env": desk_environment(folder)}


@contextmanager
def over_http(folder: Path) -> Generator[dict[str, Any]]:
    with HttpServe(desk_environment(folder)) as server:
        yield {"url": server.url, "headers": {"authorization": f"Bearer {server.token}"}}
        assert server.process.poll() is None


@pytest.fixture(scope="module", params=[over_stdio, over_http], ids=["stdio", "http"])
def server(request: pytest.FixtureRequest) -> Server:
    return request.param


@pytest.fixture(scope="module", params=PACKAGES)
def conversation(
    request: pytest.FixtureRequest,
    server: Server,
    tmp_path_factory: pytest.TempPathFactory,
    require_npm_package: Callable[[str, str], Path],
) -> Conversation:
    packages = require_npm_package(*PACKAGES[request.param])
    folder = tmp_path_factory.mktemp("typescript")
    # Node looks for packages beside the program.
    (folder / "node_modules").symlink_to(packages)
    (folder / PROGRAM.name).write_bytes(PROGRAM.read_bytes())
    with server(folder) as parameters:
        run = subprocess.run(
            ["node", folder / PROGRAM.name, request.param, json.dumps(parameters)],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
    assert run.returncode == 0, run.stderr
    logs = "".join(log.read_text("utf-8") for log in (folder / "desk" / "logs").iterdir())
    return Conversation(json.loads(run.stdout), logs)


def test_a_typescript_client_finds_tools_resources_and_prompts(conversation: Conversation) -> None:
    seen = conversation.seen
    assert {"enqueue_portfolio_review", "get_task", "clear_queue"} <= set(seen["tools"])
    assert {"stockdesk://status", "stockdesk://queues/ai_analysis"} <= set(seen["resources"])
    assert "stockdesk://verdicts/{symbol}" in seen["templates"]
    assert {"review_portfolio", "why_stuck"} <= set(seen["prompts"])


def test_a_typescript_client_sees_the_progress_of_a_run_for_which_it_waits(
    conversation: Conversation,
) -> None:
    progress = conversation.seen["progress"]
    steps = [each["progress"] for each in progress]
    assert steps == sorted(set(steps)) != []
    assert {each["total"] for each in progress} == {2}
    assert conversation.seen["run"]["finished"] is True


def test_a_typescript_client_reads_a_verdict_by_tool_and_as_a_resource(conversation: Conversation) -> None:
    [by_tool], [as_resource] = conversation.seen["verdicts"], conversation.seen["resource"]["verdicts"]
    assert (by_tool["stock"], by_tool["analyst"]) == ("NASDAQ:AAPL", "baseline")
    assert as_resource["thesis"] == by_tool["thesis"]
    assert as_resource["detail"]["evidence"]


def test_a_typescript_client_hears_that_a_resource_has_changed(conversation: Conversation) -> None:
    assert conversation.seen["updated"] == "stockdesk://status"


def test_a_request_that_a_typescript_client_cancels_leaves_its_task_queued(
    conversation: Conversation,
) -> None:
    assert "enough" in conversation.seen["cancelled"]
    assert conversation.seen["kept"] == "queued"


def test_a_typescript_client_is_asked_before_a_queue_is_cleared(conversation: Conversation) -> None:
    assert conversation.seen["question"] == "Cancel 1 queued task of data_fetcher?"
    assert len(conversation.seen["cleared"]) == 1


@pytest.mark.parametrize("server", [over_stdio], ids=["stdio"], indirect=True)
def test_the_server_ends_when_a_typescript_client_closes_its_stdin(conversation: Conversation) -> None:
    assert "Leaving on end of input; interrupted: nothing" in conversation.logs
