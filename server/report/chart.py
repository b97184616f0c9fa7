"""The chart of a stock's closes: a path in the numbers of the store, and the matrix that makes a picture of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

from handlers.benchmarks import benchmark_of
from handlers.sources.base import Bar
from server.report.content import Report, StockReport

# Of a picture of 640 by 204 (templates/parts.html). At the right is room for the last close, above and below for the
# highest and the lowest, and below that for the months.
LEFT, RIGHT, TOP, BOTTOM = 4, 560, 20, 152
_NEAR_END = 15  # of a month
_STEP = 2  # months between two lines
_NEAR_EDGE = 60  # half of a label is narrower


@dataclass(frozen=True, slots=True)
class Mark:
    """A close with its place in the picture and that of its label; `anchor` keeps the label inside."""

    bar: Bar
    x: float
    y: float
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`path` has an x in days since `since`, and each close as y; `matrix` maps both into the picture.

    `benchmark` is the matrix of the benchmark's own path, rebased so that both begin at the same height.
    """

    since: date
    path: str
    matrix: str
    benchmark: str | None
    first: Bar
    high: Mark
    low: Mark
    last: Mark
    months: Sequence[tuple[float, str]]


def draw(report: Report, each: StockReport) -> Chart | None:
    """The stock's last year beside its benchmark's; None where there is no line to draw."""
    is_benchmark = each.stock == benchmark_of(each.stock)
    benchmark = () if is_benchmark else report.benchmarks[each.stock.exchange.currency]
    return chart_of(each.closes, benchmark, report.since, report.day)


def chart_of(closes: Sequence[Bar], benchmark: Sequence[Bar], since: date, until: date) -> Chart | None:
    """Bars are oldest first, and lie between `since` and `until`."""
    if len(closes) < 2:  # noqa: PLR2004 (a line has two ends)
        return None
    factor = _rebasing(closes[0], benchmark)
    drawn = [bar.close for bar in closes] + [factor * bar.close for bar in benchmark if factor]
    bottom, top = min(drawn), max(drawn)
    wide, tall = (RIGHT - LEFT) / (until - since).days, (BOTTOM - TOP) / ((top - bottom) or top)
    floor = BOTTOM + tall * bottom

    def mark(bar: Bar, drop: float) -> Mark:
        x, y = round(LEFT + wide * (bar.day - since).days, 2), round(floor - tall * bar.close, 2)
        anchor = "start" if x < LEFT + _NEAR_EDGE else "end" if x > RIGHT - _NEAR_EDGE else "middle"
        return Mark(bar, x, y, x, round(y + drop, 2), anchor)

    last = mark(closes[-1], 4)
    return Chart(
        since=since,
        path=path_of(closes, since),
        matrix=_matrix(wide, tall, floor),
        benchmark=_matrix(wide, tall * factor, floor) if factor else None,
        first=closes[0],
        high=mark(max(closes, key=lambda bar: bar.close), -8),
        low=mark(min(closes, key=lambda bar: bar.close), 16),
        last=replace(last, label_x=RIGHT + 8, anchor="start"),
        months=[(round(LEFT + wide * (day - since).days, 2), name) for day, name in _months(since, until)],
    )


def path_of(closes: Sequence[Bar], since: date) -> str:
    """`M0 12.5L1 12.75`: of each session the days since `since`, and its close as it is stored."""
    points = "L".join(f"{(bar.day - since).days} {bar.close!r}" for bar in closes)
    return f"M{points}" if points else ""


def _rebasing(first: Bar, benchmark: Sequence[Bar]) -> float:
    """By what to multiply the benchmark's closes; 0 where it has none of the first day or before."""
    before = [bar.close for bar in benchmark if bar.day <= first.day]
    return first.close / before[-1] if before else 0


def _matrix(wide: float, tall: float, floor: float) -> str:
    return f"matrix({wide:.10g} 0 0 {-tall:.10g} {LEFT} {floor:.10g})"


def _months(since: date, until: date) -> Iterator[tuple[date, str]]:
    """The first of every second month, with the year where it is the first of a year."""
    # Counted from January of the year 0; a line at the left edge would have half a name.
    first = since.year * 12 + since.month + (since.day > _NEAR_END)
    days = [date(month // 12, month % 12 + 1, 1) for month in range(first, first + 13, _STEP)]
    for before, day in pairwise([date.min, *days]):
        if day <= until:
            yield day, f"{day:%b %Y}" if day.year > before.year else f"{day:%b}"
