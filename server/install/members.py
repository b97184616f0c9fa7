"""Sets or removes one member in the text of a JSON object; every other character stays as it is.

Of a name that stands twice in an object the last one counts, as for `JSON.parse`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")


class _Member(NamedTuple):
    name: str
    start: int
    value: int
    end: int


class _Layout(NamedTuple):
    newline: str
    indent: str


def set_member(text: str, names: Sequence[str], value: Any) -> str:
    """The text with `value` at the path `names`, whose missing objects are made.

    `text` is a valid JSON object, and so is what stands on the path.
    """
    return _set(text, _after_blank(text, 0), names, value, _layout(text), 1)


def remove_member(text: str, names: Sequence[str]) -> str:
    """The text without what stands at the path `names`, if anything does."""
    *outer, name = names
    start = _after_blank(text, 0)
    for each in outer:
        found = [member for member in _members(text, start) if member.name == each]
        if not found:
            return text
        start = found[-1].value
    # From the end, so that the places before it stay true.
    for number in reversed([n for n, member in enumerate(_members(text, start)) if member.name == name]):
        text = _cut(text, start, number)
    return text


def _set(text: str, start: int, names: Sequence[str], value: Any, layout: _Layout, depth: int) -> str:
    name, *inner = names
    members = list(_members(text, start))
    same = [member for member in members if member.name == name]
    if same and inner:
        return _set(text, same[-1].value, inner, value, layout, depth + 1)
    for each in reversed(inner):
        value = {each: value}
    if same:
        shown = _dump(value, _blank_before(text, same[-1].start), layout)
        return text[: same[-1].value] + shown + text[same[-1].end :]
    if members:
        blank, last = _blank_before(text, members[-1].start), members[-1].end
        added = f",{blank}{json.dumps(name)}: {_dump(value, blank, layout)}"
        return text[:last] + added + text[last:]
    blank = layout.newline + layout.indent * depth
    added = f"{blank}{json.dumps(name)}: {_dump(value, blank, layout)}{layout.newline}{layout.indent * (depth - 1)}"
    return text[: start + 1] + added + text[_after_blank(text, start + 1) :]


def _cut(text: str, start: int, number: int) -> str:
    members = list(_members(text, start))
    if number + 1 < len(members):
        return text[: members[number].start] + text[members[number + 1].start :]
    if number > 0:
        return text[: members[number - 1].end] + text[members[number].end :]
    return text[: start + 1] + text[_after_blank(text, members[number].end) :]


def _members(text: str, start: int) -> Iterator[_Member]:
    """The members of the object that begins at `start`."""
    at = _after_blank(text, start + 1)
    while text[at] != "}":
        name, colon = _DECODER.raw_decode(text, at)
        value = _after_blank(text, _after_blank(text, colon) + 1)
        _, end = _DECODER.raw_decode(text, value)
        yield _Member(name, at, value, end)
        at = _after_blank(text, end)
        if text[at] == ",":
            at = _after_blank(text, at + 1)


def _dump(value: Any, blank: str, layout: _Layout) -> str:
    """In one line where the members around it are, else with their indentation."""
    if "\n" not in blank:
        return json.dumps(value, ensure_ascii=False)
    lines = json.dumps(value, ensure_ascii=False, indent=layout.indent)
    return lines.replace("\n", layout.newline + blank.rpartition("\n")[2])


def _layout(text: str) -> _Layout:
    """How the text is broken into lines: two blanks where it does not tell."""
    newline = "\r\n" if "\r\n" in text else "\n"
    indented = re.match(r"\s*\{[ \t]*\r?\n(?P<indent>[ \t]+)", text)
    return _Layout(newline, indented["indent"] if indented else "  ")


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    assert found is not None  # it matches nothing, too
    return found.end()


def _blank_before(text: str, at: int) -> str:
    return text[len(text[:at].rstrip(" \t\r\n")) : at]
