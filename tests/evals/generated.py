"""Cases made from the grounded ones: each of their numbers and dates changed, and the same verdicts reworded.

Deterministic: every choice is drawn from the seed. A change that happens to give another supplied number is left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

from tests.evals import changes
from tests.evals.cases import Case, StockData, hand_made
from tests.evals.dates import shifted_dates
from tests.evals.oracle import Amount, Number, amounts, numbers_in
from tests.evals.rewording import reworded, reworded_evidence

SEED = 20240216
KINDS = ("digit", "sign", "unit", "stock", "date")
# Drawn for each number.
DIGITS, OTHER_STOCKS, OTHER_UNITS = 3, 2, 2

# "4.2 to 2.4 %": the first number takes the unit of the second.
_LENDS_UNIT = re.compile(r"(?:–| to | and | or )[\u2212+-]?\d")

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A number in a text that repeats supplied amounts; they may be several, as a printed number is rounded."""

    path: Path
    text: str
    number: Number
    meant: tuple[Amount, ...]

    @property
    def amount(self) -> Amount:
        return self.meant[0]

    @property
    def one_direction(self) -> bool:
        return len({amount.value > 0 for amount in self.meant}) == 1

    def put(self, submission: Mapping[str, Any], printed: str) -> dict[str, Any]:
        return put(
            submission, self.path, self.text[: self.number.start] + printed + self.text[self.number.end :]
        )


@cache
def grounded() -> tuple[Case, ...]:
    """The hand-made verdicts that an editor accepts."""
    return tuple(case for case in hand_made() if case.accept)


@cache
def changed() -> tuple[Case, ...]:
    """Each with one thing wrong; `kind` is what was changed."""
    return tuple(
        case for base in grounded() for case in _changed(base, Random(f"{SEED} {base.kind} {base.id}"))
    )


@cache
def twins() -> tuple[Case, ...]:
    """As many as `changed`, of the same verdicts and kinds: reworded, nothing wrong."""
    # from the last number of a text to the first, so that the places of the others stay
    bases = {f"{base.kind}/{base.id}": (base, list(claims(base))[::-1]) for base in grounded()}
    return tuple(
        replace(_twin(*bases[each.id.partition(":")[0]], number), id=each.id, kind=each.kind)
        for number, each in enumerate(changed())
    )


def put(submission: Mapping[str, Any], path: Path, value: object) -> dict[str, Any]:
    """A copy with another value at this place."""
    copy: Any = deepcopy(submission)
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copy


def texts(submission: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    yield ("thesis",), submission["thesis"]
    for i, each in enumerate(submission["evidence"]):
        yield ("evidence", i, "claim"), each["claim"]
    for key in ("bull_points", "bear_points", "risks", "would_change_view"):
        for i, point in enumerate(submission[key]):
            yield (key, i), point
    for i, each in enumerate(submission["catalysts"]):
        yield ("catalysts", i, "what"), each["what"]


def claims(case: Case) -> Iterator[Claim]:
    known = amounts(case.stock, case.submission["evidence"])
    for path, text in texts(case.submission):
        for number in numbers_in(text):
            meant = tuple(each for each in known if number.means(each))
            if meant:
                yield Claim(path, text, number, meant)


def _changed(base: Case, random: Random) -> Iterator[Case]:
    found = [*_in_texts(base, random), *_in_evidence(base, random), *_in_dates(base)]
    for number, (kind, why, submission) in enumerate(found, 1):
        name = f"{base.kind}/{base.id}:{kind}-{number}"
        yield replace(base, id=name, kind=kind, why=why, submission=submission, accept=False)


_Change = tuple[str, str, dict[str, Any]]


def _in_texts(base: Case, random: Random) -> Iterator[_Change]:
    known = amounts(base.stock, base.submission["evidence"])
    for claim in claims(base):
        for kind, other in _others(claim, base.stock, random):
            if not any(other.means(amount) for amount in known):
                yield kind, f"{claim.number} → {other}", claim.put(base.submission, str(other))
        if claim.one_direction:
            yield from _in_direction(claim, base.submission)


def _others(claim: Claim, stock: StockData, random: Random) -> Iterator[tuple[str, Number]]:
    number, amount = claim.number, claim.amount
    units = changes.other_units(number, amount)
    if _LENDS_UNIT.match(claim.text[number.end :]):
        units = [each for each in units if each.kind]
    for kind, options, count in (
        ("digit", changes.other_digits(number), DIGITS),
        ("unit", units, OTHER_UNITS),
        ("stock", changes.other_stocks(number, amount, stock), OTHER_STOCKS),
    ):
        for other in random.sample(options, min(count, len(options))):
            yield kind, other


def _in_direction(claim: Claim, submission: Mapping[str, Any]) -> Iterator[_Change]:
    # a minus after the dash of a range reads as a slip
    if claim.text[claim.number.start - 1 : claim.number.start] != "–":
        for other in changes.other_signs(claim.number, claim.amount):
            yield "sign", f"{claim.number} → {other}", claim.put(submission, str(other))
    swapped = changes.other_direction(claim.text, claim.number, claim.amount)
    if swapped is not None:
        yield "sign", swapped, put(submission, claim.path, swapped)


def _in_evidence(base: Case, random: Random) -> Iterator[_Change]:
    for i, each in enumerate(base.submission["evidence"]):
        for kind, key, value in [
            *(("digit", "value", value) for value in changes.other_values(each["value"], DIGITS, random)),
            *([("sign", "value", -each["value"])] if each["value"] else []),
            *(("unit", "unit", unit) for unit in changes.other_evidence_units(each["unit"])),
            *(
                ("stock", "fact_id", other)
                for other in changes.same_fact_elsewhere(each["fact_id"], base.stock)
            ),
        ]:
            yield kind, f"{key} {each[key]} → {value}", put(base.submission, ("evidence", i, key), value)


def _in_dates(base: Case) -> Iterator[_Change]:
    for path, text in texts(base.submission):
        for wrong in shifted_dates(text, base.stock):
            yield "date", wrong, put(base.submission, path, wrong)
    for i, each in enumerate(base.submission["catalysts"]):
        for wrong in shifted_dates(each["date"], base.stock):
            yield "date", f"catalyst on {wrong}", put(base.submission, ("catalysts", i, "date"), wrong)


def _twin(base: Case, last_to_first: Sequence[Claim], number: int) -> Case:
    """Every claim of the verdict reworded, or left as it is."""
    random = Random(f"{SEED} {base.kind} {base.id} {number}")
    submission = dict(base.submission)
    for claim in last_to_first:
        text = _at(submission, claim.path)
        printed = str(reworded(claim.number, claim.meant, random))
        submission = put(
            submission, claim.path, text[: claim.number.start] + printed + text[claim.number.end :]
        )
    evidence = [reworded_evidence(each, base.stock, random) for each in submission["evidence"]]
    reworded_submission = {**submission, "evidence": evidence}
    return replace(base, why="the same, reworded", submission=reworded_submission)


def _at(submission: Mapping[str, Any], path: Path) -> str:
    place: Any = submission
    for step in path:
        place = place[step]
    return place
