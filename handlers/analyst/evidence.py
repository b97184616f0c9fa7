"""Groundedness: every number of a submission must be one of its own stock's facts.

A number is compared at the precision at which it is printed: 5.3 equals a fact of 5.25, and so does 5.25, but
5.30001 does not. Words around a number that are not claims about the stock (the 200 of "200-day average") are an
explicit, short list in `_not_claims`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from handlers.facts import Fact
from handlers.verdict import VerdictSubmission

# Signs and dashes that stand for a minus when nothing but space or a bracket is before them.
_NUMBER = re.compile(
    r"(?P<sign>(?<![\w.,)])[-\u2212–+]\s?)?"
    r"(?:(?P<currency>[₹$€£]|\b(?:Rs\.?|INR|USD|EUR|GBP)\s?)(?P<sign_inside>[-\u2212+](?=\d))?)?"
    r"(?P<digits>\d[\d,]*(?:\.\d+)?|\.\d+)"
    r"(?P<percent>\s?%|\s?percent\b|\s?per cent\b)?",
    re.IGNORECASE,
)
_CURRENCIES = {"₹": "INR", "rs": "INR", "$": "USD", "€": "EUR", "£": "GBP"}
# not calendar.month_name, which speaks the language of the machine
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Printed:
    """A number as a text shows it. `sign` is None where none is written: "fell 5 %" may mean -5.

    `kind` is the unit that the text states: percent, an ISO 4217 code, or None for none.
    """

    text: str
    magnitude: Decimal
    sign: Literal["+", "-"] | None
    kind: str | None

    def is_value(self, value: float, unit: str) -> bool:
        """Whether a fact of this value and unit prints as this number."""
        if self.kind is not None and self.kind != unit:
            return False
        exact = Decimal(repr(value))
        if self.sign is None:
            exact = abs(exact)
        return _rounds_to(exact, -self.magnitude if self.sign == "-" else self.magnitude)


def check_evidence(
    submission: VerdictSubmission, facts: Sequence[Fact], position: Sequence[tuple[float, str]] = ()
) -> list[str]:
    """What is not grounded in `facts`, one sentence per problem, for the model to mend; empty if all is.

    `facts` are those of the submission's own stock, `position` the numbers of its holding with their units
    (quantity and average price), which texts may repeat.
    """
    by_id = {fact.id: fact for fact in facts}
    known = [(fact.value, fact.unit) for fact in facts] + list(position)
    problems: list[str] = []
    for each in submission.evidence:
        fact = by_id.get(each.fact_id)
        if fact is None:
            problems.append(
                f"{each.fact_id} is not one of the facts supplied for {submission.symbol}; cite an id from its data."
            )
        elif not _rounds_to(Decimal(repr(fact.value)), _as_printed(each.value)):
            problems.append(
                f"The value {each.value} is not that of {fact.id} ({fact.name} is {fact.value} {fact.unit})."
            )
    blank = _not_claims(submission, facts)
    for text in submission.free_texts:
        problems.extend(
            f"The number {printed.text} in {_excerpt(text)!r} is not among the facts supplied for "
            f"{submission.symbol}; use a supplied value, at most rounded, or leave the number out."
            for printed in numbers_in(blank.sub(" ", text))
            if not any(printed.is_value(value, unit) for value, unit in known)
        )
    dates = {fact.as_of.isoformat() for fact in facts}
    problems.extend(
        f"The date {each.date} of a catalyst is not in the facts supplied for {submission.symbol}; leave it null."
        for each in submission.catalysts
        if each.date is not None and each.date not in dates
    )
    return problems


def numbers_in(text: str) -> Iterator[Printed]:
    """Every number of a text, with sign, percent and currency, wherever it stands, also inside a word."""
    for match in _NUMBER.finditer(text):
        sign = (match["sign"] or match["sign_inside"] or "").strip()
        yield Printed(
            text=match[0].strip(),
            magnitude=Decimal(match["digits"].replace(",", "")),
            sign="+" if sign == "+" else "-" if sign else None,
            kind="percent" if match["percent"] else _currency(match["currency"]),
        )


def _currency(text: str | None) -> str | None:
    if text is None:
        return None
    name = text.strip().rstrip(".").lower()
    return _CURRENCIES.get(name, name.upper())


def _as_printed(value: float) -> Decimal:
    """A JSON number at its own precision: 12.0 is a 12 without decimals, 12.3 has one."""
    exact = Decimal(repr(value))
    return exact.quantize(Decimal(1)) if exact == exact.to_integral_value() else exact


def _rounds_to(exact: Decimal, printed: Decimal) -> bool:
    exponent = printed.as_tuple().exponent
    assert isinstance(exponent, int)  # neither infinite nor NaN
    return abs(exact - printed) <= Decimal(5).scaleb(exponent - 1)


def _not_claims(submission: VerdictSubmission, facts: Sequence[Fact]) -> re.Pattern[str]:
    """Matches what may hold digits without claiming a number about the stock."""
    symbol = re.escape(submission.symbol.rpartition(":")[2])
    allowed = [
        rf"(?<!\w){symbol}(?!\w)",
        *(rf"\b{re.escape(fact.name)}\b" for fact in facts),
        *(rf"\b{re.escape(fact.id)}\b" for fact in facts),
        r"\b(?:1|20|50|200)[- ]?days?\b|\b(?:20|50|200)d\b",
        r"\b(?:1|52)[- ]?weeks?\b|\b52w (?:high|low|range)\b",
        r"\b(?:1|3|6|12)[- ]?months?\b|\b(?:1|3|6)m (?:return|momentum)\b",
        r"\b1[- ]?years?\b|\b1y (?:return|momentum|volatility|drawdown)\b",
        r"\bSMA ?[-_ (]?(?:20|50|200)\b|\b(?:20|50|200)[- ]?[SD]?MA\b",
        r"\bRSI ?[- (]?14\b|\b14[- ]?day RSI\b",
        rf"\b{submission.horizon_months}[- ]months?\b",
        rf"\bconviction (?:of |is |at )?{re.escape(repr(submission.conviction))}\b",
        r"\b(?:\d*1st|\d*2nd|\d*3rd|\d*[04-9]th|1[1-3]th)\b",
        r"^\s*\(?\d[.)]\s",
        r"\bMACD ?\(?12[,/] ?26[,/] ?9\b",
        *(pattern for fact in facts for pattern in _date_forms(fact)),
        *(day for fact in facts for day in re.findall(r"\d{4}-\d{2}-\d{2}", fact.inputs)),
    ]
    return re.compile("|".join(allowed), re.IGNORECASE)


def _date_forms(fact: Fact) -> list[str]:
    day, month, year = fact.as_of.day, _MONTHS[fact.as_of.month - 1], fact.as_of.year
    name = rf"(?:{month}|{month[:3]})"
    return [
        rf"\b{fact.as_of.isoformat()}\b",
        rf"\b0?{day} {name}\.?,? {year}\b",
        rf"\b{name}\.? 0?{day},? {year}\b",
        rf"(?<![\d.,₹$€£-]){year}\b(?!\s?%|[.,]\d)",
    ]


def _excerpt(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004 (long enough to find the place)
