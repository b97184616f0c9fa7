"""Reads the numbers of a text as they are printed: sign, currency, digits, scale, unit."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from handlers.grounding.amounts import Amount, prints_as
from handlers.grounding.units import (
    CURRENCY_PATTERN,
    PERCENT,
    PERCENTAGE_POINTS,
    SCALE_PATTERN,
    UNIT_PATTERN,
    currency_of,
    scale_of,
    unit_of,
)

# Western groups, Indian groups, or none; with whatever else stands between digits it is not a number.
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\w.,)%])[-+]\s?)?"
    rf"(?:(?<![A-Za-z])(?P<before>{CURRENCY_PATTERN})\.?\s?(?P<inner>[-+](?=[\d.]))?)?"
    rf"(?P<digits>{_DIGITS})(?P<rest>[.,]?\d[\d.,]*)?"
    rf"(?:[\s-]?(?P<scale>{SCALE_PATTERN}))?"
    rf"(?:\s?(?P<after>{CURRENCY_PATTERN})(?!\s?\d)|[\s-]?(?P<unit>{UNIT_PATTERN}))?"
    rf"(?P<exponent>[eE^]\d|[\u00b2\u00b3\u00b9\u2070-\u2079])?",
    re.IGNORECASE | re.ASCII,  # other scripts have digits too; they are not read, and so refused
)
_RANGE = re.compile(r"\s?(?:-|/|to|and)\s?", re.IGNORECASE)
_DASHES = str.maketrans(dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\ufe63\uff0d", "-"))
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f", " "))


@dataclass(frozen=True, slots=True)
class Printed:
    """A number as a text shows it, from `start` to `end`.

    `sign` is None where none is written. `unit` is the one that the text states: an ISO 4217 code, percent, ratio …,
    or None. What cannot be read (1,5034 or 1e9) has no `number`.
    """

    text: str
    number: Decimal | None
    sign: Literal["+", "-"] | None
    unit: str | None
    scale: Decimal
    start: int
    end: int

    def may_be(self, amount: Amount) -> bool:
        """Whether the amount, up to a sign that is not written, prints as this number in its unit."""
        if self.number is None:
            return False
        value = amount.value if self.scale == 1 else amount.value / self.scale
        match self.unit:
            case None if amount.unit in (PERCENT, PERCENTAGE_POINTS):
                return False
            case None:
                pass
            case "bps" if amount.unit in (PERCENT, PERCENTAGE_POINTS):
                value *= 100
            case unit if unit == amount.unit:
                pass
            case unit if {unit, amount.unit} == {PERCENT, PERCENTAGE_POINTS}:
                pass
            case _:
                return False
        if self.sign is None:
            return prints_as(abs(value), self.number)
        return prints_as(value, -self.number if self.sign == "-" else self.number)


def plain(text: str) -> str:
    """The text, as long as before, with one kind of minus and of space."""
    return text.translate(_DASHES).translate(_SPACES)


def numbers_in(text: str) -> list[Printed]:
    """Every number of a `plain` text, wherever it stands, also inside a word."""
    found = [_read(match) for match in _NUMBER.finditer(text)]
    return [*_with_ranges(text, found), *_unreadable(text)]


def _read(match: re.Match[str]) -> Printed:
    sign = (match["sign"] or match["inner"] or "").strip()
    currency = match["before"] or match["after"]
    is_readable = match["rest"] is None and match["exponent"] is None
    return Printed(
        text=match[0].strip(),
        number=Decimal(match["digits"].replace(",", "")) if is_readable else None,
        sign="+" if sign == "+" else "-" if sign else None,
        unit=currency_of(currency) if currency else unit_of(match["unit"]) if match["unit"] else None,
        scale=scale_of(match["scale"]),
        start=match.start(),
        end=match.end(),
    )


def _with_ranges(text: str, found: list[Printed]) -> list[Printed]:
    """In `12-15 %` and `₹1,300 to 1,500` each number has the unit of the other; the scale is that of the last."""
    for index in range(len(found) - 1):
        first, last = found[index], found[index + 1]
        if not _RANGE.fullmatch(text[first.end : last.start]):
            continue
        if first.unit is None and last.unit is not None:
            found[index] = replace(
                first, unit=last.unit, scale=last.scale if first.scale == 1 else first.scale
            )
        elif last.unit is None and first.unit is not None and last.scale == first.scale:
            found[index + 1] = replace(last, unit=first.unit)
    return found


def _unreadable(text: str) -> Iterator[Printed]:
    """Whatever else Unicode counts as a digit or a number (½, ², ٣)."""
    for position, character in enumerate(text):
        if not character.isascii() and character.isnumeric():
            yield Printed(character, None, None, None, Decimal(1), position, position + 1)
