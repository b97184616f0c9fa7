"""What a fetch brings beside prices, as well as it can: no failure here takes anything from the prices."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import anyio

from handlers.fetch_findings import Extra
from handlers.sources.base import Extras, SourceError
from handlers.sources.figures import FundamentalFigure
from handlers.stocks import Stock
from handlers.texts import NewText


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Of each kind what the first source gave that has some; `told` is how the task's result tells it."""

    figures: Sequence[FundamentalFigure]
    news: Sequence[NewText]
    filings: Sequence[NewText]
    told: Sequence[Extra]


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    def covers(self, stock: Stock, /) -> bool: ...


_Source = TypeVar("_Source", bound=_Named)
_Part = TypeVar("_Part")


async def bring_extras(
    extras: Extras, stock: Stock, company: str | None, limiter: anyio.CapacityLimiter
) -> Brought:
    told: list[Extra] = []

    async def first(
        kind: str, configured: Sequence[_Source], ask: Callable[[_Source], Awaitable[Sequence[_Part]]]
    ) -> Sequence[_Part]:
        sources = [source for source in configured if source.covers(stock)]
        refusals: list[str] = []
        for source in sources:
            try:
                async with limiter:
                    parts = await ask(source)
            except SourceError as error:
                refusals.append(str(error))
            else:
                told.append(
                    Extra(kind=kind, source=source.name, count=len(parts), passed_over=tuple(refusals))
                )
                return parts
        if sources:
            told.append(Extra(kind=kind, source=None, passed_over=tuple(refusals)))
        return []

    return Brought(
        figures=await first("fundamentals", extras.fundamentals, lambda source: source.figures(stock)),
        news=await first("news", extras.news, lambda source: source.texts(stock, company)),
        filings=await first("filings", extras.filings, lambda source: source.texts(stock, company)),
        told=told,
    )
