"""The table: one row per engine."""

import textwrap
from collections.abc import Sequence

from benchmarks.engines.contestants import RAW_IN_THREAD, Contestant
from benchmarks.engines.measures import CALLERS, LISTED, Sizes
from benchmarks.engines.results import Results

NAME_WIDTH = 29

# Heading, width, and the measures under it: those with a ratio to raw SQLite behind one writer thread, and others.
SPEEDS = (("enqueue/s", "enqueue"), ("by 8/s", "enqueue8"), ("drain/s", "drain"), ("live/s", "live"))
OTHERS = (
    ("dispatch ms", 13, ("p50", "p99")),
    ("counts, newest", 14, ("counts", "newest")),
    ("import ms", 9, ("import",)),
    ("+MB", 5, ("memory",)),
    ("idle %", 6, ("idle",)),
)


def print_table(contestants: Sequence[Contestant], results: Results, sizes: Sizes, rounds: int) -> None:
    heading = f"{'engine':<{NAME_WIDTH}}" + "".join(f" {title:>9}     x" for title, _ in SPEEDS)
    print(
        heading + "".join(f"  {title:>{width}}" for title, width, _ in OTHERS) + "  tasks         durable by"
    )
    for contestant in contestants:
        failure = results.failures.get(contestant.name)
        if failure is None:
            print(_row(contestant, results, sizes))
        else:
            print(f"{contestant.name:<{NAME_WIDTH}}  {failure}")
    legend = (
        f"Medians over the rounds ({rounds}); x: ratio to {RAW_IN_THREAD}, the median of the rounds'."
        f" {sizes.tasks:,} tasks over three queues, enqueued by {CALLERS} callers and then drained, or drained while"
        " one caller enqueues (live). Dispatch: from an idle engine to the handler's first line, p50 / p99. Counts by"
        f" queue and state, and the newest {LISTED} tasks: ms, with {sizes.finished:,} finished and {sizes.queued:,}"
        " queued tasks. Import, added memory and idle CPU are those of the process, without its server."
    )
    print(textwrap.fill(legend, 120))


def _row(contestant: Contestant, results: Results, sizes: Sizes) -> str:
    name = contestant.name
    speeds = "".join(
        f" {_number(results.median(name, key)):>9} {_number(results.ratio(name, key, RAW_IN_THREAD)):>5}"
        for _, key in SPEEDS
    )
    others = "".join(
        f"  {' / '.join(_number(results.median(name, key)) for key in keys):>{width}}"
        for _, width, keys in OTHERS
    )
    fewer = f"; {sizes.scaled(contestant.share).tasks:,} tasks only" if contestant.share < 1 else ""
    return f"{name:<{NAME_WIDTH}}{speeds}{others}  {_tasks(name, results):<12}  {contestant.setting}{fewer}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _tasks(name: str, results: Results) -> str:
    if results.median(name, "lost") is None:
        return "–"
    wrong = [
        f"{count} {word}" for word in ("overlaps", "lost", "doubled") if (count := results.total(name, word))
    ]
    return ", ".join(wrong) or "each once"
