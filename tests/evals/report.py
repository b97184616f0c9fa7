"""How well a check tells grounded verdicts from ungrounded ones: the table, and everything that it misses."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from handlers.facts import Fact
from handlers.verdict import VerdictSubmission
from tests.evals.cases import Case, hand_made
from tests.evals.generated import KINDS, changed, twins
from tests.evals.randoms import random_cases

Check = Callable[[VerdictSubmission, Sequence[Fact], Sequence[tuple[float, str]]], list[str]]


@dataclass(frozen=True, slots=True)
class Score:
    """Of one class: `found` of its `cases` were judged as they should be, and so were `wrongly` of the `others`.

    Others are the verdicts to be accepted where the class is to be refused, and the other way round.
    """

    kind: str
    cases: int
    found: int
    others: int
    wrongly: int

    @property
    def precision(self) -> float:
        return self.found / max(self.found + self.wrongly, 1)

    @property
    def recall(self) -> float:
        return self.found / self.cases

    @property
    def worst(self) -> float:
        return min(self.precision, self.recall)

    def __str__(self) -> str:
        return f"{self.kind:<30}{self.cases:>6}{self.others:>8}{self.precision:>11.3f}{self.recall:>8.3f}"


@dataclass(frozen=True, slots=True)
class Report:
    scores: Sequence[Score]
    missed: Sequence[str]
    drawn: Counter[str]
    passed: Counter[str]

    @property
    def pass_rate(self) -> float:
        """Of all random numbers."""
        return self.passed.total() / self.drawn.total()

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{'class':<30}{'cases':>6}{'others':>8}{'precision':>11}{'recall':>8}",
                *map(str, sorted(self.scores, key=lambda score: (-score.worst, score.kind))),
                "",
                f"{'random numbers':<30}{'drawn':>6}{'passed':>8}{'rate':>11}",
                *(self._random_line(kind) for kind in sorted(self.drawn)),
                f"{'all':<30}{self.drawn.total():>6}{self.passed.total():>8}{self.pass_rate:>11.3f}",
                "",
                f"Missed: {len(self.missed)}",
                *self.missed,
            ]
        )

    def _random_line(self, kind: str) -> str:
        drawn, passed = self.drawn[kind], self.passed[kind]
        return f"{kind:<30}{drawn:>6}{passed:>8}{passed / drawn:>11.3f}"


def evaluate(check: Check) -> Report:
    """Run the check over every case and every random number."""

    def problems(case: Case) -> list[str]:
        return check(case.verdict(), case.stock.facts, case.stock.position)

    own = [(case, problems(case)) for case in hand_made()]
    made = [(case, problems(case)) for case in [*changed(), *twins()]]
    drawn: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for case in random_cases():
        drawn[case.kind] += 1
        passed[case.kind] += not problems(case)
    return Report([*_hand_made(own), *_generated(made)], list(_missed([*own, *made])), drawn, passed)


_Judged = Sequence[tuple[Case, list[str]]]


def _hand_made(judged: _Judged) -> Iterator[Score]:
    for kind in sorted({case.kind for case, _ in judged}):
        own = [(case, problems) for case, problems in judged if case.kind == kind]
        accept = all(case.accept for case, _ in own)
        yield _score(kind, own, judged, accept=accept)


def _generated(judged: _Judged) -> Iterator[Score]:
    for kind in KINDS:
        own = [(case, problems) for case, problems in judged if case.kind == kind]
        yield _score(f"generated: {kind}", own, own, accept=False)


def _score(kind: str, own: _Judged, everything: _Judged, *, accept: bool) -> Score:
    cases = [not problems for case, problems in own if case.accept == accept]
    others = [not problems for case, problems in everything if case.accept != accept]
    return Score(kind, len(cases), cases.count(accept), len(others), others.count(accept))


def _missed(judged: _Judged) -> Iterator[str]:
    for case, problems in judged:
        if case.accept and problems:
            yield f"refused {case.kind} {case.id}: {'; '.join(problems)}"
        elif not case.accept and not problems:
            yield f"accepted {case.kind} {case.id}: {case.why}"
