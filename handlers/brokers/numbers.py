"""Numbers as people and brokers write them, exactly."""

import re
from decimal import Decimal

from handlers.brokers.holding import BrokerFileError

# One currency sign or code, before or after; then plain digits, or groups of Western (1,234,567) or Indian
# (12,34,567) style; at most 15 digits before the point and 12 after it, so that a float can stand for it.
_NUMBER = re.compile(
    r"(?P<minus>[-\N{MINUS SIGN}]?)\s?(?P<sign>\N{INDIAN RUPEE SIGN}|\$|Rs\.?|INR|USD)?\s?"
    r"(?P<minus2>[-\N{MINUS SIGN}]?)"
    r"(?P<whole>[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{2,3}){0,5},[0-9]{3}|)(?P<part>\.[0-9]{1,12}|\.?)",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\(([^()-]+)\)")
_SIGNS = {"$": "USD", "usd": "USD"}


def parse_number(text: str, *, brackets: bool = False) -> tuple[Decimal, str | None]:
    """The number, and the currency whose sign stands at it, if any.

    `1,234.50`, `12,34,567`, `₹ 1,500`, `$12.5` and `-3` are numbers; with `brackets`, `($5)` is -5. `1.234,5`
    and `1e5` are refused, and `(5)` where the format does not say what it means: they could be read in two ways.

    Raises:
        ValueError: not a number.
    """
    negated = _BRACKETS.fullmatch(text.strip()) if brackets else None
    written = negated[1] if negated else text
    match = _NUMBER.fullmatch(written.replace("\N{NO-BREAK SPACE}", " ").strip())
    if match is None or not (match["whole"] or match["part"].strip(".")):
        raise ValueError(f"{text[:40]!r} is not a number")
    if match["minus"] and match["minus2"]:
        raise ValueError(f"{text[:40]!r} has two minus signs")
    number = Decimal((match["whole"].replace(",", "") or "0") + match["part"].rstrip("."))
    negative = bool(match["minus"] or match["minus2"] or negated)
    sign = match["sign"]
    return plain(-number if negative else number), None if sign is None else _SIGNS.get(sign.lower(), "INR")


def parse_amount(text: str, meaning: str, *, brackets: bool = False) -> tuple[Decimal, str | None]:
    """A number of 0 or more, and its currency.

    Raises:
        BrokerFileError: blank, not a number, or negative; the message tells the `meaning`.
    """
    if not text:
        raise BrokerFileError(f"the {meaning} is blank.")
    try:
        number, sign = parse_number(text, brackets=brackets)
    except ValueError as error:
        raise BrokerFileError(f"the {meaning} {error}; write it like 1234.5.") from error
    if number < 0:
        raise BrokerFileError(
            f"the {meaning} is negative ({text[:40]}); short positions cannot be held here."
        )
    return number, sign


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent: 1.50 is 1.5, 100 stays 100."""
    short = number.normalize()
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short


def share_of(cost: Decimal, quantity: Decimal) -> Decimal:
    """What one share cost, to 6 decimals."""
    return plain(round(cost / quantity, 6))
