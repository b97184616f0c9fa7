"""What a tool call takes, beside a tool that does nothing. `.venv/bin/python benchmarks/tool_calls.py`

A client that only writes and reads lines calls, in turn, a tool without a body of a bare `MCPServer` of the same SDK
and the desk's tools, over stdio, in both eras of the protocol. The desk's queues are held, so that what is measured is
the call and not the work that it asks for; each enqueuing call asks for other stocks than those before, and its tasks
are on the disk, synced, before it is answered.

In the same rounds the function that the tool calls runs at a desk in this process, without a protocol: its request. A
call's overhead is what it takes beyond that. The tool that does nothing is nothing but overhead: its call is what the
target is a multiple of. Printed are medians, and the medians of the ratios of each round; and, as the least that an
enqueuing call could take in all, the bare tool and one synced commit of one row.
"""

# pyright: reportUnknownMemberType=false
# (apsw's stubs name collections.abc.Buffer, which Python 3.11 does not have)

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from benchmarks.machine import describe
from benchmarks.parallel import fresh_home
from benchmarks.startup import ENVELOPE, OPENINGS, Client
from queues.connection import connect
from queues.holds import hold_queue
from queues.model import QueueName
from server.client_config import console_script
from server.desk import Desk, make_folders, open_desk
from server.inspection import desk_status
from server.requests import request_analysis, request_fetch, request_review
from server.settings import load_settings
from server.syncs import SyncWish, request_sync

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
Arguments = Callable[[int], dict[str, Any]]
Request = Callable[..., Awaitable[object]]
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


async def _fetch(desk: Desk, symbols: list[str]) -> object:
    return await request_fetch(desk, symbols=symbols, exchange=None, force=False)


async def _analysis(desk: Desk, symbols: list[str]) -> object:
    return await request_analysis(desk, symbols=symbols, exchange=None, priority=0, force=False)


async def _sync(desk: Desk, csv_text: str) -> object:
    return await request_sync(desk, SyncWish(csv_text=csv_text))


async def _review(desk: Desk, csv_text: str) -> object:
    return await request_review(
        desk, path=None, csv_text=csv_text, account=None, exchange=None, columns=None, force=False
    )


REQUESTS: Mapping[str, Request] = {
    "get_queue_status": desk_status,
    "enqueue_data_fetch": _fetch,
    "enqueue_ai_analysis": _analysis,
    "enqueue_portfolio_sync": _sync,
    "enqueue_portfolio_review": _review,
}


class Round(NamedTuple):
    """Milliseconds of the tool that does nothing, of a call, and of the request that it carries."""

    bare: float
    call: float
    request: float

    @property
    def overhead(self) -> float:
        return self.call - self.request


class DeskHere:
    """A desk in this process."""

    def __init__(self, portal: BlockingPortal, desk: Desk) -> None:
        self._portal = portal
        self._desk = desk

    def request(self, tool: str, arguments: Mapping[str, Any]) -> float:
        """Milliseconds until it is answered."""

        async def timed() -> float:
            begin = perf_counter()
            await REQUESTS[tool](self._desk, **arguments)
            return (perf_counter() - begin) * 1000

        return self._portal.call(timed)


@asynccontextmanager
async def desk_opened(home: Path) -> AsyncGenerator[Desk]:
    settings = load_settings(home=home, analyst="baseline", price_sources=["sample"], as_of="2022-12-28")
    make_folders(settings)
    async with open_desk(settings, "benchmark", None) as desk, anyio.create_task_group() as tasks:
        tasks.start_soon(desk.manager.run)
        for queue in QueueName:
            await desk.database.write(
                lambda tx, queue=queue: hold_queue(tx, queue, "user", "benchmark", None)
            )
        yield desk
        tasks.cancel_scope.cancel()


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


def measure(era: str, rounds: int) -> dict[str, list[Round]]:
    taken: dict[str, list[Round]] = {tool: [] for tool in (FLOOR, *CALLS)}
    with ExitStack() as stack:
        home = stack.enter_context(fresh_home())
        raw = connect(home / "raw.db")
        raw.execute("CREATE TABLE rows (text)")
        bare = stack.enter_context(started([sys.executable, "-c", BARE_SERVER], home, era))
        desk = stack.enter_context(started([str(console_script()), "serve"], home / "served", era))
        portal = stack.enter_context(start_blocking_portal())
        here = DeskHere(
            portal, stack.enter_context(portal.wrap_async_context_manager(desk_opened(home / "here")))
        )
        for queue in QueueName:
            desk.call("hold_queue", {"queue": queue, "reason": "benchmark"})
        for number in range(WARM_UP + rounds):
            alone = bare.call("nothing", {})
            begin = perf_counter()
            raw.execute("INSERT INTO rows VALUES (?)", ("x" * 400,))
            taken[FLOOR].append(Round(alone, alone + (perf_counter() - begin) * 1000, 0))
            for tool, arguments in CALLS.items():
                pair = bare.call("nothing", {}), desk.call(tool, arguments(number))
                taken[tool].append(Round(*pair, here.request(tool, arguments(number))))
    return {tool: found[WARM_UP:] for tool, found in taken.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description="Tool calls over stdio, beside one that does nothing.")
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    print(describe("mcp", "pydantic"))
    met = True
    print(f"\nms, medians of {rounds} rounds; x: over {NO_OP}, median of the rounds' ratios")
    for era in OPENINGS:
        taken = measure(era, rounds)
        print(f"\n{era:28}{'call':>7}{'x':>7}{'request':>10}{'overhead':>10}{'x':>7}")
        bare = statistics.median(each.bare for found in taken.values() for each in found)
        print(f"{NO_OP:28}{bare:7.2f}")
        for tool, found in taken.items():
            call, ratio = _medians([(each.call, each.bare) for each in found])
            line = f"{tool:28}{call:7.2f}{ratio:7.2f}"
            if tool in REQUESTS:
                request = statistics.median(each.request for each in found)
                overhead, times = _medians([(each.overhead, each.bare) for each in found])
                met &= times <= TARGET
                line += f"{request:10.2f}{overhead:10.2f}{times:7.2f}"
            print(line)
    print(f"\nthe overhead of each within {TARGET} x of the tool that does nothing: {'yes' if met else 'NO'}")
    return 0 if met else 1


def _medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Of the first, and of the ratio to the second."""
    return statistics.median(one for one, _ in pairs), statistics.median(one / other for one, other in pairs)


if __name__ == "__main__":
    sys.exit(main())
