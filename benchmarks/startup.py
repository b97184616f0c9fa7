"""How long a client waits for the server. `.venv/bin/python benchmarks/startup.py`

Starts `stockdesk serve`, in a home that exists already and in a fresh one, and a server that is nothing but an
`MCPServer` of the same SDK with one tool. A client that only writes and reads lines opens each in both eras of the
protocol: 2025-11-25 with `initialize`, 2026-07-28 with `server/discover`. Printed are the milliseconds from the spawn
to the first answer and to that of `tools/list`, and the ratio of each to the bare server's in the same round, which a
busy machine disturbs least. Below them stand two commands of the command line, from the spawn to their end.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from benchmarks.machine import describe
from benchmarks.parallel import fresh_home
from server.client_config import console_script

TARGET = 1.25
BARE_SERVER = """
from mcp.server.mcpserver import MCPServer

mcp = MCPServer("bare")

@mcp.tool()
def add(a: int, b: int) -> int:
    return a + b

mcp.run()
"""
BARE, EXISTING, FRESH = "bare server", "existing home", "fresh home"
CLIENT = {"name": "benchmark", "version": "1"}
ENVELOPE = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": CLIENT,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}
OPENINGS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "2025-11-25": (
        "initialize",
        {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT},
    ),
    "2026-07-28": ("server/discover", ENVELOPE),
}


class Start(NamedTuple):
    """Milliseconds from the spawn to the answer of the first request, and to that of `tools/list`."""

    first: float
    tools: float


class Client:
    """The only client of a process that speaks MCP over its stdin and stdout."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout

    def send(self, message: Mapping[str, Any]) -> None:
        self._to.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._to.flush()

    def ask(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The result; ends the benchmark where there is none, also when a notification comes before it."""
        self.send({"id": method, "method": method, "params": params})
        answer = json.loads(self._from.readline() or b"null")
        if answer is None or answer.get("id") != method or "result" not in answer:
            raise SystemExit(f"{method} was answered with {answer}.")
        return answer["result"]


def start(command: Sequence[str], home: Path, era: str) -> Start:
    method, params = OPENINGS[era]
    begin = perf_counter()
    with subprocess.Popen(
        command,
        env=os.environ | {"STOCKDESK_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        client = Client(process)
        client.ask(method, params)
        first = perf_counter() - begin
        if method == "initialize":
            client.send({"method": "notifications/initialized"})
        if not client.ask("tools/list", {} if method == "initialize" else ENVELOPE)["tools"]:
            raise SystemExit(f"{command} has no tools.")
        tools = perf_counter() - begin
        # Leaving the context closes stdin, which ends the server, and waits for its end.
    return Start(first * 1000, tools * 1000)


def ended(command: Sequence[str], home: Path) -> float:
    """Milliseconds from the spawn to the end."""
    begin = perf_counter()
    subprocess.run(command, env=os.environ | {"STOCKDESK_HOME": str(home)}, check=True, capture_output=True)
    return (perf_counter() - begin) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description="Start-up times over those of a bare MCP server.")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(describe("mcp", "pydantic"))
    for name in [name for name in os.environ if name.startswith("STOCKDESK")]:
        del os.environ[name]
    script = str(console_script())
    serve = [script, "serve"]
    commands = {BARE: [sys.executable, "-c", BARE_SERVER], EXISTING: serve, FRESH: serve}
    asked = {"stockdesk --version": [script, "--version"], "stockdesk status": [script, "status"]}
    starts: dict[tuple[str, str], list[Start]] = {each: [] for each in product(OPENINGS, commands)}
    ends: dict[str, list[float]] = {name: [] for name in asked}
    with fresh_home() as home:
        for command in commands.values():  # also compiles what no one has imported yet
            start(command, home, "2025-11-25")
        for _ in range(rounds):
            for (era, name), each in starts.items():
                with fresh_home() as other:
                    each.append(start(commands[name], other if name == FRESH else home, era))
            for name, command in asked.items():
                ends[name].append(ended(command, home))
    return report(starts, ends)


def report(starts: Mapping[tuple[str, str], Sequence[Start]], ends: Mapping[str, Sequence[float]]) -> int:
    rounds = len(starts["2025-11-25", BARE])
    print(
        f"\nms from the spawn to the answer, median of {rounds} (over the bare server in the same round, median)"
    )
    print("protocol    server          the first request       tools/list")
    ratios = dict[tuple[str, str], float]()
    for (era, name), each in starts.items():
        of_bare = zip(each, starts[era, BARE], strict=True)
        over_bare = [Start(one.first / bare.first, one.tools / bare.tools) for one, bare in of_bare]
        ms, times = medians(each), medians(over_bare)
        ratios[era, name] = times.first
        row = (
            f"{era:<12}{name:<15}{ms.first:>8.0f} ({times.first:.2f} ×){ms.tools:>8.0f} ({times.tools:.2f} ×)"
        )
        print(row)
    print("\nms from the spawn to the end, median")
    for name, each in ends.items():
        print(f"{name:<27}{statistics.median(each):>8.0f}")
    kept = all(ratios[era, EXISTING] <= TARGET for era in OPENINGS)
    said = "yes" if kept else "NO"
    print(f"\nfirst answer on an existing home within {TARGET} × of the bare server's, in both eras: {said}")
    return 0 if kept else 1


def medians(starts: Sequence[Start]) -> Start:
    return Start(*map(statistics.median, zip(*starts, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
