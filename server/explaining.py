"""What pydantic finds wrong with what was asked for, in words."""

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

# Of a list of a thousand, all may be wrong for one reason.
MOST_EXPLAINED = 3
MOST_SHOWN = 60


def explain(error: ValidationError) -> Iterator[str]:
    """A sentence for each wrong argument, at most `MOST_EXPLAINED`: its name, what it must be, and what was given.

    Arguments that do not fit each other are one sentence without a name.
    """
    problems = error.errors(include_url=False)
    yield from map(_sentence, problems[:MOST_EXPLAINED])
    if len(problems) > MOST_EXPLAINED:
        yield f"So are {len(problems) - MOST_EXPLAINED} more."


def _sentence(problem: ErrorDetails) -> str:
    where = ".".join(map(_name, problem["loc"]))
    what = problem["msg"].removeprefix("Value error, ")
    match problem["type"]:
        case "literal_error" if problem["loc"][-1] == "[key]":
            *above, key, _ = map(_name, problem["loc"])
            return f"{'.'.join(above)}: {key} is not known; use {problem.get('ctx', {}).get('expected')}."
        case "missing":
            return f"{where} is missing."
        case "extra_forbidden":
            return f"There is no argument {where}; tools/list shows those there are."
        case _ if not where:
            return f"{what[:1].upper()}{what[1:]}."
        case _:
            return f"{where}: {what} (got {str(problem['input'])[:MOST_SHOWN]!r})."


def _name(part: str | int) -> str:
    """As it was given, unless it is no name at all, which could be of any length and hold anything."""
    name = str(part)
    is_name = len(name) <= MOST_SHOWN and (name.isidentifier() or name.isdecimal())
    return name if is_name else repr(name[:MOST_SHOWN])
