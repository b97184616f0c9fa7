"""International securities identification numbers, by ISO 6166."""

import re

_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")


def require_isin(text: str) -> str:
    """The ISIN in upper case: a country, nine characters, and the check digit that they demand.

    Raises:
        ValueError: not twelve such characters, or another check digit: one of them was mistyped.
    """
    isin = text.strip().upper()
    if not _ISIN.fullmatch(isin):
        raise ValueError(f"{text[:40]!r} is not an ISIN, which is like INE009A01021")
    if _luhn(isin) % 10:
        raise ValueError(f"{isin} is no ISIN: its check digit does not fit the rest")
    return isin


def _luhn(isin: str) -> int:
    """ISO 6166 annex C: letters become 10 to 35, every second digit from the right counts double."""
    digits = "".join(str(int(character, 36)) for character in isin)
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(sum(divmod(number, 10)) for number in doubled)
