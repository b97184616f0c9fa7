"""Lines of a client that are no message: the SDK drops them, and whoever sent a request in one would wait for ever."""

import json
from types import TracebackType
from typing import Any, Protocol, Self, cast

from anyio import EndOfStream
from mcp.shared.message import SessionMessage
from mcp.types import PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

Item = SessionMessage | Exception
# Longer numbers are read as 0 here: Python refuses those of over 4,300 digits, and no id has so many.
MOST_DIGITS = 20


class Lines(Protocol):
    async def receive(self) -> Item: ...
    async def aclose(self) -> None: ...


class Answers(Protocol):
    async def send(self, item: SessionMessage, /) -> None: ...


class Answered:
    """What can be read of `lines`; what cannot is answered with an error that says why."""

    def __init__(self, lines: Lines, answers: Answers) -> None:
        self._lines = lines
        self._answers = answers

    @property
    def last_context(self) -> Any:
        """Of the item that came last; the SDK looks for it."""
        return getattr(self._lines, "last_context", None)

    async def receive(self) -> Item:
        item = await self._lines.receive()
        while isinstance(item, ValidationError):
            if (answer := _answer(item)) is not None:
                await self._answers.send(SessionMessage(answer))
            item = await self._lines.receive()
        return item

    async def aclose(self) -> None:
        await self._lines.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        try:
            return await self.receive()
        except EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.aclose()


def _answer(error: ValidationError) -> JSONRPCError | None:
    """None for what can be read and is no request, and for an empty line: nobody waits."""
    problem = error.errors(include_url=False)[0]
    message = _leniently_read(problem["input"])
    if message is not None and "method" not in message:
        return None
    given = None if message is None else message.get("id")
    is_id = type(given) is int or (isinstance(given, str) and given.isprintable())
    said = f"The message cannot be read ({problem['msg']}); send JSON-RPC whose texts are whole characters."
    return JSONRPCError(
        jsonrpc="2.0", id=given if is_id else None, error=ErrorData(code=PARSE_ERROR, message=said)
    )


def _leniently_read(line: Any) -> dict[str, Any] | None:
    """The object in this line, as another reader of JSON finds it, which takes halves of characters.

    What is JSON, but no message, has been read already.
    """
    try:
        found: Any = json.loads(line.strip() or "{}", parse_int=_number) if isinstance(line, str) else line
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _number(digits: str) -> int:
    return int(digits) if len(digits) < MOST_DIGITS else 0
