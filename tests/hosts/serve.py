"""A real `stockdesk serve` in a folder of its own, spoken to line by line, so that nothing it writes is lost."""

import json
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from queues.database import Database, Transaction, Work
from queues.inspection import attempts_of
from queues.model import Attempt, Task
from queues.store import find_task
from server.desk import migrations

STOCKDESK = Path(sys.executable).parent / "stockdesk"
# Longer than anything here takes on a busy machine; whoever waits this long has found a hang.
PATIENCE_SECONDS = 30.0
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "tests", "version": "1"},
}

T = TypeVar("T")


def desk_environment(folder: Path, api_url: str | None = None, **settings: str) -> dict[str, str]:
    """All that a desk in `folder` needs, and nothing of whoever runs the tests.

    Prices are the bundled sample's; Claude's API is at `api_url`, without one the analyst is the baseline.
    """
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "STOCKDESK_HOME": str(folder / "desk"),
        "STOCKDESK_PRICE_SOURCES": "sample",
        "STOCKDESK_AS_OF": "2022-12-28",
        "STOCKDESK_ANALYST": "claude" if api_url else "baseline",
    }
    if api_url is not None:
        environment |= {
            "CLAUDE_CONFIG_DIR": str(folder / ".claude"),
            "ANTHROPIC_BASE_URL": api_url,
            "ANTHROPIC_API_KEY": "dummy",
        }
    return environment | settings


class Serve:
    """One server process and its only client. `lines` is all of its stdout so far, `errors` its stderr."""

    def __init__(
        self, environment: Mapping[str, str], cwd: Path = Path("/"), options: Sequence[str] = ()
    ) -> None:
        self.lines: list[bytes] = []
        self.errors: list[bytes] = []
        self._came = threading.Condition()
        self._ids = iter(range(1, sys.maxsize))
        self.process = subprocess.Popen(
            [STOCKDESK, "serve", *options],
            env=environment,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.errors), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe: Any, lines: list[bytes]) -> None:
        for line in pipe:
            with self._came:
                lines.append(line)
                self._came.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()

    def write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def send(self, method: str, params: Mapping[str, Any]) -> int:
        """Send a request without waiting for its answer; returns its id."""
        number = next(self._ids)
        self.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode())
        return number

    def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The whole answer, with `result` or `error`."""
        number = self.send(method, params)
        found: list[dict[str, Any]] = []

        def has_come() -> bool:
            found.extend(message for message in self.messages() if message.get("id") == number)
            return bool(found)

        with self._came:
            assert self._came.wait_for(has_come, PATIENCE_SECONDS), f"no answer to {method}: {self.errors}"
        return found[0]

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def initialize(self) -> Self:
        self.request("initialize", INITIALIZE)
        self.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        return self

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What the tool answers; fails where that is an error."""
        answer = self.request("tools/call", {"name": tool, "arguments": arguments})
        assert not answer["result"].get("isError"), answer
        return answer["result"]["structuredContent"]

    def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ended(self) -> int:
        """Wait for its end; returns the exit code, negative for a signal."""
        code = self.process.wait(PATIENCE_SECONDS)
        for reader in self._readers:
            reader.join()
        return code

    @property
    def stderr(self) -> str:
        return b"".join(self.errors).decode()

    def wait_for_stderr(self, words: str) -> None:
        with self._came:
            assert self._came.wait_for(lambda: words in self.stderr, PATIENCE_SECONDS), self.stderr


@contextmanager
def opened(folder: Path) -> Generator[Database]:
    """The database of the desk in `folder`, made if there is none."""
    (folder / "desk").mkdir(exist_ok=True)
    database = Database(folder / "desk" / "stockdesk.db", migrations())
    try:
        yield database
    finally:
        database.close()


def look(folder: Path, work: Work[T]) -> T:
    with opened(folder) as database:
        return database.read_now(work)


def task_and_history(folder: Path, task_id: str) -> tuple[Task, list[Attempt]]:
    def read(tx: Transaction) -> tuple[Task, list[Attempt]]:
        task = find_task(tx, task_id)
        return task, attempts_of(tx, task)

    return look(folder, read)
