"""An amount that a verdict may write, and whether a number as printed is it."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Amount:
    """`unit` as facts state it: an ISO 4217 code, percent, ratio, points, shares.

    A change is up or down, so that words like "fell" must agree with its sign; a level merely is.
    """

    value: Decimal
    unit: str
    is_change: bool = False


def exact(value: float) -> Decimal:
    """The decimal number that a float prints as."""
    return Decimal(repr(value))


def as_printed(value: float) -> Decimal:
    """A JSON number at its own precision: 12.0 is a 12 without decimals, 12.3 has one."""
    number = exact(value)
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number


def prints_as(value: Decimal, printed: Decimal) -> bool:
    """Whether `value`, rounded to the decimals of `printed`, is `printed`; halves may go either way.

    A 0 counts as 0.0: of 0.3 it would say nothing.
    """
    exponent = printed.as_tuple().exponent
    assert isinstance(exponent, int)  # neither infinite nor NaN
    if not printed:
        exponent = min(exponent, -1)
    return abs(value - printed) <= Decimal(5).scaleb(exponent - 1)
