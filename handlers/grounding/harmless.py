"""Numbers that claim nothing about the stock: a short, explicit list."""

import re
from collections.abc import Mapping, Sequence

from handlers.facts import Fact
from handlers.verdict import VerdictSubmission

# The spans of the facts (handlers/indicators/formulas.py); an average over any other number of days was not supplied.
HARMLESS: Mapping[str, str] = {
    "an ordinal": r"\b(?:\d*1st|\d*2nd|\d*3rd|\d*[04-9]th|1[1-3]th)\b",
    "the marker of a list": r"^\s*\d[.)]\s|\(\d\)(?=\s)",
    "days of a span": r"\b(?:1|14|20|50|200|252)[- ]?(?:day|session)s?\b|\b(?:20|50|200)d\b",
    "weeks of a span": r"\b(?:1|52)[- ]?(?:weeks?|wk)\b|\b(?:1|52)w\b",
    "months of a span": r"\b(?:1|3|6|12)[- ]?months?\b|\b[136][- ]?mo?\b(?=\)| return| momentum|,|/)",
    "years of a span": r"\b1[- ]?(?:years?|yr)\b|\b1[- ]?y\b(?=\)| return| momentum| volatility| drawdown|,|/)",
    "a moving average": r"\b[SE]MA ?[-_ (]?(?:20|50|200)\b|\b(?:20|50|200)[- ]?[SDE]?MA\b",
    "Wilder's span": r"\bRSI ?[-_ (]{0,2}14\b|\b14[- ]?(?:day|period) RSI\b|\bATR ?[-_ (]{0,2}14\b",
    "the spans of MACD": r"\bMACD ?\(? ?12[,/] ?26[,/] ?9\b",
    "the spans of Bollinger's bands": r"\bBollinger(?: bands?)? ?\(? ?20[,/] ?2\b",
    "an Indian index": r"\b(?:Nifty|CNX) ?(?:50|100|200|500)\b|\bSensex ?30\b|\bBSE ?(?:100|200|500)\b",
    "an American index": r"\bS&P ?(?:100|500)\b|\bNasdaq[- ]?100\b|\bRussell ?(?:1000|2000|3000)\b|\bDow ?30\b",
    "the name of a filing": r"\b(?:10-[KQ]|8-K|20-F)\b",
}
"""What the number is, and where it is only that. Each is blanked before numbers are read."""

_ALWAYS = re.compile(
    "|".join(f"(?:{pattern})" for pattern in HARMLESS.values()), re.IGNORECASE | re.MULTILINE
)


def blank_harmless(text: str, own: re.Pattern[str]) -> str:
    """The text, as long as before, without what claims nothing; also what `own` matches."""
    return _ALWAYS.sub(_spaces, own.sub(_spaces, text))


def own_words(submission: VerdictSubmission, facts: Sequence[Fact]) -> re.Pattern[str]:
    """Matches the names and ids that were supplied, the symbol, the horizon and the conviction."""
    symbol = submission.symbol.rpartition(":")[2]
    # "3M India" is 3MINDIA
    short = [symbol[:length] for length in range(2, len(symbol)) if re.search(r"\d[A-Za-z]", symbol[:length])]
    names = "|".join(
        sorted((re.escape(each) for fact in facts for each in (fact.name, fact.id)), key=len, reverse=True)
    )
    own = [
        rf"(?<!\w)(?:{'|'.join(map(re.escape, [symbol, *short]))})(?!\w)",
        rf"\b(?:{names})\b",
        rf"\b{submission.horizon_months}[- ]months?\b",
        rf"\bconviction (?:of |is |at |stands at )?{re.escape(repr(submission.conviction))}\b",
    ]
    return re.compile("|".join(own if facts else [own[0], *own[2:]]), re.IGNORECASE)


def _spaces(match: re.Match[str]) -> str:
    return " " * len(match[0])
