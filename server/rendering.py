"""Tables and bars of the command line."""

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from queues.inspection import Interval
from queues.model import QueueName, TaskState
from server.portfolio_views import PortfolioView
from server.settings import SettingOrigin
from server.spending import SpendView
from server.verdict_views import VerdictView
from server.views import StatusView, TaskView

COLOURS = {
    QueueName.PORTFOLIO_SYNC: "magenta",
    QueueName.DATA_FETCHER: "cyan",
    QueueName.AI_ANALYSIS: "green",
}
TIMELINE_CELLS = 40  # beside the names, within 80 columns


def new_console() -> Console:
    """Colour and width of the terminal; plain and 80 columns wide when piped."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # what a test puts there may have none
    if reconfigure is not None:
        reconfigure(errors="replace")  # a terminal that cannot show a bar shows a question mark
    return Console(highlight=False, soft_wrap=False)


def portfolio_table(portfolio: PortfolioView) -> RenderableType:
    table = Table(
        "account",
        "stock",
        _right("quantity"),
        _right("average"),
        _right("close"),
        _right("value"),
        _right("gain"),
    )
    table.title = f"Portfolio: {portfolio.total} holdings"
    for holding in portfolio.holdings:
        table.add_row(
            holding.account,
            holding.stock,
            f"{holding.quantity:g}",
            f"{holding.average_price:,.2f}",
            _money(holding.last_close),
            _money(holding.value),
            _percent(holding.gain_percent),
        )
    totals = [
        f"{total.currency}: value {_money(total.value)}, cost {total.cost:,.2f}, gain {_percent(total.gain_percent)}"
        f" over {total.priced} holdings" + (f"; {total.unpriced} without a price" if total.unpriced else "")
        for total in portfolio.totals
    ]
    return Group(table, *totals)


def verdict_table(verdicts: Sequence[VerdictView], disclaimer: str) -> RenderableType:
    days = sorted({verdict.as_of.isoformat() for verdict in verdicts if verdict.as_of is not None})
    title = (
        f"Verdicts, from prices of {' to '.join(dict.fromkeys([days[0], days[-1]]))}" if days else "Verdicts"
    )
    why = Column("why", no_wrap=True, overflow="ellipsis", ratio=1)
    table = Table("stock", "verdict", _right("conviction"), "judged by", why, title=title)
    table.box, table.expand, table.padding = SIMPLE_HEAD, True, (0, 1, 0, 0)
    for verdict in verdicts:
        table.add_row(
            verdict.stock,
            verdict.action,
            f"{verdict.conviction:.2f}",
            f"analyst: {verdict.analyst}",
            verdict.thesis.partition(". ")[0],
        )
    return Group(table, Text(disclaimer, style="dim"))


def timeline(attempts: Sequence[Interval]) -> RenderableType:
    """One line per queue, a block per attempt, on one axis from the first start to the last end."""
    ended = [(each, each.ended_at) for each in attempts if each.ended_at is not None]
    if not ended:
        return Text("Nothing has run.")
    start = min(each.started_at for each, _ in ended)
    span = max(end for _, end in ended) - start or timedelta(microseconds=1)
    grid = Table.grid(padding=(0, 1))
    for queue in QueueName:
        own = [(each.started_at - start, end - start) for each, end in ended if each.queue is queue]
        busy = sum((end - begin for begin, end in own), timedelta())
        grid.add_row(queue, _bar(own, span, COLOURS[queue]), f"{len(own)} tasks, {_short(busy)}")
    lanes = sum((end - each.started_at for each, end in ended), timedelta())
    axis = f"0 to {_short(span)}; the tasks add up to {_short(lanes)}"
    return Group(Text("Timeline", style="italic"), grid, Text(axis, style="dim"))


def _bar(own: Sequence[tuple[timedelta, timedelta]], span: timedelta, colour: str) -> Text:
    cells = [" "] * TIMELINE_CELLS
    for index, (begin, end) in enumerate(own):
        first = min(int(begin / span * TIMELINE_CELLS), TIMELINE_CELLS - 1)
        last = min(int(end / span * TIMELINE_CELLS), TIMELINE_CELLS - 1)
        # Neighbours alternate, so that one can see where a task ends and the next begins.
        cells[first : last + 1] = ("█" if index % 2 == 0 else "▓") * (last + 1 - first)
    return Text("".join(cells), style=colour)


def status_table(status: StatusView) -> RenderableType:
    whole = [Column(name, no_wrap=True) for name in ("queue", "state", "running")]
    counted = [Column(name, justify="right", no_wrap=True) for name in ("queued", "completed", "failed")]
    table = Table(*whole, *counted, "ends by", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for queue in status.queues:
        counts = [
            str(queue.counts[state]) for state in (TaskState.QUEUED, TaskState.COMPLETED, TaskState.FAILED)
        ]
        table.add_row(
            queue.queue,
            queue.state,
            _running(queue.running),
            *counts,
            _moment(queue.estimated_finish, year=False),
        )
    leader = status.leader
    leads = ""
    if leader is not None and leader.leads and leader.responds is not False:
        leads = f"Led by {leader.command} (pid {leader.pid}) since {_moment(leader.since)}. "
    return Group(table, Text(leads + status.message))


def spend_table(spend: SpendView) -> RenderableType:
    numbers = ("cost", "sessions", "turns", "tokens in", "tokens out", "verdicts")
    table = Table("group", *map(_right, numbers), box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for group in [*spend.groups, spend.total]:
        bound = ">= " if group.at_least_sessions or group.unknown_cost_sessions else ""
        counted = (group.sessions, group.turns, group.input_tokens, group.output_tokens, group.verdicts)
        table.add_row(group.group, f"{bound}${group.cost_usd:.2f}", *map(str, counted))
    more = spend.total_groups - len(spend.groups)
    hidden = f"{more} more groups are in the total; name fewer --days, or use get_spend. " if more else ""
    queued = f" Queued: {spend.queued.message}" if spend.queued else ""
    return Group(table, Text(f"{hidden}{spend.message} {spend.today.message}{queued}"))


def _running(task: TaskView | None) -> str:
    if task is None:
        return ""
    return task.id if task.progress is None else f"{task.id} {task.progress.done}/{task.progress.total}"


def settings_list(rows: Sequence[SettingOrigin]) -> RenderableType:
    """Two lines for each; a list, because a table of 80 columns would cut the names."""
    lines: list[Text] = []
    for row in rows:
        lines.append(Text(f"{row.variable} = {row.value}  ({row.origin})", overflow="fold"))
        lines.append(Text(f"    {row.description}", style="dim"))
    return Group(*lines)


def _right(name: str) -> Column:
    return Column(name, justify="right")


def _money(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.1f} %"


def _moment(moment: datetime | None, *, year: bool = True) -> str:
    pattern = "%Y-%m-%d %H:%M" if year else "%m-%d %H:%M"
    return "" if moment is None else format(moment.astimezone(), pattern)


def _short(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
