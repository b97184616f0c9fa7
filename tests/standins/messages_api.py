"""A stand-in for Anthropic's Messages API on loopback, for the real Claude CLI.

`MessagesApi()` serves `POST /v1/messages` (streaming and not) from a thread of its own, and answers each
request by a `Script`. The default script reads the stocks and facts out of the prompt, submits a verdict for each
stock whose numbers are copied from those facts, then ends the turn; `claude_scripts` has others. Every request
is kept in `requests`.

Also a program: `python tests/standins/messages_api.py --port 0` prints its URL and serves until stdin closes.
Format: https://docs.anthropic.com/en/api/messages-streaming.
"""

import argparse
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias, cast

from tests.standins.serving import Serving

Json: TypeAlias = dict[str, Any]

SUBMIT = "mcp__desk__submit_verdict"
DATA = re.compile(r"<data>(.*?)</data>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the CLI made it. `at` is `time.monotonic()`."""

    path: str
    headers: Mapping[str, str]
    body: Json
    at: float

    @property
    def tool_names(self) -> list[str]:
        return [tool["name"] for tool in self.body.get("tools", [])]

    @property
    def stocks(self) -> list[Json]:
        """What the prompt says of each stock: `stock` and `facts`."""
        return cast("list[Json]", json.loads(DATA.findall(self.text_of("user"))[-1])["stocks"])

    @property
    def submitted(self) -> list[str]:
        """The stocks that earlier turns of this session submitted, in order, with repetitions."""
        return [
            block["input"]["symbol"] for block in self._blocks("assistant") if block["type"] == "tool_use"
        ]

    @property
    def tool_errors(self) -> list[str]:
        """The texts of the refused submissions so far."""
        return [
            _text(block["content"])
            for block in self._blocks("user")
            if block["type"] == "tool_result" and block.get("is_error")
        ]

    def text_of(self, role: str) -> str:
        return "\n".join(block["text"] for block in self._blocks(role) if block["type"] == "text")

    def _blocks(self, role: str) -> Iterator[Json]:
        for message in self.body["messages"]:
            if message["role"] == role:
                content = message["content"]
                yield from [{"type": "text", "text": content}] if isinstance(content, str) else content


@dataclass(frozen=True, slots=True)
class Says:
    """An assistant's turn: text, or calls of the submit tool, or of other tools by name and input."""

    text: str = ""
    submits: tuple[Json, ...] = ()
    calls: tuple[tuple[str, Json], ...] = ()
    input_tokens: int = 1200
    output_tokens: int = 340
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Fails:
    """An HTTP error, in the API's form."""

    status: int
    kind: str = "api_error"
    message: str = "the stand-in was told to fail"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Stalls:
    """No byte until `MessagesApi.close`, or until the gate is set; then the CLI is let go without an answer.

    With `after`, a stream that breaks off: all of that answer comes first, but for its end.
    """

    gate: threading.Event = field(default_factory=threading.Event)
    after: Says | None = None


Reply: TypeAlias = Says | Fails | Stalls
Script: TypeAlias = Callable[[Request], Reply]


def grounded_verdict(entry: Json, action: str = "HOLD") -> Json:
    """A submission whose every number is copied from the stock's facts in the prompt."""
    fact = entry["facts"][0]
    return {
        "symbol": entry["stock"],
        "action": action,
        "conviction": 0.6,
        "horizon_months": 12,
        "thesis": f"The newest {fact['name']} of {entry['stock']} is {fact['value']} {fact['unit']}. "
        "Nothing else moves the view.",
        "evidence": [
            {
                "claim": f"{each['name']} is {each['value']} {each['unit']}",
                "fact_id": each["id"],
                "value": each["value"],
                "unit": each["unit"],
            }
            for each in entry["facts"][:3]
        ],
        "bull_points": ["The numbers are recent."],
        "bear_points": ["They are few."],
        "risks": ["They may change."],
        "would_change_view": ["A close below the long average."],
    }


def submits_all(request: Request) -> Reply:
    """One turn that submits every stock of the prompt, then the end."""
    left = [entry for entry in request.stocks if entry["stock"] not in request.submitted]
    if not left:
        return Says("All verdicts are submitted.")
    return Says(submits=tuple(grounded_verdict(entry) for entry in left))


class MessagesApi(Serving):
    def __init__(self, script: Script = submits_all, *, latency: float = 0.0, port: int = 0) -> None:
        self.script = script
        self.latency = latency
        self.requests: list[Request] = []
        self.arrived = threading.Condition()
        self.closing = threading.Event()
        super().__init__(_Server(port, self))

    def close(self) -> None:
        self.closing.set()
        super().close()

    def wait_for_requests(self, count: int, timeout: float = 20.0) -> None:
        """Return once `count` requests have come in; fail after `timeout` seconds."""
        with self.arrived:
            if not self.arrived.wait_for(lambda: len(self.requests) >= count, timeout):
                raise TimeoutError(f"{len(self.requests)} of {count} requests came in {timeout} s.")

    def answer(self, request: Request) -> Reply:
        with self.arrived:
            self.requests.append(request)
            self.arrived.notify_all()
        if self.latency:
            self.closing.wait(self.latency)
        return self.script(request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, api: MessagesApi) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.api = api


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def api(self) -> MessagesApi:
        assert isinstance(self.server, _Server)
        return self.server.api

    def do_POST(self) -> None:
        with suppress(ConnectionError):
            self._serve()

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (http.server's name)
        pass

    def _serve(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if self.path.partition("?")[0] != "/v1/messages":
            self._send(404, _error("not_found_error", self.path))
            return
        reply = self.api.answer(Request(self.path, dict(self.headers.items()), body, time.monotonic()))
        match reply:
            case Says() if body.get("stream"):
                self._stream(_events(reply, body["model"]), reply.headers)
            case Says():
                self._send(200, _message(reply, body["model"], _content(reply)), reply.headers)
            case Fails():
                self._send(reply.status, _error(reply.kind, reply.message), reply.headers)
            case Stalls():
                if reply.after is not None:
                    self._stream(list(_events(reply.after, body["model"]))[:-2])
                while not (reply.gate.wait(0.05) or self.api.closing.is_set()):
                    pass
                self.close_connection = True

    def _send(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: Iterable[Json], headers: Mapping[str, str] | None = None) -> None:
        self.send_response(200)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in events:
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()


_message_numbers = iter(range(1, sys.maxsize))


def _content(reply: Says) -> list[Json]:
    number = next(_message_numbers)
    blocks: list[Json] = [{"type": "text", "text": reply.text}] if reply.text else []
    calls = [*((SUBMIT, verdict) for verdict in reply.submits), *reply.calls]
    for index, (name, arguments) in enumerate(calls):
        blocks.append({"type": "tool_use", "id": f"toolu_{number}_{index}", "name": name, "input": arguments})
    return blocks


def _message(reply: Says, model: str, content: list[Json]) -> Json:
    return {
        "id": f"msg_{next(_message_numbers)}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if reply.submits or reply.calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens},
    }


def _events(reply: Says, model: str) -> Iterator[Json]:
    content = _content(reply)
    message = _message(reply, model, [])
    stop_reason = message["stop_reason"]
    yield {"type": "message_start", "message": {**message, "stop_reason": None}}
    for index, block in enumerate(content):
        is_text = block["type"] == "text"
        empty: Json = {"text": ""} if is_text else {"input": {}}
        delta = (
            {"type": "text_delta", "text": block["text"]}
            if is_text
            else {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        )
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason, "stop_sequence": None},
        "usage": {"output_tokens": reply.output_tokens},
    }
    yield {"type": "message_stop"}


def _error(kind: str, message: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}}


def _text(content: str | list[Json]) -> str:
    return content if isinstance(content, str) else "\n".join(str(block.get("text", "")) for block in content)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the stand-in until stdin closes.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    arguments = parser.parse_args()
    with MessagesApi(latency=arguments.latency, port=arguments.port) as api:
        sys.stdout.write(f"{api.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
