"""What a tool call takes, beside a tool that does nothing. `.venv/bin/python benchmarks/tool_calls.py`

A client that only writes and reads lines calls, in turn, a tool without a body of a bare `MCPServer` of the same SDK
and the desk's tools, over stdio, in both eras of the protocol. The desk's queues are held, so that what is measured is
the call and not the work that it asks for; each enqueuing call asks for other stocks than those before, and its tasks
are on the disk, synced, before it is answered. Printed are medians, and the median of the ratios of each call to that
of the bare tool just before it; and, as the least that an enqueuing call could take, the bare tool and one synced
commit of one row.
"""

# pyright: reportUnknownMemberType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 does not have)

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.machine import describe
from benchmarks.parallel import fresh_home
from benchmarks.startup import ENVELOPE, OPENINGS, Client
from queues.connection import connect
from server.client_config import console_script

TARGET = 1.5
WARM_UP = 20
NO_OP = "a tool that does nothing"
FLOOR = "that and a synced commit"
BARE_SERVER = """
from mcp.server.mcpserver import MCPServer

mcp = MCPServer("bare")

@mcp.tool()
async def nothing() -> dict[str, str]:
    return {}

mcp.run()
"""
SETTINGS = {
    "STOCKDESK_ANALYST": "baseline",
    "STOCKDESK_PRICE_SOURCES": "sample",
    "STOCKDESK_AS_OF": "2022-12-28",
}
Arguments = Callable[[int], Mapping[str, Any]]
CALLS: Mapping[str, Arguments] = {
    "get_queue_status": lambda _: {},
    "enqueue_data_fetch": lambda number: {"symbols": [f"NSE:F{number}"]},
    "enqueue_ai_analysis": lambda number: {"symbols": [f"NSE:A{number}", f"NSE:B{number}"]},
    "enqueue_portfolio_sync": lambda number: {
        "csv_text": f"symbol,quantity,average price\nNSE:S{number},1,1"
    },
    "enqueue_portfolio_review": lambda number: {
        "csv_text": f"symbol,quantity,average price\nNSE:R{number},1,1"
    },
}


class Server:
    """One server process, opened in one era."""

    def __init__(self, process: subprocess.Popen[bytes], era: str) -> None:
        self._client = Client(process)
        method, params = OPENINGS[era]
        self._more: Mapping[str, Any] = {} if method == "initialize" else ENVELOPE
        self._client.ask(method, params)
        if method == "initialize":
            self._client.send({"method": "notifications/initialized"})

    def call(self, tool: str, arguments: Mapping[str, Any]) -> float:
        """Milliseconds until the answer."""
        begin = perf_counter()
        answer = self._client.ask("tools/call", {"name": tool, "arguments": arguments, **self._more})
        took = (perf_counter() - begin) * 1000
        if answer.get("isError"):
            raise SystemExit(f"{tool} was answered with {answer['content']}.")
        return took


@contextmanager
def started(command: Sequence[str], home: Path, era: str) -> Generator[Server]:
    environment = os.environ | SETTINGS | {"STOCKDESK_HOME": str(home)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        yield Server(process, era)


def measure(era: str, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """For each tool, in each round: milliseconds of the bare tool, and of it."""
    taken: dict[str, list[tuple[float, float]]] = {tool: [] for tool in (FLOOR, *CALLS)}
    with ExitStack() as stack:
        home = stack.enter_context(fresh_home())
        raw = connect(home / "raw.db")
        raw.execute("CREATE TABLE rows (text)")
        bare = stack.enter_context(started([sys.executable, "-c", BARE_SERVER], home, era))
        desk = stack.enter_context(started([str(console_script()), "serve"], home, era))
        for queue in ("portfolio_sync", "data_fetcher", "ai_analysis"):
            desk.call("hold_queue", {"queue": queue, "reason": "benchmark"})
        for number in range(WARM_UP + rounds):
            alone = bare.call("nothing", {})
            begin = perf_counter()
            raw.execute("INSERT INTO rows VALUES (?)", ("x" * 400,))
            if number >= WARM_UP:
                taken[FLOOR].append((alone, alone + (perf_counter() - begin) * 1000))
            for tool, arguments in CALLS.items():
                pair = bare.call("nothing", {}), desk.call(tool, arguments(number))
                if number >= WARM_UP:
                    taken[tool].append(pair)
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description="Tool calls over stdio, beside one that does nothing.")
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    print(describe("mcp", "pydantic"))
    met = True
    print(f"\nms until the answer, median of {rounds} (over {NO_OP}, median of the ratios)")
    for era in OPENINGS:
        taken = measure(era, rounds)
        bare = statistics.median(bare for pairs in taken.values() for bare, _ in pairs)
        print(f"{era}  {NO_OP:26}{bare:6.2f}")
        for tool, pairs in taken.items():
            ratio = statistics.median(ours / bare for bare, ours in pairs)
            met &= ratio <= TARGET or tool == FLOOR
            print(f"{era}  {tool:26}{statistics.median(ours for _, ours in pairs):6.2f} ({ratio:.2f} ×)")
    print(f"\neach within {TARGET} × of the tool that does nothing: {'yes' if met else 'NO'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
