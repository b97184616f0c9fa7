"""The border: foreseen errors become `ToolError`s, whose text is all that a model sees of a failure."""

from collections.abc import Generator
from contextlib import contextmanager

from mcp.server.mcpserver.exceptions import ToolError

from handlers.stocks import StockError
from queues.errors import EngineError
from server.requests import RequestError

# What can be foreseen: each message is a sentence that names the next step.
FORESEEN = (RequestError, StockError, EngineError)


@contextmanager
def told_to_the_model() -> Generator[None]:
    """Raise what can be foreseen as a `ToolError` with the same sentence.

    Raises:
        ToolError: the request cannot be carried out; its text names the next step.
    """
    try:
        yield
    except FORESEEN as error:
        raise ToolError(str(error)) from error
