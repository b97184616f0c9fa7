"""The baseline analyst: a verdict by rules from the numbers. It is always labelled as such.

Each rule scores its fact from -1 (against) to +1 (for); the score of a stock is their weighted mean:

| fact                  | score                               | weight | idea                              |
|-----------------------|-------------------------------------|--------|-----------------------------------|
| distance_to_sma_200   | distance / 20 %, clipped            | 3      | Faber (2007), trend by a long average |
| distance_to_sma_50    | distance / 10 %, clipped            | 1      | the same, shorter                 |
| return_6m             | return / 30 %, clipped              | 2      | Jegadeesh and Titman (1993), momentum |
| return_3m             | return / 20 %, clipped              | 1      | the same, shorter                 |
| rsi_14                | -0.5 above 70, +0.5 below 30, else 0 | 1     | Wilder (1978), overbought, oversold |
| max_drawdown_1y       | -1 beyond 40 %, else 0              | 1      | deep falls tend to be unfinished  |

ADD at a score of 0.35 or more, TRIM at -0.35 or less, EXIT at -0.7 or less, else HOLD. Conviction is
(0.3 + 0.5 · |score|) · share of the weights that had a fact, for HOLD (0.3 + 0.2 · (1 - |score| / 0.35)) · share;
it never exceeds 0.8, because prices alone do not carry more. Without any of these facts: INSUFFICIENT_DATA.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from handlers.facts import Fact
from handlers.stocks import Stock
from handlers.verdict import Action, EvidenceSubmission, VerdictSubmission

ADD_FROM, TRIM_FROM, EXIT_FROM = 0.35, -0.35, -0.7
HORIZON_MONTHS = 6


@dataclass(frozen=True, slots=True)
class _Rule:
    fact: str
    weight: int
    score: Callable[[float], float]
    words: str


def _clipped(scale: float) -> Callable[[float], float]:
    return lambda value: max(-1.0, min(1.0, value / scale))


def _rsi(value: float) -> float:
    return -0.5 if value > 70 else 0.5 if value < 30 else 0.0  # noqa: PLR2004 (Wilder's two levels)


def _drawdown(value: float) -> float:
    return -1.0 if abs(value) > 40 else 0.0  # noqa: PLR2004 (the table above)


_RULES = (
    _Rule("distance_to_sma_200", 3, _clipped(20), "the last close is {} from its 200-day average"),
    _Rule("distance_to_sma_50", 1, _clipped(10), "the last close is {} from its 50-day average"),
    _Rule("return_6m", 2, _clipped(30), "the price changed {} in six months"),
    _Rule("return_3m", 1, _clipped(20), "the price changed {} in three months"),
    _Rule("rsi_14", 1, _rsi, "the RSI stands at {}"),
    _Rule("max_drawdown_1y", 1, _drawdown, "the deepest fall of the year was {}"),
)
_ALL_WEIGHTS = sum(rule.weight for rule in _RULES)


@dataclass(frozen=True, slots=True)
class _Scored:
    rule: _Rule
    fact: Fact

    @property
    def score(self) -> float:
        return self.rule.score(self.fact.value)

    @property
    def claim(self) -> str:
        shown = f"{self.fact.value:+.1f} %" if self.fact.unit == "percent" else f"{self.fact.value:.1f}"
        return self.rule.words.format(shown)

    @property
    def evidence(self) -> EvidenceSubmission:
        return EvidenceSubmission(
            claim=f"{self.claim[0].upper()}{self.claim[1:]}.",
            fact_id=self.fact.id,
            value=round(self.fact.value, 1),
            unit=self.fact.unit,
        )


def baseline_verdict(stock: Stock, facts: Sequence[Fact]) -> VerdictSubmission:
    """The verdict of the rules above, with the facts that they used as evidence."""
    by_name: Mapping[str, Fact] = {fact.name: fact for fact in facts}
    scored = [_Scored(rule, by_name[rule.fact]) for rule in _RULES if rule.fact in by_name]
    weights = sum(each.rule.weight for each in scored)
    if not weights:
        return _nothing_to_judge_by(stock)
    score = sum(each.score * each.rule.weight for each in scored) / weights
    action = _action(score)
    return VerdictSubmission(
        symbol=str(stock),
        action=action.value,
        conviction=_conviction(action, score, weights / _ALL_WEIGHTS),
        horizon_months=HORIZON_MONTHS,
        thesis=_thesis(action, scored),
        evidence=[each.evidence for each in scored],
        bull_points=[each.evidence.claim for each in scored if each.score > 0],
        bear_points=[each.evidence.claim for each in scored if each.score < 0],
        risks=["The rules see prices only: no earnings, no news, no valuation."],
        would_change_view=[_turning_point(action)],
    )


def _action(score: float) -> Action:
    if score >= ADD_FROM:
        return Action.ADD
    if score <= EXIT_FROM:
        return Action.EXIT
    return Action.TRIM if score <= TRIM_FROM else Action.HOLD


def _conviction(action: Action, score: float, share: float) -> float:
    agreement = 0.4 * (1 - abs(score) / ADD_FROM) if action is Action.HOLD else abs(score)
    return round((0.3 + 0.5 * agreement) * share, 2)


def _thesis(action: Action, scored: Sequence[_Scored]) -> str:
    strongest = sorted(scored, key=lambda each: -abs(each.score * each.rule.weight))
    facts = ", and ".join(each.claim for each in strongest[:2])
    verdict = {
        Action.ADD: "The rules of the baseline analyst add up to a rising trend.",
        Action.HOLD: "The rules of the baseline analyst do not agree on a direction.",
        Action.TRIM: "The rules of the baseline analyst add up to a weakening trend.",
        Action.EXIT: "The rules of the baseline analyst add up to a falling trend.",
    }[action]
    return f"{facts[0].upper()}{facts[1:]}. {verdict}"


def _turning_point(action: Action) -> str:
    if action in (Action.TRIM, Action.EXIT):
        return "A close above the long average with rising momentum."
    return "A close below the long average with falling momentum."


def _nothing_to_judge_by(stock: Stock) -> VerdictSubmission:
    return VerdictSubmission(
        symbol=str(stock),
        action=Action.INSUFFICIENT_DATA.value,
        conviction=0,
        horizon_months=HORIZON_MONTHS,
        thesis="None of the facts that the baseline rules need (averages, returns, RSI, drawdown) is supplied.",
        evidence=[],
        bull_points=[],
        bear_points=[],
        risks=[],
        would_change_view=["A longer price history."],
    )
