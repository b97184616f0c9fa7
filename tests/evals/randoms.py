"""Random numbers, printed as a model would print them, in the place of the numbers of grounded verdicts."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from tests.evals.cases import Case
from tests.evals.generated import SEED, Claim, claims, grounded
from tests.evals.oracle import Number

# Draws for each number of each verdict.
DRAWS = 12
# A model prints most prices and percents with decimals, as the facts have them; every fourth number is whole.
WHOLE = 0.25


def random_cases() -> Iterator[Case]:
    """Cases of the kinds price, percent, multiple, amount, shares, and `whole …` where it has no decimals."""
    for base in grounded():
        random = Random(f"{SEED} random {base.kind} {base.id}")
        for claim in claims(base):
            for _ in range(DRAWS):
                yield _random_case(base, claim, random)


def _random_case(base: Case, claim: Claim, random: Random) -> Case:
    kind, other = _drawn(claim, base.stock.facts[0].value, random)
    if not other.decimals:
        kind = f"whole {kind}"
    submission = claim.put(base.submission, str(other))
    return replace(base, kind=kind, why=f"{claim.number} → {other}", submission=submission)


def _drawn(claim: Claim, price: float, random: Random) -> tuple[str, Number]:
    """Its signs, units and words stay; an amount keeps its number of decimals."""
    whole = random.random() < WHOLE
    number, amount = claim.number, claim.amount
    if amount.unit == "percent":
        return "percent", _with(number, random.uniform(0, 60), 0 if whole else 1)
    if amount.unit == "shares":
        return "shares", _with(number, random.uniform(1, 500), 0)
    if amount.unit in {"ratio", "points"}:
        return "multiple", _with(number, random.uniform(0.1, 80), 0 if whole else random.choice((1, 2)))
    if number.scale > 1:
        return "amount", _with(number, float(number.printed) * random.uniform(0.3, 3), number.decimals)
    return "price", _with(number, price * random.uniform(0.6, 1.4), 0 if whole else 2)


def _with(number: Number, value: float, decimals: int) -> Number:
    return replace(number, digits=f"{value:,.{decimals}f}")
