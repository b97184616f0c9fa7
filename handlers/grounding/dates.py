"""Dates that a text names: each must be the date of a supplied fact, or stand in what it was computed from."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from typing import NamedTuple

from handlers.facts import Fact

# not calendar.month_name, which speaks the language of the machine
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NUMBERS = {
    name[:length].lower(): number for number, name in enumerate(_MONTHS, 1) for length in (3, 4, len(name))
}
_MONTH = "(?P<month>" + "|".join(f"{name}|{name[:4]}|{name[:3]}" for name in _MONTHS) + r")\.?"
_YEAR = r"(?P<year>(?:19|20)\d{2})"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
# The fuller form first: what one has read is blank for the next.
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"\b(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})\b",
        r"\b(?P<day>\d{1,2})[/.](?P<month>\d{1,2})[/.](?P<year>\d{4})\b",
        rf"\b{_DAY}[\s-](?:of\s)?{_MONTH},?[\s-]{_YEAR}\b",
        rf"\b{_MONTH}\s{_DAY},?\s{_YEAR}\b",
        rf"\b{_MONTH},?[\s-]{_YEAR}\b",
        rf"\b{_DAY}[\s-](?:of\s)?{_MONTH}(?!\w)",
        rf"\b{_MONTH}\s{_DAY}(?!\w|[.,]\d|\s?%)",
        rf"\b(?:in|by|during|until|since)\s(?!May\b){_MONTH}(?!\w)",
    )
)
_PERIOD = re.compile(r"\b(?:[1-4]Q|Q[1-4]|H[12]|[12]H|FY)[\s-]?(?:FY)?[\s-]?'?(?:\d{2,4})?\b", re.IGNORECASE)
# A year alone is one only where a year is known; else it is a number like any other.
_LONE_YEAR = re.compile(r"(?<![\d.,₹$€£-])(?:19|20)\d{2}\b(?!\s?%|[.,]\d)")


# "252 closes 2023-03-02 to 2024-02-16": nothing happened to the stock on the first day of a window.
_WINDOW_START = re.compile(r"(\d{4}-\d{2}-\d{2})(?= to \d{4})")
_SINCE = re.compile(r"\b(?:since|from|between|after|starting|of)\s*$", re.IGNORECASE)


class Dates(NamedTuple):
    """The dates that facts supply: those of what they state, and the `starts` of the windows they look at.

    `names` are the words of the facts, in lower case: quarters and financial years are looked up there.
    """

    stated: frozenset[date]
    starts: frozenset[date]
    names: str


def supplied_dates(facts: Sequence[Fact]) -> Dates:
    stated: set[date] = set()
    starts: set[date] = set()
    for fact in facts:
        stated.add(fact.as_of)
        starts.update(_dates(_WINDOW_START.findall(fact.inputs)))
        stated.update(_dates(_ISO.findall(_WINDOW_START.sub("", fact.inputs))))
    names = " ".join(f"{fact.name} {fact.inputs}" for fact in facts).lower()
    return Dates(frozenset(stated), frozenset(starts), names)


def read_dates(text: str, supplied: Dates) -> tuple[str, list[str]]:
    """The text with its dates blanked, and those of them that are not supplied.

    The start of a window is one only where the text says so: "since 28 December 2021".
    """
    unknown: list[str] = []

    def look(is_known: Callable[[re.Match[str]], bool]) -> Callable[[re.Match[str]], str]:
        def blank(match: re.Match[str]) -> str:
            if not is_known(match):
                unknown.append(match[0].strip())
            return " " * len(match[0])

        return blank

    for form in _FORMS:
        text = form.sub(look(lambda match: _is_supplied(match, supplied)), text)
    text = _PERIOD.sub(look(lambda match: match[0].strip().lower() in supplied.names), text)
    years = {str(each.year) for each in supplied.stated | supplied.starts}
    return _LONE_YEAR.sub(lambda match: " " * 4 if match[0] in years else match[0], text), unknown


def _is_supplied(match: re.Match[str], supplied: Dates) -> bool:
    is_whole = match.groupdict().get("day") is not None
    is_start = not is_whole or _SINCE.search(match.string[: match.start()]) is not None
    return any(
        _fits(match, each) for each in (supplied.stated | supplied.starts if is_start else supplied.stated)
    )


def _fits(match: re.Match[str], supplied: date) -> bool:
    named = match.groupdict()
    year, month, day = named.get("year"), named["month"].lower(), named.get("day")
    months = {int(month)} if month.isdigit() else {_NUMBERS[month]}
    days = {supplied.day} if day is None else {int(day)}
    if month.isdigit() and "-" not in match[0]:  # 3/4/2024: which is the month, nobody can tell
        months, days = {int(month), int(day or 0)}, {int(month), int(day or 0)}
    return (year is None or int(year) == supplied.year) and supplied.month in months and supplied.day in days


def _dates(texts: Iterable[str]) -> Iterator[date]:
    for text in texts:
        with suppress(ValueError):  # 2024-13-01 only looks like one
            yield date.fromisoformat(text)
