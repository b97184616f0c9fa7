"""What a session is told: the versioned instructions, and what the desk knows of the stocks as data."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from handlers.analyst.briefs import Position, StockBrief
from handlers.verdict import submission_schema

VERSION = "version:"
MAX_VERSION = 20
# The desk's own have 3,000; beyond ten times as many, the file is something else.
MAX_INSTRUCTIONS = 30_000


class InstructionsError(Exception):
    """The file that STOCKDESK_ANALYST_INSTRUCTIONS names cannot be used; the message says why, and what to write."""


@dataclass(frozen=True, slots=True)
class Instructions:
    """`version` is the author's and the content's ("3+1f2e3d4c"): an edit without a new number is a new version too."""

    version: str
    text: str


def analyst_instructions(path: Path | None = None) -> Instructions:
    """Those in `path`, else the desk's own; read anew each time, so that an edit counts from the next session on.

    Raises:
        InstructionsError: the file cannot be read, is empty or too long, or does not begin with its version.
    """
    named = path or "claude_config/analyst.md"
    first, _, rest = _read(path).partition("\n")
    author = first.removeprefix(VERSION).strip()
    if not first.startswith(VERSION) or not 1 <= len(author) <= MAX_VERSION or not author.isprintable():
        raise InstructionsError(
            f"The first line of {named} is {first[:40]!r}; it has to be like `{VERSION} 3`, with 1 to {MAX_VERSION}"
            " characters after the colon."
        )
    text = rest.strip()
    if not text:
        raise InstructionsError(f"{named} says nothing after its version; write the instructions below it.")
    if len(text) > MAX_INSTRUCTIONS:
        raise InstructionsError(
            f"{named} has {len(text):,} characters; shorten it to {MAX_INSTRUCTIONS:,} or fewer."
        )
    return Instructions(f"{author}+{hash_of({'text': text, 'tool': submission_schema()})[:8]}", text)


def _read(path: Path | None) -> str:
    if path is None:
        return (files("claude_config") / "analyst.md").read_text(encoding="utf-8")
    try:
        with path.expanduser().open(encoding="utf-8-sig") as file:
            return file.read(2 * MAX_INSTRUCTIONS)
    except OSError as error:
        why = error.strerror or str(error)
    except UnicodeDecodeError:
        why = "it is not text in UTF-8"
    raise InstructionsError(
        f"The analyst's instructions {path} cannot be read: {why}; correct STOCKDESK_ANALYST_INSTRUCTIONS or unset it."
    )


def write_prompt(briefs: Sequence[StockBrief], today: date) -> str:
    """The user message. The data cannot close its own tag: JSON here holds no `<`."""
    data = {"today": today.isoformat(), "stocks": [entry_of(brief) for brief in briefs]}
    text = json.dumps(data, ensure_ascii=False, indent=1).replace("<", "\\u003c")
    names = ", ".join(str(brief.stock) for brief in briefs)
    return f"Submit one verdict for each of: {names}.\n<data>\n{text}\n</data>"


def hash_of(entry: Mapping[str, Any]) -> str:
    """SHA-256, in hex, over the entry as canonical JSON: the order of keys does not count, that of lists does."""
    canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def entry_of(brief: StockBrief) -> dict[str, Any]:
    """Exactly what the prompt says of the stock.

    It changes only where something of the stock does, not by the day; but a holding's weight moves with the others.
    """
    # Only the states: an age in days would be a number that no fact carries, and `as_of` tells it.
    quality = {each.kind: each.state for each in brief.quality}
    entry: dict[str, Any] = {"stock": str(brief.stock), "data_quality": quality}
    if brief.position is not None:
        entry["holding"] = _holding(brief.position)
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
    if brief.texts:
        entry["texts"] = [
            {
                "id": text.id,
                "kind": text.kind,
                "source": text.source,
                "date": text.published_at.astimezone(brief.stock.exchange.zone).date().isoformat(),
                "title": text.title,
                "text": text.body,
            }
            for text in brief.texts
        ]
    return entry


def _holding(position: Position) -> dict[str, Any]:
    holding = {
        "quantity": position.quantity,
        "average_price": position.average_price,
        "currency": position.currency,
    }
    weight = position.weight_percent
    return holding if weight is None else {**holding, "weight_percent": weight}


def _readable(value: float) -> float:
    """Rounded to six significant digits, but never before the decimal point, so that the check accepts a copy."""
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    return round(value, max(5 - magnitude, 0))
