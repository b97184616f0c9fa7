"""The hand-made cases: JSON in `cases/`, one file a class, about the stocks of `stocks.json`; see README.md."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from handlers.facts import Fact
from handlers.stocks import parse_stock
from handlers.verdict import VerdictSubmission

HERE = Path(__file__).parent
_FETCHED_AT = datetime(2024, 2, 16, 18, tzinfo=UTC)
_EVIDENCE = ("claim", "fact_id", "value", "unit", "operation", "other_fact_id")
_CATALYST = ("what", "date")
_NEUTRAL: Mapping[str, Any] = {
    "action": "HOLD",
    "conviction": 0.6,
    "horizon_months": 12,
    "thesis": "The trend and the valuation are weighed together; the facts below carry the view.",
    "bull_points": [],
    "bear_points": [],
    "risks": [],
    "would_change_view": [],
    "catalysts": [],
}


@dataclass(frozen=True, slots=True)
class StockData:
    """All that is supplied about one stock; `position` is empty where it is not held."""

    name: str
    facts: tuple[Fact, ...]
    position: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A verdict and whether a careful editor accepts it."""

    id: str
    kind: str
    why: str
    stock: StockData
    submission: Mapping[str, Any]
    accept: bool

    def verdict(self) -> VerdictSubmission:
        return VerdictSubmission.model_validate(self.submission)


@cache
def stocks() -> Mapping[str, StockData]:
    return {name: _stock(name, row) for name, row in _read(HERE / "stocks.json").items()}


def _stock(name: str, row: Mapping[str, Any]) -> StockData:
    facts = tuple(
        Fact(
            id=fact_id,
            stock=parse_stock(name),
            name=fact,
            value=float(value),
            unit=unit,
            as_of=date.fromisoformat(as_of[0] if as_of else row["as_of"]),
            source="evaluation set",
            inputs=inputs,
            fetched_at=_FETCHED_AT,
        )
        for fact_id, (fact, value, unit, inputs, *as_of) in row["facts"].items()
    )
    return StockData(name, facts, _position(row))


def _position(row: Mapping[str, Any]) -> tuple[tuple[float, str], ...]:
    return tuple((float(value), unit) for value, unit in row["position"])


@cache
def hand_made() -> tuple[Case, ...]:
    return tuple(
        _case(path.stem, row) for path in sorted((HERE / "cases").glob("*.json")) for row in _read(path)
    )


def _case(kind: str, row: Mapping[str, Any]) -> Case:
    stock = stocks()[row["stock"]]
    if "position" in row:
        stock = replace(stock, position=_position(row))
    return Case(row["id"], kind, row["why"], stock, _submission(stock, row["submission"]), row["accept"])


def _submission(stock: StockData, row: Mapping[str, Any]) -> dict[str, Any]:
    close = stock.facts[0]
    evidence = row.get("evidence", [["The latest close.", close.id, close.value, close.unit]])
    return {
        "symbol": stock.name,
        **_NEUTRAL,
        **row,
        "evidence": [dict(zip(_EVIDENCE, each, strict=False)) for each in evidence],
        "catalysts": [dict(zip(_CATALYST, each, strict=True)) for each in row.get("catalysts", [])],
    }


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
