"""Numbers about a stock, computed from its daily closes. Each is None where the history is too short for it.

A history is a list of closes, oldest first, one per session; spans count sessions, not calendar days.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, pairwise

from handlers.facts import NewFact
from handlers.sources.base import Bar

Closes = Sequence[float]

SESSIONS_PER_YEAR = 252
# A month has about 21 sessions, a week 5.
RETURN_SPANS: Mapping[str, int] = {"1d": 1, "1w": 5, "1m": 21, "3m": 63, "6m": 126, "1y": SESSIONS_PER_YEAR}
SMA_SPANS = (20, 50, 200)
RSI_SPAN = 14
MACD_SPANS = (12, 26, 9)


def return_over(closes: Closes, sessions: int) -> float | None:
    """Percent by which the last close differs from the one `sessions` sessions before."""
    return None if len(closes) <= sessions else 100 * (closes[-1] / closes[-1 - sessions] - 1)


def sma(closes: Closes, span: int) -> float | None:
    """Mean of the last `span` closes."""
    return None if len(closes) < span else statistics.fmean(closes[-span:])


def rsi(closes: Closes, span: int = RSI_SPAN) -> float | None:
    """Relative strength index, 0 to 100, smoothed over the whole history; None where no close ever moved.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978): the first averages are means
    of the first `span` gains and losses, each later one is (previous * (span - 1) + new) / span.
    """
    moves = [later - earlier for earlier, later in pairwise(closes)]
    if len(moves) < span:
        return None
    gain = _wilder([max(move, 0.0) for move in moves], span)
    loss = _wilder([max(-move, 0.0) for move in moves], span)
    return None if gain + loss == 0 else 100 * gain / (gain + loss)


def _wilder(values: Sequence[float], span: int) -> float:
    first = statistics.fmean(values[:span])
    return reduce(lambda mean, value: (mean * (span - 1) + value) / span, values[span:], first)


def volatility(closes: Closes) -> float | None:
    """Percent per year: the sample standard deviation of the last 252 daily log returns, times sqrt(252)."""
    if len(closes) <= SESSIONS_PER_YEAR:
        return None
    returns = [math.log(later / earlier) for earlier, later in pairwise(closes[-1 - SESSIONS_PER_YEAR :])]
    return 100 * statistics.stdev(returns) * math.sqrt(SESSIONS_PER_YEAR)


def max_drawdown(closes: Closes, span: int = SESSIONS_PER_YEAR) -> float | None:
    """Percent, 0 or negative: the deepest fall of a close below the highest before it, in the last `span`."""
    if len(closes) < span:
        return None
    window = closes[-span:]
    return 100 * min(close / peak - 1 for close, peak in zip(window, accumulate(window, max), strict=True))


def macd(closes: Closes) -> tuple[float, float] | None:
    """MACD line and its signal line, in the currency of the closes.

    Source: Gerald Appel; line = EMA 12 - EMA 26, signal = EMA 9 of the line. Each EMA starts with the mean of
    its first values and then weighs the newest by 2 / (span + 1); both EMAs of the line start at session 26.
    """
    fast, slow, signal = MACD_SPANS
    if len(closes) < slow + signal - 1:
        return None
    line = [
        quick - lazy
        for quick, lazy in zip(_ema(closes[slow - fast :], fast), _ema(closes, slow), strict=True)
    ]
    return line[-1], list(_ema(line, signal))[-1]


def _ema(values: Sequence[float], span: int) -> Iterator[float]:
    weight = 2 / (span + 1)
    return accumulate(
        values[span:],
        lambda mean, value: mean + weight * (value - mean),
        initial=statistics.fmean(values[:span]),
    )


@dataclass(frozen=True, slots=True)
class _Number:
    """A fact in the making; `used` counts the last bars that went into it."""

    name: str
    value: float | None
    unit: str
    used: int
    closes: str = "closes"


def price_facts(bars: Sequence[Bar], currency: str, source: str) -> list[NewFact]:
    """All numbers that the history (not empty) is long enough for, unrounded, as of its last day.

    Prices and what is compared with them (last_close, sma, high, low, position, macd) use `close`, as charts
    do. Returns, volatility, drawdown and RSI use `adj_close` where every bar has it, so that a dividend is no
    loss. `52w` and `1y` are 252 sessions; drawdowns and distances below are negative percents.
    """
    closes = [bar.close for bar in bars]
    adjusted = [bar.adj_close for bar in bars if bar.adj_close is not None]
    numbers = [
        _Number("last_close", closes[-1], currency, 1),
        *(
            _changes(adjusted, "adjusted closes")
            if len(adjusted) == len(bars)
            else _changes(closes, "closes")
        ),
        *_averages(closes, currency),
        *_range(closes, currency),
        *_macd_numbers(closes, currency),
    ]
    last = bars[-1].day
    return [
        NewFact(
            name=number.name,
            value=number.value,
            unit=number.unit,
            as_of=last,
            source=source,
            inputs=_inputs(bars, number),
        )
        for number in numbers
        if number.value is not None
    ]


def _inputs(bars: Sequence[Bar], number: _Number) -> str:
    last = bars[-1].day
    if number.used == 1:
        return f"close of {last}"
    return f"{number.used} {number.closes} {bars[-number.used].day} to {last}"


def _changes(closes: Closes, kind: str) -> Iterator[_Number]:
    for name, span in RETURN_SPANS.items():
        yield _Number(f"return_{name}", return_over(closes, span), "percent", span + 1, kind)
    yield _Number("rsi_14", rsi(closes), "points", len(closes), kind)
    yield _Number("volatility_1y", volatility(closes), "percent", SESSIONS_PER_YEAR + 1, kind)
    yield _Number("max_drawdown_1y", max_drawdown(closes), "percent", SESSIONS_PER_YEAR, kind)


def _averages(closes: Closes, currency: str) -> Iterator[_Number]:
    for span in SMA_SPANS:
        mean = sma(closes, span)
        if mean is not None:
            yield _Number(f"sma_{span}", mean, currency, span)
            yield _Number(f"distance_to_sma_{span}", 100 * (closes[-1] / mean - 1), "percent", span)


def _range(closes: Closes, currency: str) -> Iterator[_Number]:
    if len(closes) < SESSIONS_PER_YEAR:
        return
    high, low = max(closes[-SESSIONS_PER_YEAR:]), min(closes[-SESSIONS_PER_YEAR:])
    yield _Number("high_52w", high, currency, SESSIONS_PER_YEAR)
    yield _Number("low_52w", low, currency, SESSIONS_PER_YEAR)
    if high > low:
        position = 100 * (closes[-1] - low) / (high - low)
        yield _Number("position_52w", position, "percent", SESSIONS_PER_YEAR)


def _macd_numbers(closes: Closes, currency: str) -> Iterator[_Number]:
    both = macd(closes)
    if both is not None:
        yield _Number("macd_12_26_9", both[0], currency, len(closes))
        yield _Number("macd_signal_12_26_9", both[1], currency, len(closes))
