"""Other ways to print the same number: nothing becomes wrong by them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random
from typing import Any

from tests.evals.cases import StockData
from tests.evals.oracle import MINUS, SCALES, Amount, Number, rounded

_UNITS = (
    ("%", " %", " percent", " per cent", " pct"),
    (" crore", " cr"),
    (" billion", " bn", "bn"),
    (" million", " mn"),
)
_CURRENCIES = (("₹", "Rs", "Rs.", "INR"), ("$", "US$", "USD"))
_MINUSES = (MINUS, "-")


def reworded(number: Number, meant: Sequence[Amount], random: Random) -> Number:
    """Fewer decimals, other separators, another spelling of the unit, each or none of them."""
    if random.random() < 0.3:
        number = with_fewer_decimals(number, meant)
    if random.random() < 0.3:
        number = replace(number, digits=_separated(number, meant[0].unit, random))
    if random.random() < 0.5:
        number = _respelled(number, random)
    return number


def with_fewer_decimals(number: Number, meant: Sequence[Amount]) -> Number:
    """One less, rounded from what was supplied; as it is where that would leave nothing or is a tie."""
    if not number.decimals:
        return number
    sizes = {rounded_once(abs(each.value) / number.scale, number.decimals - 1) for each in meant}
    size = sizes.pop()
    return number if sizes or not size else replace(number, digits=f"{size:,}")


def rounded_once(size: Decimal, decimals: int) -> Decimal | None:
    """None for a tie: printed either way, it may be refused."""
    half_up = rounded(size, decimals)
    return half_up if half_up == rounded(size, decimals, ROUND_HALF_EVEN) else None


def _separated(number: Number, unit: str, random: Random) -> str:
    whole, point, decimals = number.digits.replace(",", "").partition(".")
    styles = [whole, f"{int(whole):,}", *([_indian(whole)] if unit == "INR" else [])]
    return random.choice(styles) + point + decimals


def _indian(whole: str) -> str:
    """1234567 as 12,34,567."""
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(i - 2, 0) : i] for i in range(len(head), 0, -2)][::-1]
    return ",".join([*pairs, tail])


def _respelled(number: Number, random: Random) -> Number:
    for spellings in _UNITS:
        if number.unit and number.gap + number.unit in spellings:
            unit = random.choice(spellings)
            number = replace(number, gap=" " if unit.startswith(" ") else "", unit=unit.strip())
    for spellings in _CURRENCIES:
        if number.currency in spellings:
            number = replace(number, currency=random.choice(spellings))
    if number.sign in _MINUSES:
        number = replace(number, sign=random.choice(_MINUSES))
    return number


def reworded_evidence(item: Mapping[str, Any], stock: StockData, random: Random) -> Mapping[str, Any]:
    """The value of a copied fact with one decimal less, or the item as it is."""
    fact = next(fact for fact in stock.facts if fact.id == item["fact_id"])
    decimals = len(str(item["value"]).partition(".")[2])
    if item.get("operation") or not decimals or random.random() < 0.5:
        return item
    scale = SCALES.get(item["unit"].partition(" ")[2], 1)
    size = rounded_once(Decimal(str(fact.value)) / scale, decimals - 1)
    return {**item, "value": float(size)} if size else item
