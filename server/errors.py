"""The border: foreseen errors become `ToolError`s, whose text is all that a model sees of a failure."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import ValidationError

from handlers.stocks import StockError
from queues.errors import EngineError
from server.requests import RequestError


@contextmanager
def told_to_the_model() -> Generator[None]:
    """Raise what can be foreseen as a `ToolError` with the same sentence.

    Raises:
        ToolError: the request cannot be carried out; its text names the next step.
    """
    try:
        yield
    except (RequestError, StockError, EngineError) as error:
        raise ToolError(str(error)) from error


def explain(error: ValidationError) -> Iterator[str]:
    """A sentence for each wrong argument: its name, what it must be, and what was given."""
    for problem in error.errors():
        where = ".".join(map(str, problem["loc"])) or "the arguments"
        match problem["type"]:
            case "missing":
                yield f"{where} is missing."
            case "extra_forbidden":
                yield f"There is no argument {where}; tools/list shows those there are."
            case _:
                yield f"{where}: {problem['msg'].removeprefix('Value error, ')} (got {str(problem['input'])[:80]!r})."
