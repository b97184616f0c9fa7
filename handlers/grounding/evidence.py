"""Evidence items: each a supplied fact as printed, or a number that is recomputed from two of them."""

from collections.abc import Mapping
from decimal import Decimal

from handlers.facts import Fact
from handlers.grounding.amounts import Amount, as_printed, exact, prints_as
from handlers.grounding.units import PERCENT, PERCENTAGE_POINTS, RATIO, read_unit
from handlers.verdict import EvidenceSubmission, Operation

# Facts that say how far something went, or lies away; others are levels.
_CHANGES = ("return", "distance", "growth", "change", "drawdown", "gain", "pnl", "alpha", "strength")


def amount_of(fact: Fact) -> Amount:
    return Amount(exact(fact.value), fact.unit, any(word in fact.name for word in _CHANGES))


def check_item(item: EvidenceSubmission, facts: Mapping[str, Fact]) -> Amount | str:
    """The amount that the item supplies, or one sentence on what is wrong with it."""
    for fact_id in (item.fact_id, item.other_fact_id):
        if fact_id is not None and fact_id not in facts:
            return f"{fact_id} is not one of the facts supplied for this stock; cite an id from its data."
    first = facts[item.fact_id]
    other = None if item.other_fact_id is None else facts[item.other_fact_id]
    known = amount_of(first) if other is None else _derived(item, first, other)
    if isinstance(known, str):
        return known
    unit, scale = read_unit(item.unit)
    is_its_unit = unit == known.unit or (
        unit == PERCENTAGE_POINTS and known.unit == PERCENT and other is not None
    )
    if not is_its_unit:
        return (
            f"The unit {item.unit!r} of {_named(item)} is not {known.unit}; write the value in {known.unit}."
        )
    if not prints_as(known.value / scale, as_printed(item.value)):
        shown = (
            f"{first.name} is {first.value} {first.unit}"
            if other is None
            else f"{known.value:.6g} {known.unit}"
        )
        return f"The value {item.value} {item.unit} is not that of {_named(item)} ({shown})."
    return Amount(as_printed(item.value) * scale, known.unit, known.is_change)


def _derived(item: EvidenceSubmission, first: Fact, other: Fact) -> Amount | str:
    if first.unit != other.unit:
        return f"{_named(item)} has two units, {first.unit} and {other.unit}; derive only from facts of one unit."
    one, two = exact(first.value), exact(other.value)
    if item.operation == Operation.DIFFERENCE:  # which one is the later one, nobody says: it is no change
        return Amount(one - two, first.unit)
    if not two:
        return f"{_named(item)} divides by {other.id}, which is 0; leave this number out."
    if item.operation == Operation.RATIO:
        return Amount(one / two, RATIO)
    return Amount(Decimal(100) * (one / two - 1), PERCENT, is_change=True)


def _named(item: EvidenceSubmission) -> str:
    if item.other_fact_id is None:
        return item.fact_id
    return f"the {item.operation} of {item.fact_id} and {item.other_fact_id}"
