"""What a fetch brings beside prices, as well as it can: no failure here takes anything from the prices."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import anyio

from handlers.fetch_findings import Extra
from handlers.fundamentals import left_out
from handlers.sources.base import Bar, Extras, SourceError
from handlers.sources.figures import FundamentalFigure
from handlers.stocks import Stock
from handlers.texts import NewText


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    def covers(self, stock: Stock, /) -> bool: ...


_Source = TypeVar("_Source", bound=_Named)
_Part = TypeVar("_Part")


async def bring_figures(
    extras: Extras, stock: Stock, bars: Sequence[Bar], limiter: anyio.CapacityLimiter
) -> tuple[Sequence[FundamentalFigure], list[Extra]]:
    """The figures of the first source that has some, and which ratios with these prices they do not give."""
    figures, told = await _first(
        "fundamentals", stock, extras.fundamentals, lambda source: source.figures(stock), limiter
    )
    note = " ".join(left_out(figures, bars, stock.exchange.currency))
    return figures, [replace(extra, note=note) for extra in told]


async def bring_texts(
    extras: Extras, stock: Stock, company: str | None, limiter: anyio.CapacityLimiter
) -> tuple[Sequence[NewText], list[Extra]]:
    """News from the first source that has some, and filings from the first of those."""
    news, told = await _first(
        "news", stock, extras.news, lambda source: source.texts(stock, company), limiter
    )
    filings, told_too = await _first(
        "filings", stock, extras.filings, lambda source: source.texts(stock, company), limiter
    )
    return [*news, *filings], [*told, *told_too]


async def _first(
    kind: str,
    stock: Stock,
    configured: Sequence[_Source],
    ask: Callable[[_Source], Awaitable[Sequence[_Part]]],
    limiter: anyio.CapacityLimiter,
) -> tuple[Sequence[_Part], list[Extra]]:
    sources = [source for source in configured if source.covers(stock)]
    refusals: list[str] = []
    for source in sources:
        try:
            async with limiter:
                parts = await ask(source)
        except SourceError as error:
            refusals.append(str(error))
        else:
            return parts, [
                Extra(kind=kind, source=source.name, count=len(parts), passed_over=tuple(refusals))
            ]
    return [], [Extra(kind=kind, source=None, passed_over=tuple(refusals))] if sources else []
