"""Every number of a verdict must be one of its own stock's facts, at the precision and in the unit of the print.

The rules are in docs/groundedness.md. There is no search over pairs of facts: with enough pairs, any number fits.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from handlers.facts import Fact
from handlers.grounding.amounts import Amount, exact
from handlers.grounding.dates import Dates, read_dates, supplied_dates
from handlers.grounding.direction import direction_at
from handlers.grounding.evidence import amount_of, check_item
from handlers.grounding.harmless import blank_harmless, own_words
from handlers.grounding.numbers import Printed, numbers_in, plain
from handlers.verdict import VerdictSubmission

_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_ONES = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen"
    "|seventeen|eighteen|nineteen|half|hundred"
)
_IN_WORDS = re.compile(
    rf"\b(?:(?:{_TENS})(?:[- ](?:{_ONES}))?|{_ONES})(?: a)? ?(?:per ?cent\b|percentage\b|%)"
    r"|\b(?:doubl|tripl|trebl|quadrupl|quintupl|halv)(?:ed|es|ing)\b|\b(?:two|three|four|five|ten)[- ]?fold\b"
    r"|\b(?:a|one|two|three)[- ](?:third|quarter)s? of (?:its|their)\b|\bby (?:half|a third|a quarter)\b",
    re.IGNORECASE,
)


def check_grounding(
    submission: VerdictSubmission, facts: Sequence[Fact], position: Sequence[tuple[float, str]] = ()
) -> list[str]:
    """What is not grounded in `facts`, one sentence per problem, for the model to mend; empty if all is.

    `facts` are those of the submission's own stock, `position` the numbers of its holding with their units
    (quantity and average price), which texts may repeat.
    """
    by_id = {fact.id: fact for fact in facts}
    items = [check_item(each, by_id) for each in submission.evidence]
    known = [
        *(amount_of(fact) for fact in facts),
        *(Amount(exact(value), unit) for value, unit in position),
        *(each for each in items if isinstance(each, Amount)),
    ]
    problems = [each for each in items if isinstance(each, str)]
    supplied, own = supplied_dates(facts), own_words(submission, facts)
    for text in submission.free_texts:
        problems.extend(_problems(text, own, supplied, known))
    dates = {each.isoformat() for each in supplied.stated}
    problems.extend(
        f"The date {each.date} of a catalyst is not in the facts supplied for {submission.symbol}; leave it null."
        for each in submission.catalysts
        if each.date is not None and each.date not in dates
    )
    return problems


def _problems(text: str, own: re.Pattern[str], supplied: Dates, known: Sequence[Amount]) -> Iterator[str]:
    where = f"in {_excerpt(text)!r}"
    rest, unknown = read_dates(plain(text), supplied)
    for named in unknown:
        yield f"The date {named} {where} is not that of a supplied fact; leave it out."
    for match in _IN_WORDS.finditer(text):
        yield f"{match[0]!r} {where} is a number in words; write it in figures, from a fact or an evidence item."
    rest = blank_harmless(rest, own)
    for printed in numbers_in(rest):
        problem = _problem(printed, rest, known)
        if problem is not None:
            yield f"The number {printed.text} {where} {problem}"


def _problem(printed: Printed, text: str, known: Sequence[Amount]) -> str | None:
    if printed.number is None:
        return "cannot be read; write it in plain figures."
    matches = [amount for amount in known if printed.may_be(amount)]
    if not matches:
        return (
            "is not among the supplied facts in this unit, nor an evidence item; use a supplied value, at most rounded,"
            " with its unit (percent with %), or leave the number out."
        )
    if printed.sign is not None or any(each.value >= 0 and not each.is_change for each in matches):
        return None
    said = direction_at(text, printed.start, printed.end)
    if any(_agrees(amount, said) for amount in matches):
        return None
    value = max((amount.value for amount in matches), key=abs)
    return (
        f"is {value:+f}"[:40].rstrip("0")
        + " in the data; say in words, or by its sign, whether it is up or down."
    )


def _agrees(amount: Amount, said: str | None) -> bool:
    """A loss is said to be one; of a level only its own sign counts."""
    if amount.value < Decimal(0):
        return said == "down"
    return not (amount.is_change and said == "down")


def _excerpt(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004 (long enough to find the place)
