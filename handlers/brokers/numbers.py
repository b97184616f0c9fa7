"""Numbers as people and brokers write them, exactly."""

import re
from decimal import Decimal

# One currency sign or code, before or after; then plain digits, or groups of Western (1,234,567) or Indian
# (12,34,567) style; at most 15 digits before the point and 12 after it, so that a float can stand for it.
_NUMBER = re.compile(
    r"(?P<minus>[-\N{MINUS SIGN}]?)\s?(?P<sign>\N{INDIAN RUPEE SIGN}|\$|Rs\.?|INR|USD)?\s?"
    r"(?P<minus2>[-\N{MINUS SIGN}]?)"
    r"(?P<whole>[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{2,3}){0,5},[0-9]{3}|)(?P<part>\.[0-9]{1,12}|\.?)",
    re.IGNORECASE,
)
_SIGNS = {"$": "USD", "usd": "USD"}


def parse_number(text: str) -> tuple[Decimal, str | None]:
    """The number, and the currency whose sign stands at it, if any.

    `1,234.50`, `12,34,567`, `₹ 1,500`, `$12.5` and `-3` are numbers. `1.234,5`, `1e5` and `(5)` are refused:
    they could be read in two ways.

    Raises:
        ValueError: not a number.
    """
    match = _NUMBER.fullmatch(text.replace("\N{NO-BREAK SPACE}", " ").strip())
    if match is None or not (match["whole"] or match["part"].strip(".")):
        raise ValueError(f"{text[:40]!r} is not a number")
    if match["minus"] and match["minus2"]:
        raise ValueError(f"{text[:40]!r} has two minus signs")
    number = Decimal((match["whole"].replace(",", "") or "0") + match["part"].rstrip("."))
    negative = bool(match["minus"] or match["minus2"])
    sign = match["sign"]
    return plain(-number if negative else number), None if sign is None else _SIGNS.get(sign.lower(), "INR")


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent: 1.50 is 1.5, 100 stays 100."""
    short = number.normalize()
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short
