"""What can be made wrong about a printed number."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from random import Random

from tests.evals.cases import StockData, stocks
from tests.evals.oracle import CURRENCIES, MINUS, Amount, Number, rounded

_OTHER_CURRENCY = {"₹": "$", "Rs": "$", "Rs.": "$", "INR": "USD", "rupees": "dollars"} | {
    "$": "₹",
    "US$": "Rs",
    "USD": "INR",
}
_OTHER_SCALE = {"lakh": "crore", "crore": "lakh", "cr": "lakh", "lakh crore": "crore"} | {
    "million": "billion",
    "billion": "million",
    "bn": "million",
    "trillion": "billion",
    "M": "B",
    "B": "M",
}
_RISING = {
    "fell": "rose",
    "lost": "gained",
    "Lost": "Gained",
    "below": "above",
    "down": "up",
    "Down": "Up",
} | {
    "Underperformed": "Outperformed",
    "decline": "rise",
    "loss": "gain",
    "slipped": "climbed",
    "lower": "higher",
}
# The facts that have a direction; a derived amount has no name.
_CHANGE = re.compile(r"return|distance|growth|drawdown|strength|pnl|^$")
# "over" often stands for a span, so nothing is turned to "under".
_ONE_WAY = {"Rose": "Fell", "grew": "fell", "under": "over", "rallied": "slid", "increase": "decrease"}
_OPPOSITE = {**_RISING, **{rising: falling for falling, rising in _RISING.items()}, **_ONE_WAY}


def other_digits(number: Number) -> list[Number]:
    """Every number that differs from this one in a single digit and has as many."""
    return [
        replace(number, digits=number.digits[:i] + digit + number.digits[i + 1 :])
        for i, old in enumerate(number.digits)
        for digit in "0123456789"
        if old.isdigit() and digit != old and not (i == 0 and digit == "0" and number.printed >= 1)
    ]


def other_signs(number: Number, amount: Amount) -> Iterator[Number]:
    """The printed sign turned round, or a sign that contradicts the amount."""
    if amount.value and number.sign:
        yield replace(number, sign=MINUS if number.sign == "+" else "+")
    elif amount.value:
        yield replace(number, sign="+" if amount.value < 0 else MINUS)


def other_direction(text: str, number: Number, amount: Amount) -> str | None:
    """The text with the word right before or after a change, a loss or a gain turned round."""
    if number.sign or not _CHANGE.search(amount.name):
        return None
    before = re.search(r"(\w+)(?: by| of)? $", text[: number.start])
    after = re.match(r" (\w+)", text[number.end :])
    # "below 41.8 %" compares with a level, which may as well be above
    if before and before[1] in _OPPOSITE and before[1] not in {"below", "above"}:
        return text[: before.start(1)] + _OPPOSITE[before[1]] + text[before.end(1) :]
    if after and after[1] in _OPPOSITE:
        start = number.end + 1
        return text[:start] + _OPPOSITE[after[1]] + text[start + len(after[1]) :]
    return None


def other_units(number: Number, amount: Amount) -> list[Number]:
    """The same digits as another unit, currency or scale."""
    bare = replace(number, currency="", unit="", gap="")
    options: list[Number] = []
    if amount.unit == "percent":
        options += [bare, replace(bare, unit="x"), replace(bare, currency="$"), replace(bare, currency="₹")]
    else:
        options.append(replace(bare, unit="%", gap=" "))
    if amount.unit in {"ratio", "points", "shares"}:
        options += [replace(bare, currency="$"), replace(bare, currency="₹")]
    if number.currency:
        options.append(replace(number, currency=_OTHER_CURRENCY[number.currency]))
    if number.unit in _OTHER_CURRENCY:
        options.append(replace(number, unit=_OTHER_CURRENCY[number.unit]))
    if number.unit in _OTHER_SCALE:
        options.append(replace(number, unit=_OTHER_SCALE[number.unit]))
    return options


def other_stocks(number: Number, amount: Amount, own: StockData) -> list[Number]:
    """What the same fact of other stocks would look like here."""
    others = [stock for stock in stocks().values() if stock.name != own.name]
    values = [Decimal(str(f.value)) for stock in others for f in stock.facts if f.name == amount.name]
    if amount.name in {"quantity", "average_price"}:
        place = 0 if amount.name == "quantity" else 1
        values = [Decimal(str(stock.position[place][0])) for stock in others]
    sizes = [rounded(abs(value) / number.scale, number.decimals) for value in values]
    return [replace(number, digits=f"{size:,}") for size in sizes if size]


def other_values(value: float, count: int, random: Random) -> list[float]:
    """Of an evidence item: one digit changed."""
    printed = Number(0, 0, "", "", str(abs(value)), "", "")
    options = [float(each.digits) for each in other_digits(printed)]
    # 5.0 reads as 5, which may be right at that precision
    options = [size for size in options if not size.is_integer() or float(value).is_integer()]
    return [size if value >= 0 else -size for size in random.sample(options, min(count, len(options)))]


def other_evidence_units(unit: str) -> list[str]:
    first, _, scale = unit.partition(" ")
    other: Mapping[str, str] = {"percent": "ratio", "ratio": "percent", "points": "percent"}
    changed = _OTHER_CURRENCY.get(first) or other[first]
    if not scale:
        return [changed, *(["INR crore"] if first in CURRENCIES else [])]
    return [f"{changed} {scale}", f"{first} {_OTHER_SCALE[scale]}", first]


def same_fact_elsewhere(fact_id: str, own: StockData) -> list[str]:
    """The ids under which one other stock has this fact; none where no other has it."""
    name = next(fact.name for fact in own.facts if fact.id == fact_id)
    others = [stock for stock in stocks().values() if stock.name != own.name]
    return [fact.id for stock in others for fact in stock.facts if fact.name == name][:1]
