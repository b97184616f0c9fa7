"""A small oracle, independent of the check: which numbers of a text repeat something supplied, and which dates.

It knows the spellings of the hand-made cases only. What it does not recognise is left alone by the generator.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

from tests.evals.cases import StockData

CURRENCIES = {"₹": "INR", "Rs": "INR", "Rs.": "INR", "INR": "INR", "rupees": "INR"} | {
    "$": "USD",
    "US$": "USD",
    "USD": "USD",
    "dollars": "USD",
}
SCALES = {"lakh": 10**5, "crore": 10**7, "cr": 10**7, "lakh crore": 10**12} | {
    "M": 10**6,
    "mn": 10**6,
    "million": 10**6,
    "B": 10**9,
    "bn": 10**9,
    "billion": 10**9,
    "trillion": 10**12,
}
KINDS = {"%": "percent", "percent": "percent", "per cent": "percent", "pct": "percent"} | {
    "percentage points": "percent",
    "x": "ratio",
    "times": "ratio",
    "shares": "shares",
}
_NUMBER = re.compile(
    r"(?<![\w.,&:\u2212+-])(?P<sign>[\u2212+-]?)(?P<currency>(?:₹|Rs\.?|INR|US\$|USD|\$)?) ?"
    r"(?P<digits>\d+(?:,\d+)*(?:\.\d+)?)(?P<gap> ?)(?P<unit>(?:%|percentage points|percent|per cent|pct"
    r"|lakh crore|crore|lakh|trillion|billion|million|cr|bn|mn|INR|USD|rupees|dollars|shares|times|[xMB])?)"
    r"(?![\w-])(?!\.\d)"
)
MINUS = "\N{MINUS SIGN}"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
DATE = re.compile(
    rf"\d{{4}}-\d\d-\d\d|\d{{1,2}} {_MONTH} \d{{4}}|{_MONTH} \d{{1,2}}, \d{{4}}|{_MONTH} \d{{4}}"
)
# Parameters of indicators, spans, names and list numbers: not claims, though they may equal a fact.
_HARMLESS = re.compile(
    r"MACD \(12[,/] ?26[,/] ?9\)|(?:RSI|ATR|SMA|Nifty|S&P) \d+|RSI\(14\)|\d+ (?:months|weeks)|\(\d+[MY]\)"
    r"|(?<![\w.,])\d\)|\b3M\b|[Cc]onviction is [\d.]+"
)


@dataclass(frozen=True, slots=True)
class Amount:
    """Something supplied. `value` is exact; `unit` as in `Fact`."""

    name: str
    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number as printed at `start` to `end` of a text."""

    start: int
    end: int
    sign: str
    currency: str
    digits: str
    gap: str
    unit: str

    @property
    def printed(self) -> Decimal:
        return Decimal(self.digits.replace(",", ""))

    @property
    def decimals(self) -> int:
        return len(self.digits.partition(".")[2])

    @property
    def scale(self) -> int:
        return SCALES.get(self.unit, 1)

    @property
    def kind(self) -> str | None:
        """The unit that is printed, None for a bare number."""
        money = CURRENCIES.get(self.currency) or CURRENCIES.get(self.unit)
        return money or KINDS.get(self.unit)

    def __str__(self) -> str:
        space = " " if self.currency.isalpha() or self.currency.endswith(".") else ""
        return f"{self.sign}{self.currency}{space}{self.digits}{self.gap}{self.unit}"

    def means(self, amount: Amount) -> bool:
        """Its size at the printed precision, in a unit that may be printed so; the sign is not looked at."""
        if self.kind != amount.unit and (self.kind is not None or amount.unit == "percent"):
            return False
        size = abs(amount.value) / self.scale
        return self.printed in {rounded(size, self.decimals, how) for how in (ROUND_HALF_UP, ROUND_HALF_EVEN)}


def rounded(size: Decimal, decimals: int, how: str = ROUND_HALF_UP) -> Decimal:
    return size.quantize(Decimal(1).scaleb(-decimals), rounding=how)


def numbers_in(text: str) -> Iterator[Number]:
    """Those of the text that may be claims: not in dates, spans, names and parameters."""
    masked = _HARMLESS.sub(_blank, DATE.sub(_blank, text))
    for match in _NUMBER.finditer(masked):
        sign, currency, digits, gap, unit = match.groups()
        end = match.end("unit") if unit else match.end("digits")
        yield Number(match.start(), end, sign, currency, digits, gap if unit else "", unit)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def amounts(stock: StockData, evidence: Sequence[Mapping[str, Any]]) -> list[Amount]:
    """The facts, the position and what the evidence derives."""
    names = ("quantity", "average_price")
    return [
        *(Amount(fact.name, Decimal(str(fact.value)), fact.unit) for fact in stock.facts),
        *(Amount(name, Decimal(str(v)), u) for name, (v, u) in zip(names, stock.position, strict=False)),
        *(_derived(each) for each in evidence if each.get("operation")),
    ]


def _derived(evidence: Mapping[str, Any]) -> Amount:
    unit, _, scale = str(evidence["unit"]).partition(" ")
    return Amount("", Decimal(str(evidence["value"])) * SCALES.get(scale, 1), unit)


def supplied_dates(stock: StockData) -> set[date]:
    written = {date.fromisoformat(day) for fact in stock.facts for day in _ISO.findall(fact.inputs)}
    return written | {fact.as_of for fact in stock.facts}
