"""A stand-in for Yahoo's chart endpoint on loopback: a real HTTP server, in a thread of its own.

The default script answers every symbol with the documented shape: one made-up close per weekday of the
period, the same at every request. Others answer errors or junk. `gate` lets requests wait for a test.

Also a program: `python tests/standins/http_source.py --latency 0.2` prints its URL, serves until stdin ends.
"""

import argparse
import json
import math
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: `target` is the raw request target, undecoded. Times are `time.monotonic()`."""

    target: str
    headers: Mapping[str, str]
    at: float

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def symbol(self) -> str:
        """The last part of the path, decoded: `M&M.NS`."""
        return unquote(self.path.rpartition("/")[2])

    @property
    def days(self) -> tuple[date, date]:
        """The first day asked for and the first one not asked for."""
        query = parse_qs(urlsplit(self.target).query)
        first, end = (
            datetime.fromtimestamp(int(query[name][0]), UTC).date() for name in ("period1", "period2")
        )
        return first, end


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    # What the header claims; more than the body holds makes an answer that breaks off.
    content_length: int | None = None


Script = Callable[[Request], Reply]


def always(reply: Reply) -> Script:
    """Whatever is asked, this is the answer."""
    return lambda _: reply


def chart(request: Request) -> Reply:
    """Every symbol has a price on every weekday."""
    first, end = request.days
    days = [first + timedelta(days=n) for n in range((end - first).days)]
    days = [day for day in days if day.isoweekday() <= 5]
    return chart_of(request.symbol, [(day, made_up_close(request.symbol, day)) for day in days])


def made_up_close(symbol: str, day: date) -> float:
    """A price that differs by symbol, drifts upwards and swings."""
    level = 50 + sum(symbol.encode()) % 400
    return round(
        level * math.exp((day.toordinal() - 738_000) / 4000) * (1 + 0.08 * math.sin(day.toordinal() / 17)), 2
    )


def chart_of(symbol: str, closes: Sequence[tuple[date, float | None]], **changes: Any) -> Reply:
    """The documented shape. `changes` replaces `currency`, `timestamp`, `quote` or `adjclose`."""
    indian = symbol.endswith((".NS", ".BO"))
    # The opening bell, in UTC: 9:15 in Mumbai, 9:30 in New York in winter.
    bell = timedelta(hours=3, minutes=45) if indian else timedelta(hours=14, minutes=30)
    prices = [close for _, close in closes]
    opening = [int((datetime.combine(day, datetime.min.time(), UTC) + bell).timestamp()) for day, _ in closes]
    quote: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), prices)
    quote["volume"] = [None if price is None else 1000 for price in prices]
    indicators: dict[str, Any] = {"quote": [changes.get("quote", quote)]}
    if changes.get("adjclose", prices) is not None:
        indicators["adjclose"] = [{"adjclose": changes.get("adjclose", prices)}]
    meta = {
        "currency": changes.get("currency", "INR" if indian else "USD"),
        "symbol": symbol,
        "exchangeTimezoneName": "Asia/Kolkata" if indian else "America/New_York",
        "gmtoffset": 19800 if indian else -18000,
    }
    result = {"meta": meta, "timestamp": changes.get("timestamp", opening), "indicators": indicators}
    return json_reply({"chart": {"result": [result], "error": None}})


def with_splits(reply: Reply, splits: Mapping[date, tuple[int, int]]) -> Reply:
    """That chart, with so many shares for so many of before, by the day."""
    document = json.loads(reply.body)
    document["chart"]["result"][0]["events"] = {
        "splits": {
            str(day): {
                "date": int(datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC).timestamp()),
                "numerator": numerator,
                "denominator": denominator,
                "splitRatio": f"{numerator}:{denominator}",
            }
            for day, (numerator, denominator) in splits.items()
        }
    }
    return json_reply(document)


def json_reply(document: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


def not_found() -> Reply:
    """How Yahoo says that it does not know a symbol."""
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    return json_reply({"chart": {"result": None, "error": error}}, 404)


class HttpSource:
    """The server. `latency` is waited before each answer; so is `gate`, which is open unless a test closes it."""

    def __init__(self, script: Script = chart, *, latency: float = 0.0, port: int = 0) -> None:
        self.script = script
        self.latency = latency
        self.gate = threading.Event()
        self.gate.set()
        self.requests: list[Request] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for_requests(self, count: int, seconds: float = 10) -> bool:
        """Block until so many requests have arrived in all; False if they did not within `seconds`."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.requests) >= count, seconds)

    def answer(self, request: Request) -> Reply:
        with self._arrived:
            self.requests.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self._arrived.notify_all()
        try:
            self.gate.wait()
            time.sleep(self.latency)
            return self.script(request)
        finally:
            with self._lock:
                self._at_once -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], source: HttpSource) -> None:
        super().__init__(address, _Handler)
        self.source = source


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        reply = self.server.source.answer(Request(self.path, dict(self.headers.items()), time.monotonic()))
        with suppress(ConnectionError):  # the client may have gone away
            self.send_response(reply.status)
            length = len(reply.body) if reply.content_length is None else reply.content_length
            for name, value in {"Content-Length": str(length), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class calls it so)
        """Say nothing: a test's output is its own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    arguments = parser.parse_args()
    with HttpSource(latency=arguments.latency, port=arguments.port) as source:
        print(source.url, flush=True)  # noqa: T201 (its output)
        sys.stdin.read()


if __name__ == "__main__":
    main()
