"""How much of something long a client is shown at once.

A result that is too long does not reach the model: Claude Code puts one of over 25,000 tokens into a file.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from queues.model import Json

V = TypeVar("V", bound=BaseModel)

# About 5,000 tokens, as indented JSON, which is the longer one of the two forms in which a result is sent. With what
# stands beside the rows, and its quotes escaped, a result has less than 20,000.
PAGE_CHARACTERS = 14_000
MOST_IDS = 100
# Elements of a list and characters of a text, first as they are usually cut, then where all is still too long.
_CUTS = ((20, 1_000), (10, 300), (3, 80))


def that_fit(items: Iterable[V], page: int = PAGE_CHARACTERS) -> list[V]:
    """The first of these, as many as a page of so many characters holds; at least one, if there is one."""
    shown: list[V] = []
    left = page
    for item in items:
        left -= len(item.model_dump_json(indent=2))
        if shown and left < 0:
            break
        shown.append(item)
    return shown


def within(value: Mapping[str, Json], most: int) -> dict[str, JsonValue]:
    """The same JSON, `shortened`; further, where that is not within so many characters."""
    cut: dict[str, JsonValue] = {}
    for elements, characters in _CUTS:
        cut = {key: shortened(each, elements, characters) for key, each in value.items()}
        if len(json.dumps(cut, indent=2)) <= most:
            break
    return cut


def shortened(value: Json, elements: int = _CUTS[0][0], characters: int = _CUTS[0][1]) -> JsonValue:
    """The same JSON, long texts and lists cut; the end of each then says how much more there is."""
    if isinstance(value, str):
        return shortened_text(value, characters)
    if isinstance(value, Mapping):
        return {key: shortened(each, elements, characters) for key, each in value.items()}
    if isinstance(value, Sequence):
        shown = [shortened(each, elements, characters) for each in islice(value, elements)]
        more = len(value) - len(shown)
        return [*shown, f"… {more} more"] if more else shown
    return value


def shortened_text(text: str, characters: int = _CUTS[0][1]) -> str:
    more = len(text) - characters
    return f"{text[:characters]}… {more} more characters" if more > 0 else text
