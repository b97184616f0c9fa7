"""The border: foreseen errors become `ToolError`s, whose text is all that a model sees of a failure."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from handlers.stocks import StockError
from queues.errors import EngineError
from server.requests import RequestError

# Of a list of a thousand, all may be wrong for one reason.
MOST_EXPLAINED = 3
MOST_SHOWN = 60
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


def explain(error: ValidationError) -> Iterator[str]:
    """A sentence for each wrong argument, at most `MOST_EXPLAINED`: its name, what it must be, and what was given."""
    problems = error.errors(include_url=False)
    yield from map(_sentence, problems[:MOST_EXPLAINED])
    if len(problems) > MOST_EXPLAINED:
        yield f"So are {len(problems) - MOST_EXPLAINED} more."


def _sentence(problem: ErrorDetails) -> str:
    where = ".".join(map(_name, problem["loc"])) or "the arguments"
    match problem["type"]:
        case "literal_error" if problem["loc"][-1] == "[key]":
            *above, key, _ = map(_name, problem["loc"])
            return f"{'.'.join(above)}: {key} is not known; use {problem.get('ctx', {}).get('expected')}."
        case "missing":
            return f"{where} is missing."
        case "extra_forbidden":
            return f"There is no argument {where}; tools/list shows those there are."
        case _:
            what = problem["msg"].removeprefix("Value error, ")
            return f"{where}: {what} (got {str(problem['input'])[:MOST_SHOWN]!r})."


def _name(part: str | int) -> str:
    """As it was given, unless it is no name at all, which could be of any length and hold anything."""
    name = str(part)
    is_name = len(name) <= MOST_SHOWN and (name.isidentifier() or name.isdecimal())
    return name if is_name else repr(name[:MOST_SHOWN])
