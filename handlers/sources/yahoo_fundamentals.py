"""What companies reported, as Yahoo's own web pages ask for it: unofficial, without a key, for personal use.

`GET /ws/fundamentals-timeseries/v1/finance/timeseries/SYMBOL?type=quarterlyTotalRevenue,…&period1&period2` answers
`{"timeseries": {"result": [{"meta": {"type": […]}, TYPE: [{"asOfDate", "periodType", "currencyCode",
"reportedValue": {"raw"}}, null, …]}], "error"}}`; a type of which Yahoo has nothing comes with its `meta` alone.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from urllib.parse import quote

from pydantic import BaseModel, TypeAdapter, ValidationError

from handlers.computing import compute
from handlers.sources.base import BadDataError, NotCoveredError, SourceError
from handlers.sources.figures import INSTANTS, Concept, FundamentalFigure
from handlers.sources.http import Answer, Host, parse
from handlers.sources.yahoo import yahoo_symbol
from handlers.stocks import Stock

CITATION = "Yahoo Finance fundamentals"
# Companies report four times a year; a day's delay is little beside the weeks that a report takes.
_KEEP = timedelta(days=1)
# Where Yahoo's own pages begin; it gives the last four years and five quarters.
_SINCE = int(datetime(2016, 12, 31, tzinfo=UTC).timestamp())
_NAMES = {
    Concept.REVENUE: "TotalRevenue",
    Concept.GROSS_PROFIT: "GrossProfit",
    Concept.OPERATING_INCOME: "OperatingIncome",
    Concept.NET_INCOME: "NetIncome",
    Concept.DILUTED_EPS: "DilutedEPS",
    Concept.OPERATING_CASH_FLOW: "OperatingCashFlow",
    Concept.CAPEX: "CapitalExpenditure",
    Concept.EQUITY: "StockholdersEquity",
    Concept.DEBT: "TotalDebt",
    Concept.SHARES: "OrdinarySharesNumber",
}
# By periodType, in months.
_MONTHS = {"3M": 3, "12M": 12}
_TYPES = {
    f"{period}{name}": concept for concept, name in _NAMES.items() for period in ("quarterly", "annual")
}


class _Value(BaseModel):
    raw: float


class _Point(BaseModel):
    asOfDate: date  # noqa: N815 (Yahoo's name)
    periodType: str  # noqa: N815
    currencyCode: str | None = None  # noqa: N815
    reportedValue: _Value  # noqa: N815


class _Error(BaseModel):
    code: str
    description: str | None = None


class _Series(BaseModel):
    result: list[dict[str, object]] | None = None
    error: _Error | None = None


class _Answer(BaseModel):
    timeseries: _Series


_POINTS = TypeAdapter(list[_Point | None])


class YahooFundamentals:
    """`host` is Yahoo's, shared with whatever else is asked there."""

    name = "yahoo"

    def __init__(self, host: Host) -> None:
        self._host = host

    def covers(self, _: Stock) -> bool:
        return True

    async def figures(self, stock: Stock) -> Sequence[FundamentalFigure]:
        """As `FundamentalsSource`: quarters and years. A period begins so many whole months before its end."""
        symbol = yahoo_symbol(stock)
        # The same for a month, so that the cache knows the question again.
        until = (self._host.now().replace(day=1) + timedelta(days=32)).replace(day=1).date()
        query = {
            "symbol": symbol,
            "type": ",".join(_TYPES),
            "period1": _SINCE,
            "period2": int(datetime.combine(until, datetime.min.time(), UTC).timestamp()),
        }
        path = f"/ws/fundamentals-timeseries/v1/finance/timeseries/{quote(symbol, safe='')}"
        answer = await self._host.get(path, str(stock), query, keep=_KEEP)
        if not answer.is_success:
            raise SourceError(f"Yahoo answered {answer.status} for the fundamentals of {stock}.")
        return await compute(self._figures, answer, stock)

    def _figures(self, answer: Answer, stock: Stock) -> Sequence[FundamentalFigure]:
        series = parse(_Answer, answer, self._host, f"the fundamentals of {stock}").timeseries
        if series.error is not None:
            said = series.error.description or series.error.code
            raise SourceError(f"Yahoo refused the request for the fundamentals of {stock}: {said}.")
        figures = [figure for result in series.result or [] for figure in _figures(result, stock)]
        if not figures:
            raise NotCoveredError(f"Yahoo has no fundamentals of {stock} ({yahoo_symbol(stock)}).")
        return figures


def _figures(result: dict[str, object], stock: Stock) -> Iterator[FundamentalFigure]:
    for name, concept in _TYPES.items():
        try:
            points = _POINTS.validate_python(result.get(name, []))
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            raise BadDataError(
                f"Yahoo's fundamentals of {stock} have another shape: {name}: {problem['msg']}."
            ) from error
        for point in points:
            if point is not None and point.periodType in _MONTHS:
                yield _figure(point, concept, stock)


def _figure(point: _Point, concept: Concept, stock: Stock) -> FundamentalFigure:
    unit = "shares" if concept is Concept.SHARES else point.currencyCode
    if not unit:
        raise BadDataError(f"Yahoo gives the {concept} of {stock} on {point.asOfDate} without a currency.")
    months = _MONTHS[point.periodType]
    return FundamentalFigure(
        concept=concept,
        period_start=None if concept in INSTANTS else _first_day(point.asOfDate, months),
        period_end=point.asOfDate,
        filed=None,
        # Yahoo counts what is spent as negative.
        value=-point.reportedValue.raw if concept is Concept.CAPEX else point.reportedValue.raw,
        unit=unit,
        form=None,
        source=CITATION,
    )


def _first_day(end: date, months: int) -> date:
    """The first of so many months that end on this day or, with a fiscal calendar of weeks, near it."""
    following = end + timedelta(days=1)
    month = following.year * 12 + following.month - 1 - months
    return date(month // 12, month % 12 + 1, min(following.day, 28))
