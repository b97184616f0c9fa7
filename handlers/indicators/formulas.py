"""The formulas. Each gives None where the history is too short for it.

A history is a list of numbers above 0, oldest first, one per session; spans count sessions, not calendar days.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import accumulate, pairwise

Closes = Sequence[float]

SESSIONS_PER_YEAR = 252
# A month has about 21 sessions, a week 5.
RETURN_SPANS: Mapping[str, int] = {"1d": 1, "1w": 5, "1m": 21, "3m": 63, "6m": 126, "1y": SESSIONS_PER_YEAR}
SMA_SPANS = (20, 50, 200)
RSI_SPAN = ATR_SPAN = 14
MACD_SPANS = (12, 26, 9)
BOLLINGER_SPAN, BOLLINGER_WIDTH = 20, 2
VOLUME_SPAN = 20


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


def atr(highs: Sequence[float], lows: Sequence[float], closes: Closes, span: int = ATR_SPAN) -> float | None:
    """Average true range, in the currency of the prices, smoothed over the whole history as `rsi` is.

    Source: Wilder (1978). The true range of a session reaches from its low or the close before, whichever is
    lower, to its high or that close, whichever is higher. The first session has none.
    """
    if len(closes) <= span:
        return None
    sessions = zip(highs[1:], lows[1:], closes, strict=False)
    return _wilder([max(high, before) - min(low, before) for high, low, before in sessions], span)


def _wilder(values: Sequence[float], span: int) -> float:
    first = statistics.fmean(values[:span])
    return reduce(lambda mean, value: (mean * (span - 1) + value) / span, values[span:], first)


def volatility(closes: Closes) -> float | None:
    """Percent per year: the sample standard deviation of the last 252 daily log returns, times sqrt(252)."""
    if len(closes) <= SESSIONS_PER_YEAR:
        return None
    returns = [math.log(later / earlier) for earlier, later in pairwise(closes[-1 - SESSIONS_PER_YEAR :])]
    return 100 * math.sqrt(_products(returns, returns) / (len(returns) - 1) * SESSIONS_PER_YEAR)


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


def bollinger(closes: Closes) -> tuple[float, float] | None:
    """Lower and upper band, in the currency of the closes.

    Source: John Bollinger, Bollinger on Bollinger Bands (2001): the mean of the last 20 closes, less and plus
    two standard deviations of these 20 as a whole population.
    """
    mean = sma(closes, BOLLINGER_SPAN)
    if mean is None:
        return None
    last = closes[-BOLLINGER_SPAN:]
    reach = BOLLINGER_WIDTH * math.sqrt(_products(last, last) / BOLLINGER_SPAN)
    return mean - reach, mean + reach


def volume_ratio(volumes: Sequence[int]) -> float | None:
    """The last volume by the mean of the 20 before it; None where these are all 0."""
    usual = sum(volumes[-1 - VOLUME_SPAN : -1])
    return None if len(volumes) <= VOLUME_SPAN or not usual else volumes[-1] * VOLUME_SPAN / usual


def beta(closes: Closes, benchmark: Closes) -> float | None:
    """Slope of the last 252 daily returns over those of the benchmark; None where the benchmark never moved.

    Both histories have the same days. Source: William F. Sharpe, Capital Asset Prices (1964): the covariance of
    both returns by the variance of the benchmark's. The riskless rate, nearly the same each day, is left out.
    """
    if len(closes) <= SESSIONS_PER_YEAR:
        return None
    own, market = (
        [later / earlier - 1 for earlier, later in pairwise(history[-1 - SESSIONS_PER_YEAR :])]
        for history in (closes, benchmark)
    )
    variance = _products(market, market)
    return None if variance == 0 else _products(own, market) / variance


def relative_strength(closes: Closes, benchmark: Closes, sessions: int) -> float | None:
    """Percent by which the stock's price, counted in the benchmark's, has changed over so many sessions.

    Both histories have the same days. It is what holding the stock instead of the benchmark has added.
    """
    return return_over([own / other for own, other in zip(closes, benchmark, strict=True)], sessions)


def _products(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Sum of the products of the deviations from the means."""
    x_mean, y_mean = statistics.fmean(xs), statistics.fmean(ys)
    return math.fsum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
