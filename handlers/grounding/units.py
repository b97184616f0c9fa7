"""How units, currencies and scales are written, and what they mean."""

import re
from collections.abc import Mapping
from decimal import Decimal

PERCENT, RATIO, POINTS, SHARES = "percent", "ratio", "points", "shares"
PERCENTAGE_POINTS = "percentage points"

_CURRENCIES: Mapping[str, str] = {
    "₹": "INR", "rs": "INR", "rupee": "INR", "rupees": "INR", "$": "USD", "us$": "USD", "dollar": "USD",
    "dollars": "USD", "€": "EUR", "euro": "EUR", "euros": "EUR", "£": "GBP", "¥": "JPY",
    **{code.lower(): code for code in (
        "INR", "USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "SGD", "HKD", "CNY", "AED", "SAR", "ZAR", "SEK", "NOK",
        "DKK", "NZD", "KRW", "TWD", "THB", "MYR", "IDR", "BRL", "MXN", "ILS", "PLN", "CZK", "HUF", "LKR", "BDT", "NPR",
    )},
    "yen": "JPY", "yuan": "CNY", "renminbi": "CNY", "franc": "CHF", "francs": "CHF", "sterling": "GBP",
    "dirham": "AED", "dirhams": "AED", "riyal": "SAR", "riyals": "SAR", "won": "KRW", "rand": "ZAR",
}  # fmt: skip
_SCALES: Mapping[str, int] = {
    "thousand": 3, "k": 3, "lakh": 5, "lakhs": 5, "lac": 5, "lacs": 5, "million": 6, "mn": 6, "m": 6, "mln": 6,
    "crore": 7, "crores": 7, "cr": 7, "billion": 9, "bn": 9, "b": 9, "lakh crore": 12, "lakh crores": 12,
    "trillion": 12, "tn": 12, "t": 12,
}  # fmt: skip
_PERCENT = ("%", "percent", "per cent", "pct")
_UNITS: Mapping[str, str] = {
    **dict.fromkeys(_PERCENT, PERCENT),
    **dict.fromkeys(
        ("percentage point", "percentage points", "% points", "pp", "pps", "ppt", "ppts"), PERCENTAGE_POINTS
    ),
    **dict.fromkeys(("x", "×", "times", "ratio"), RATIO),
    **dict.fromkeys(("point", "points"), POINTS),
    **dict.fromkeys(("share", "shares"), SHARES),
    **dict.fromkeys(("bp", "bps", "basis point", "basis points"), "bps"),
}


def _any_of(words: Mapping[str, object]) -> str:
    """A pattern for any of these; a word ends where the word ends."""
    longest_first = sorted(words, key=len, reverse=True)
    return "|".join(
        re.escape(word).replace(r"\ ", r"[\s-]") + (r"(?![A-Za-z])" if word[-1].isalpha() else "")
        for word in longest_first
    )


CURRENCY_PATTERN = _any_of(_CURRENCIES)
SCALE_PATTERN = _any_of(_SCALES)
UNIT_PATTERN = _any_of(_UNITS)


def currency_of(text: str) -> str:
    return _CURRENCIES[_plain(text)]


def scale_of(text: str | None) -> Decimal:
    """What one of this scale word is; without one, 1."""
    return Decimal(1) if text is None else Decimal(10) ** _SCALES[_plain(text)]


def unit_of(text: str) -> str:
    return _UNITS[_plain(text)]


def read_unit(text: str) -> tuple[str, Decimal]:
    """The unit and the scale that an evidence item states: `INR crore` is INR by 10 million.

    A unit that is not known here stands for itself.
    """
    plain = _plain(text)
    if plain in _UNITS:
        return _UNITS[plain], Decimal(1)
    head, _, scale = plain.partition(" ")
    if head in _CURRENCIES and (not scale or scale in _SCALES):
        return _CURRENCIES[head], scale_of(scale or None)
    return text.strip(), Decimal(1)


def _plain(text: str) -> str:
    return re.sub(r"[\s-]+", " ", text.strip().rstrip(".")).lower()
