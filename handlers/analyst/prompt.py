"""What a session is told: the versioned instructions, and the stocks' facts as data."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from handlers.analyst.briefs import StockBrief


@dataclass(frozen=True, slots=True)
class Instructions:
    version: str
    text: str


@cache
def analyst_instructions() -> Instructions:
    """`claude_config/analyst.md`; its first line carries the version that sessions are stored with."""
    first, _, text = (files("claude_config") / "analyst.md").read_text(encoding="utf-8").partition("\n")
    return Instructions(first.removeprefix("version:").strip(), text.strip())


def write_prompt(briefs: Sequence[StockBrief], today: date) -> str:
    """The user message. The data cannot close its own tag: JSON here holds no `<`."""
    data = {"today": today.isoformat(), "stocks": [_entry(brief) for brief in briefs]}
    text = json.dumps(data, ensure_ascii=False, indent=1).replace("<", "\\u003c")
    names = ", ".join(str(brief.stock) for brief in briefs)
    return f"Submit one verdict for each of: {names}.\n<data>\n{text}\n</data>"


def _entry(brief: StockBrief) -> dict[str, object]:
    # Only the states: an age in days would be a number that no fact carries, and `as_of` tells it.
    quality = {each.kind: each.state for each in brief.quality}
    entry: dict[str, object] = {"stock": str(brief.stock), "data_quality": quality}
    if brief.position is not None:
        entry["holding"] = {
            "quantity": brief.position.quantity,
            "average_price": brief.position.average_price,
            "currency": brief.position.currency,
        }
    entry["facts"] = [
        {
            "id": fact.id,
            "name": fact.name,
            "value": _readable(fact.value),
            "unit": fact.unit,
            "as_of": fact.as_of.isoformat(),
            "source": fact.source,
            "inputs": fact.inputs,
        }
        for fact in brief.facts
    ]
    return entry


def _readable(value: float) -> float:
    """Rounded to six significant digits, but never before the decimal point, so that the check accepts a copy."""
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    return round(value, max(5 - magnitude, 0))
