"""The indicators on five real price histories, against TA-Lib, and pandas for what TA-Lib does not have.

The histories are of bokeh_sampledata: Apple, Google, IBM and Microsoft to March 2013, and Facebook from its listing on.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pytest

from handlers.indicators import benchmark_facts, price_facts
from handlers.sources.base import Bar
from handlers.stocks import Exchange, Stock
from tests.oracles import require_oracle

REAL = ("AAPL", "GOOG", "IBM", "MSFT", "FB")
# Whole histories, and some that end earlier: at 196 sessions Facebook's is shorter than a year.
LEFT_OUT = (0, 60, 150, 1000)


@pytest.fixture(scope="module")
def bars() -> Mapping[str, Sequence[Bar]]:
    real = require_oracle("bokeh_sampledata.stocks")
    names = ("date", "close", "adj_close", "high", "low", "volume")
    return {
        symbol: [
            Bar(
                day=date.fromisoformat(day),
                close=close,
                adj_close=adjusted,
                high=high,
                low=low,
                volume=volume,
            )
            for day, close, adjusted, high, low, volume in zip(
                *(getattr(real, symbol)[name] for name in names), strict=True
            )
        ]
        for symbol in REAL
    }


def series(bars: Sequence[Bar], name: str) -> Any:
    return require_oracle("pandas").Series([getattr(bar, name) for bar in bars], dtype=float)


def of_ta_lib(bars: Sequence[Bar]) -> dict[str, float]:
    """Whatever TA-Lib has too, of the last bar; NaN where its history is too short."""
    talib = require_oracle("talib")
    close, adjusted, high, low = (series(bars, name) for name in ("close", "adj_close", "high", "low"))
    line, signal, _ = talib.MACD(close, 12, 26, 9)
    upper, _, lower = talib.BBANDS(close, 20, 2, 2)
    spans = {"1d": 1, "1w": 5, "1m": 21, "3m": 63, "6m": 126, "1y": 252}
    lines = {
        "rsi_14": talib.RSI(adjusted, 14),
        "macd_12_26_9": line,
        "macd_signal_12_26_9": signal,
        "bollinger_lower_20_2": lower,
        "bollinger_upper_20_2": upper,
        "atr_14": talib.ATR(high, low, close, 14),
        "high_52w": talib.MAX(close, 252),
        "low_52w": talib.MIN(close, 252),
        **{f"sma_{span}": talib.SMA(close, span) for span in (20, 50, 200)},
        **{f"return_{name}": talib.ROC(adjusted, span) for name, span in spans.items()},
    }
    return {name: line.iloc[-1] for name, line in lines.items()}


def of_pandas(bars: Sequence[Bar]) -> dict[str, float]:
    numpy = require_oracle("numpy")
    close, adjusted, volume = (series(bars, name) for name in ("close", "adj_close", "volume"))
    year, bands = close.tail(252), close.tail(20)
    last_year = adjusted.tail(252)
    return {
        "volatility_1y": 100 * numpy.log(adjusted).diff().tail(252).std() * 252**0.5,
        "max_drawdown_1y": 100 * (last_year / last_year.cummax() - 1).min(),
        "position_52w": 100 * (close.iloc[-1] - year.min()) / (year.max() - year.min()),
        "position_bollinger_20_2": 50 + 25 * (close.iloc[-1] - bands.mean()) / bands.std(ddof=0),
        "volume_ratio_20": volume.iloc[-1] / volume.iloc[-21:-1].mean(),
        **{
            f"distance_to_sma_{span}": 100 * (close.iloc[-1] / close.rolling(span).mean().iloc[-1] - 1)
            for span in (20, 50, 200)
        },
    }


@pytest.mark.parametrize("symbol", REAL)
def test_every_fact_is_that_of_an_independent_library_to_one_in_a_billion(
    symbol: str, bars: Mapping[str, Sequence[Bar]]
) -> None:
    for history in (bars[symbol][: max(len(bars[symbol]) - left_out, 40)] for left_out in LEFT_OUT):
        ours = {fact.name: fact.value for fact in price_facts(history, "USD", "t")}
        theirs = {**of_ta_lib(history), **of_pandas(history)}
        assert ours.keys() <= {*theirs, "last_close"}
        assert len(history) <= 252 or len(ours) == len(theirs) + 1
        for name, value in ours.items():
            assert value == pytest.approx(theirs.get(name, history[-1].close), rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize("symbol", REAL[:3])
def test_beta_and_relative_strength_are_those_of_an_independent_library(
    symbol: str, bars: Mapping[str, Sequence[Bar]]
) -> None:
    talib = require_oracle("talib")
    pandas = require_oracle("pandas")
    both = {
        name: pandas.Series([bar.adj_close for bar in bars[name]], index=[bar.day for bar in bars[name]])
        for name in (symbol, "MSFT")
    }
    shared = pandas.DataFrame(both).dropna()
    ours = {
        fact.name: fact.value
        for fact in benchmark_facts(bars[symbol], Stock("MSFT", Exchange.NASDAQ), bars["MSFT"], "t")
    }
    ratio = shared[symbol] / shared["MSFT"]
    assert ours == pytest.approx(
        {
            "beta_1y": talib.BETA(shared["MSFT"], shared[symbol], 252).iloc[-1],
            **{
                f"relative_strength_{name}": 100 * ratio.pct_change(span).iloc[-1]
                for name, span in (("3m", 63), ("6m", 126), ("1y", 252))
            },
        },
        rel=1e-9,
    )
