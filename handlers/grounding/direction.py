"""Whether the words around an unsigned number say that something went up or down."""

import re
from typing import Literal

_FALLING = (
    "fell", "fall", "falls", "fallen", "falling", "down", "downside", "drop", "drops", "dropped", "dropping", "decline",
    "declines", "declined", "declining", "decrease", "decreased", "lost", "lose", "loses", "losing", "loss", "losses",
    "below", "beneath", "under", "underwater", "lower", "less", "drawdown", "drawdowns", "negative", "minus", "slid",
    "slide", "slipped", "slip", "slips", "sank", "sunk", "shed", "sheds", "plunged", "plunge", "tumbled", "retreat",
    "retreated", "weakened", "weakness", "shrank", "shrunk", "contracted", "contraction", "underperformed",
    "underperformance", "underperforms", "lag", "lags", "lagged", "trails", "trailed", "off", "given back", "gave back",
    "pullback", "correction", "corrected", "cut", "reduced", "discount", "worse", "short of", "behind", "deficit",
    "eased", "softened", "erosion", "eroded", "sold off",
)  # fmt: skip
_RISING = (
    "rose", "rise", "rises", "risen", "rising", "up", "upside", "gain", "gains", "gained", "gaining", "grew", "grow",
    "grows", "grown", "growth", "growing", "increase", "increased", "increases", "above", "higher", "more than",
    "climb", "climbed", "climbs", "advance", "advanced", "advances", "jumped", "jump", "surged", "surge", "rally",
    "rallied", "added", "adds", "outperformed", "outperformance", "outperforms", "ahead", "positive", "plus", "premium",
    "improved", "expanded", "recovered", "profit", "won", "better", "strengthened", "soared", "returned",
)  # fmt: skip
# Where what a word governs ends: "lost 4.8 % in three months and 1.3 % in a week" is one clause. A dot inside a number
# ends nothing.
_CLAUSE_END = re.compile(
    r"[;:!?]|(?<!\bRs)[.](?!\d)|\b(?:but|while|whereas|although|though|despite|yet|however|versus)\b",
    re.IGNORECASE,
)


def _words(words: tuple[str, ...]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


# "1.4 % over the 20-day average", but not "over the year".
_OVER_AN_AVERAGE = r"over(?=\s(?:the|its|both)\b[^.;]{0,24}\b(?:averages?|[SED]?MA)\b)"
_DIRECTION = re.compile(
    rf"\b(?:(?P<down>{_words(_FALLING)})|(?P<up>{_words(_RISING)}|{_OVER_AN_AVERAGE}))\b", re.IGNORECASE
)

Direction = Literal["up", "down"]


def direction_at(text: str, start: int, end: int) -> Direction | None:
    """What the nearest word of the same clause says of the number between `start` and `end`.

    Words before it go first ("fell 5 %"), as English has it, but for one right behind ("5 % below its average").
    """
    before = _CLAUSE_END.split(text[:start])[-1]
    after = _CLAUSE_END.split(text[end:])[0]
    behind = _DIRECTION.match(after.lstrip(" %)("))
    if behind is not None:
        return _direction(behind)
    nearest = list(_DIRECTION.finditer(before))
    if nearest:
        return _direction(nearest[-1])
    later = _DIRECTION.search(after)
    return None if later is None else _direction(later)


def _direction(match: re.Match[str]) -> Direction:
    return "down" if match["down"] else "up"
