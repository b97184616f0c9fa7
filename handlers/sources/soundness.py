"""What cannot be a history of prices is refused with the reason, instead of stored."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

from handlers.market_calendar import is_session
from handlers.sources.base import BadDataError, Bar
from handlers.stocks import Exchange, Stock

# Pence for pounds, paise for rupees: 100 times. No listed share has moved by half as much between two sessions.
_UNIT_JUMP = 50
# A smaller split, such as 11 for 10, looks like a bad day.
_SMALLEST_SPLIT = 1.5
# What a share itself moves on the day of its split.
_OWN_MOVE = 1.15
# Thinly traded shares have sessions without a trade; beyond this, sums over sessions mean something else.
_FEW_MISSING = 5
_MISSING_SHARE = 0.2


def require_sound(bars: Sequence[Bar], source: str, stock: Stock) -> None:
    """Refuse what cannot be a history of prices, with later splits worked in.

    Raises:
        BadDataError: a price that is not a positive finite number, days out of order or twice, too many sessions
            without a price, a jump as of a change of unit, or as of a split that is not worked in.
    """
    for bar in bars:
        _require_possible(bar, source, stock)
    for earlier, later in pairwise(bars):
        _require_next(earlier, later, source, stock)
        if later.split is not None:
            _require_worked_in(later.split, earlier, later, source, stock)
    _require_few_missing(bars, source, stock)


def missing_sessions(bars: Sequence[Bar], exchange: Exchange) -> int:
    """The sessions between the first bar and the last, by the market's calendar, of which there is none."""
    return _missing_of(_sessions(bars, exchange), bars)


def _missing_of(sessions: Sequence[date], bars: Sequence[Bar]) -> int:
    return len(set(sessions) - {bar.day for bar in bars})


def _sessions(bars: Sequence[Bar], exchange: Exchange) -> list[date]:
    first, last = bars[0].day, bars[-1].day
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if is_session(day, exchange)]


def _require_possible(bar: Bar, source: str, stock: Stock) -> None:
    for price in (bar.close, bar.adj_close, bar.open, bar.high, bar.low):
        if price is not None and not (math.isfinite(price) and price > 0):
            raise BadDataError(f"{source} gives {stock} the price {price} on {bar.day}; that cannot be one.")
    if bar.split is not None and not (math.isfinite(bar.split) and bar.split > 0):
        raise BadDataError(f"{source} gives {stock} the split {bar.split} on {bar.day}; that cannot be one.")
    if bar.volume is not None and bar.volume < 0:
        raise BadDataError(
            f"{source} gives {stock} the volume {bar.volume} on {bar.day}; that cannot be one."
        )
    if bar.high is not None and bar.low is not None and bar.high < bar.low:
        raise BadDataError(
            f"{source} gives {stock} on {bar.day} a highest price of {bar.high}, below the lowest of {bar.low}."
        )


def _require_next(earlier: Bar, later: Bar, source: str, stock: Stock) -> None:
    if earlier.day == later.day:
        raise BadDataError(f"{source} gives {stock} two prices for {later.day}.")
    if earlier.day > later.day:
        raise BadDataError(f"{source} gives {stock} {later.day} after {earlier.day}; the days must ascend.")
    if not 1 / _UNIT_JUMP < later.close / earlier.close < _UNIT_JUMP:
        raise BadDataError(
            f"{source} gives {stock} {earlier.close} on {earlier.day} and {later.close} on {later.day}, as if the"
            " unit had changed (pence, paise)."
        )


def _require_worked_in(factor: float, earlier: Bar, later: Bar, source: str, stock: Stock) -> None:
    if 1 / _SMALLEST_SPLIT < factor < _SMALLEST_SPLIT:
        return
    if 1 / _OWN_MOVE < later.close / earlier.close * factor < _OWN_MOVE:
        raise BadDataError(
            f"{source} gives {stock} {earlier.close} on {earlier.day} and {later.close} on {later.day}: the split of"
            f" {factor:g} for 1 on {later.day} is not worked in."
        )


def _require_few_missing(bars: Sequence[Bar], source: str, stock: Stock) -> None:
    sessions = _sessions(bars, stock.exchange)
    missing = _missing_of(sessions, bars)
    if missing > max(_FEW_MISSING, len(sessions) * _MISSING_SHARE):
        raise BadDataError(
            f"{source} lacks {missing} of the {len(sessions)} sessions of {stock} from {bars[0].day} to {bars[-1].day};"
            " so few prices are no history."
        )
