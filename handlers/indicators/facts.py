"""The facts made of a stock's prices: which numbers, in which unit, from which days."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import takewhile

from handlers.facts import NewFact
from handlers.indicators.formulas import (
    BOLLINGER_SPAN,
    RETURN_SPANS,
    SESSIONS_PER_YEAR,
    SMA_SPANS,
    VOLUME_SPAN,
    Closes,
    atr,
    beta,
    bollinger,
    macd,
    max_drawdown,
    relative_strength,
    return_over,
    rsi,
    sma,
    volatility,
    volume_ratio,
)
from handlers.sources.base import Bar
from handlers.stocks import Stock


@dataclass(frozen=True, slots=True)
class _Number:
    """A fact in the making; `used` counts the last days that went into it, `of` is what was taken of each."""

    name: str
    value: float | None
    unit: str
    used: int
    of: str = "closes"


def price_facts(bars: Sequence[Bar], currency: str, source: str) -> list[NewFact]:
    """All numbers that the history (not empty) is long enough for, unrounded, as of its last day.

    Prices and what is compared with them (last_close, sma, high, low, position, macd, bollinger, atr) use `close`,
    as charts do. Returns, volatility, drawdown and RSI use `adj_close` where every bar has it, so that a dividend is
    no loss. `52w` and `1y` are 252 sessions; drawdowns and distances below are negative percents.
    """
    closes, adjusted = [bar.close for bar in bars], _total_returns(bars)
    numbers = [
        _Number("last_close", closes[-1], currency, 1),
        *(_changes(adjusted, "adjusted closes") if adjusted else _changes(closes, "closes")),
        *_averages(closes, currency),
        *_range(closes, currency),
        *_macd_numbers(closes, currency),
        *_bollinger_numbers(closes, currency),
        _true_range(bars, currency),
        _volume(bars),
    ]
    return _dated(numbers, [bar.day for bar in bars], source)


def benchmark_facts(
    bars: Sequence[Bar], benchmark: Stock, benchmark_bars: Sequence[Bar], source: str
) -> list[NewFact]:
    """Beta and relative strength against the benchmark, as of the last day of which both have a close.

    Only days of both count. Adjusted closes are used where every bar of both has one, else plain closes of both.
    """
    both = bars, benchmark_bars
    own, other = map(_total_returns, both)
    is_adjusted = bool(own and other)
    own, other = (own, other) if is_adjusted else ([bar.close for bar in each] for each in both)
    theirs = dict(zip((bar.day for bar in benchmark_bars), other, strict=True))
    days = [bar.day for bar in bars if bar.day in theirs]
    closes = [close for bar, close in zip(bars, own, strict=True) if bar.day in theirs]
    market = [theirs[day] for day in days]
    of = f"{'adjusted ' if is_adjusted else ''}closes, and as many of {benchmark},"
    return _dated(
        [
            _Number("beta_1y", beta(closes, market), "ratio", SESSIONS_PER_YEAR + 1, of),
            *(
                _Number(
                    f"relative_strength_{span}",
                    relative_strength(closes, market, RETURN_SPANS[span]),
                    "percent",
                    RETURN_SPANS[span] + 1,
                    of,
                )
                for span in ("3m", "6m", "1y")
            ),
        ],
        days,
        source,
    )


def _total_returns(bars: Sequence[Bar]) -> list[float]:
    """The adjusted closes; empty where one is missing."""
    adjusted = [bar.adj_close for bar in bars if bar.adj_close is not None]
    return adjusted if len(adjusted) == len(bars) else []


def _dated(numbers: Iterable[_Number], days: Sequence[date], source: str) -> list[NewFact]:
    return [
        NewFact(
            name=number.name,
            value=number.value,
            unit=number.unit,
            as_of=days[-1],
            source=source,
            inputs=f"close of {days[-1]}"
            if number.used == 1
            else f"{number.used} {number.of} {days[-number.used]} to {days[-1]}",
        )
        for number in numbers
        if number.value is not None
    ]


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


def _bollinger_numbers(closes: Closes, currency: str) -> Iterator[_Number]:
    """The bands, and where the last close lies: 0 at the lower, 100 at the upper; it may lie outside."""
    bands = bollinger(closes)
    if bands is None:
        return
    lower, upper = bands
    yield _Number("bollinger_lower_20_2", lower, currency, BOLLINGER_SPAN)
    yield _Number("bollinger_upper_20_2", upper, currency, BOLLINGER_SPAN)
    if upper > lower:
        position = 100 * (closes[-1] - lower) / (upper - lower)
        yield _Number("position_bollinger_20_2", position, "percent", BOLLINGER_SPAN)


def _true_range(bars: Sequence[Bar], currency: str) -> _Number:
    """Over the newest bars that all have a high and a low."""
    whole = [
        (bar.high, bar.low, bar.close)
        for bar in takewhile(lambda bar: bar.high is not None and bar.low is not None, reversed(bars))
        if bar.high is not None
        if bar.low is not None
    ][::-1]
    highs, lows, closes = ([session[part] for session in whole] for part in range(3))
    return _Number("atr_14", atr(highs, lows, closes), currency, len(whole), "highs, lows and closes")


def _volume(bars: Sequence[Bar]) -> _Number:
    used = VOLUME_SPAN + 1
    volumes = [bar.volume for bar in bars[-used:] if bar.volume is not None]
    return _Number("volume_ratio_20", volume_ratio(volumes), "ratio", used, "volumes")
