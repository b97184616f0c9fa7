"""Dates of a text, moved to days on which nothing was supplied."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

from tests.evals.cases import StockData
from tests.evals.oracle import DATE, supplied_dates

# How the grounded cases print a date.
_FORMATS = ("%Y-%m-%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %Y")
_SHIFTS: tuple[Callable[[date], date], ...] = (
    lambda day: day + timedelta(days=3),
    lambda day: day - timedelta(days=4),
    lambda day: day + timedelta(days=31),
    lambda day: day - timedelta(days=61),
    lambda day: day - timedelta(days=364),
    lambda day: day + timedelta(days=365),
    lambda day: day - timedelta(days=2 * 365),
)


def shifted_dates(text: str, stock: StockData) -> Iterator[str]:
    """The text with one of its dates by days, months or years off, never by chance another supplied date."""
    supplied = supplied_dates(stock)
    for match in DATE.finditer(text):
        form = _form(match[0])
        known = {day.strftime(form) for day in supplied}
        for shift in _SHIFTS:
            wrong = shift(_day(match[0], form)).strftime(form)
            if wrong not in known:
                yield text[: match.start()] + re.sub(r"\b0(?=\d [A-Z]|\d, )", "", wrong) + text[match.end() :]


def _form(printed: str) -> str:
    for form in _FORMATS:
        try:
            _day(printed, form)
        except ValueError:
            continue
        return form
    raise ValueError(f"{printed!r} has none of the forms {_FORMATS}.")


def _day(printed: str, form: str) -> date:
    return datetime.strptime(printed, form).replace(tzinfo=UTC).date()
