"""How `stockdesk serve` ends while its client waits, hears of progress and is subscribed, in both protocol eras."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.handlers.claude import until
from tests.hosts.serve import Serve, desk_environment

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Watcher:
    """A client of one era, whose messages are written by hand."""

    def __init__(self, serve: Serve, era: str) -> None:
        self.serve = serve
        self.meta = MODERN if era == "2026-07-28" else {}
        if not self.meta:
            serve.initialize()

    def call(self, tool: str, **arguments: Any) -> None:
        asked = {"name": tool, "arguments": arguments, "_meta": self.meta}
        assert not self.serve.request("tools/call", asked)["result"].get("isError")

    def wait_for(self, task_id: str) -> None:
        arguments = {"task_id": task_id, "wait_seconds": 50}
        meta = self.meta | {"progressToken": "wait"}
        self.serve.send("tools/call", {"name": "get_task", "arguments": arguments, "_meta": meta})
        self.hear("notifications/progress")

    def subscribe(self, uri: str) -> None:
        if self.meta:
            wanted = {"resourceSubscriptions": [uri]}
            self.serve.send("subscriptions/listen", {"notifications": wanted, "_meta": self.meta})
            self.hear("notifications/subscriptions/acknowledged")
        else:
            self.serve.request("resources/subscribe", {"uri": uri})

    def hear(self, method: str) -> None:
        until(lambda: method in [message.get("method") for message in self.serve.messages()])


@pytest.mark.parametrize(
    ("era", "ending"),
    [
        ("2026-07-28", "SIGINT"),
        ("2026-07-28", "end of input"),
        ("2025-11-25", "SIGTERM"),
        ("2025-11-25", "end of input"),
    ],
)
def test_a_server_ends_in_peace_while_its_client_waits_hears_of_progress_and_is_subscribed(
    tmp_path: Path, era: str, ending: str
) -> None:
    with Serve(desk_environment(tmp_path)) as serve:
        watcher = Watcher(serve, era)
        watcher.subscribe("stockdesk://queues/ai_analysis")
        watcher.call("hold_queue", queue="ai_analysis", reason="Not now.")
        watcher.hear("notifications/resources/updated")
        watcher.call("enqueue_ai_analysis", symbols=["NASDAQ:AAPL"])
        watcher.wait_for("analysis-2")
        if ending == "end of input":
            serve.close_stdin()
        else:
            serve.process.send_signal(signal.Signals[ending])
        assert serve.ended() == 0
        assert f"Leaving on {ending}" in serve.stderr
        assert "Traceback" not in serve.stderr
