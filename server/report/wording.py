"""How the numbers and the words of the store are written for a person. Rounding happens here and nowhere else."""

import re
from datetime import datetime, tzinfo
from decimal import Decimal

from handlers.day import dated
from handlers.verdict import Action

UNKNOWN = "–"
_LARGE, _SMALL = 100_000, 1

# What could move, hide or end other text: controls, bidi marks and overrides, invisible operators, halves of a pair.
# Joiners stay, because Indian scripts need them. Unlike what goes to a terminal (server/escaping.py) it is drawn by a
# program that may know newer signs than this Python does: what is not named here is shown, and a code would be text.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)

_WORDS = {
    "sma": "SMA",
    "rsi": "RSI",
    "atr": "ATR",
    "macd": "MACD",
    "bollinger": "Bollinger",
    "pe": "P/E",
    "pb": "P/B",
    "eps": "EPS",
    "roe": "return on equity",
    "ttm": "12 months",
    "1d": "1 day",
    "1w": "1 week",
    "1m": "1 month",
    "3m": "3 months",
    "6m": "6 months",
    "1y": "1 year",
    "52w": "52 weeks",
}


def visible(text: str) -> str:
    """One line of the same text, with a mark in the place of each character that could not be seen."""
    return _UNSEEN.sub("\ufffd", " ".join(text.split()))


def label(name: str) -> str:
    """A fact's name for people: `return_3m` is "Return 3 months"."""
    text = " ".join(_WORDS.get(word, word) for word in name.split("_"))
    return text[:1].upper() + text[1:]


def plural(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


def number(value: float | Decimal | None) -> str:
    """Two decimals; none of what is large, and three digits of what is small."""
    if value is None:
        return UNKNOWN
    if abs(value) >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:.3g}" if 0 < abs(value) < _SMALL else f"{value:,.2f}"


def quantity(value: float | Decimal) -> str:
    """Without the zeros behind it."""
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def with_unit(value: float, unit: str) -> str:
    return _behind(f"{value:,.2f}" if unit == "percent" else number(value), unit)


def printed(value: float, unit: str) -> str:
    """A number that an analyst wrote, with all its digits."""
    return _behind(f"{value:,.12g}", unit)


def _behind(text: str, unit: str) -> str:
    match unit:
        case "percent":
            return f"{text} %"
        case "ratio":
            return text
        case _:
            return f"{text} {unit}"


def change(percent: float | Decimal | None) -> str:
    """With its sign."""
    return UNKNOWN if percent is None else f"{percent:+,.1f} %"


def percent(value: float | Decimal | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f} %"


def share(part: float | None) -> str:
    """A share of 0 to 1, or a return, in percent."""
    return UNKNOWN if part is None else f"{100 * part:.1f} %"


def conviction(value: float, action: str) -> str:
    """From 0 to 1; without a view there is none."""
    return UNKNOWN if action == Action.INSUFFICIENT_DATA else f"{value:.2f}"


def moment(value: datetime, zone: tzinfo | None) -> str:
    return dated(value, zone)


def action_word(action: str) -> str:
    return "NO DATA" if action == Action.INSUFFICIENT_DATA else action


def is_web(address: str | None) -> bool:
    """Whether it may become a link: the store keeps no other addresses, and a report is read without the store."""
    return address is not None and address.startswith(("https://", "http://"))
