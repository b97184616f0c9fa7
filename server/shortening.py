"""How much of something long a client is shown at once.

A result that is too long does not reach the model: Claude Code puts one of over 25,000 tokens into a file.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from queues.model import Json

V = TypeVar("V", bound=BaseModel)

# About 6,000 tokens, as indented JSON, which is the longer one of the two forms in which a result is sent.
PAGE_CHARACTERS = 16_000
MOST_IDS = 100
_MOST_ELEMENTS = 20
_MOST_CHARACTERS = 1_000


def that_fit(items: Iterable[V]) -> list[V]:
    """The first of these, as many as a page holds; at least one, if there is one."""
    shown: list[V] = []
    left = PAGE_CHARACTERS
    for item in items:
        left -= len(item.model_dump_json(indent=2))
        if shown and left < 0:
            break
        shown.append(item)
    return shown


def shortened(value: Json) -> JsonValue:
    """The same JSON, long texts and lists cut; the end of each then says how much more there is."""
    if isinstance(value, str):
        return shortened_text(value)
    if isinstance(value, Mapping):
        return {key: shortened(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        elements = [shortened(each) for each in islice(value, _MOST_ELEMENTS)]
        more = len(value) - len(elements)
        return [*elements, f"… {more} more"] if more else elements
    return value


def shortened_text(text: str) -> str:
    more = len(text) - _MOST_CHARACTERS
    return f"{text[:_MOST_CHARACTERS]}… {more} more characters" if more > 0 else text
