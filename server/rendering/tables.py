"""Tables of the portfolio, of what was spent, of the settings, and the timeline of what ran."""

from collections.abc import Sequence
from datetime import timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from queues.inspection import Interval
from queues.model import QueueName
from server.portfolio_views import PortfolioView
from server.rendering.commands import in_commands
from server.rendering.console import QUEUES, money, percent, right, short
from server.settings import SettingOrigin
from server.spending import SpendView

TIMELINE_CELLS = 40  # beside the names, within 80 columns


def portfolio_table(portfolio: PortfolioView) -> RenderableType:
    """A stock is never cut; what is too long beside it is folded."""
    if not portfolio.holdings:
        return Text(portfolio.message)
    longest = max((len(holding.stock) for holding in portfolio.holdings), default=0)
    names = [Column("account", overflow="fold"), Column("stock", no_wrap=True, min_width=longest)]
    numbers = map(right, ("held", "average", "close", "value", "gain"))
    table = Table(*names, *numbers, title=f"Portfolio: {portfolio.total} holdings")
    table.box, table.show_edge, table.pad_edge, table.padding = SIMPLE_HEAD, False, False, (0, 1, 0, 0)
    for holding in portfolio.holdings:
        table.add_row(
            holding.account,
            holding.stock,
            f"{holding.quantity:,.12g}",
            f"{holding.average_price:,.2f}",
            money(holding.last_close),
            money(holding.value),
            percent(holding.gain_percent),
        )
    totals = [
        f"{total.currency}: value {money(total.value)}, cost {total.cost:,.2f}, gain {percent(total.gain_percent)}"
        f" over {total.priced} holdings" + (f"; {total.unpriced} without a price" if total.unpriced else "")
        for total in portfolio.totals
    ]
    if portfolio.converted is not None:
        whole, gain = portfolio.converted, percent(portfolio.converted.unrealised_gain_percent)
        totals.append(
            f"In {whole.currency}: value {money(whole.value)}, gain {gain}, {whole.as_of}: {whole.of}"
        )
    return Group(table, *totals, in_commands(portfolio.message))


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
        grid.add_row(queue, _bar(own, span, QUEUES[queue]), f"{len(own)} tasks, {short(busy)}")
    lanes = sum((end - each.started_at for each, end in ended), timedelta())
    axis = f"0 to {short(span)}; the tasks add up to {short(lanes)}"
    return Group(Text("Timeline", style="italic"), grid, Text(axis, style="dim"))


def _bar(own: Sequence[tuple[timedelta, timedelta]], span: timedelta, colour: str) -> Text:
    cells = [" "] * TIMELINE_CELLS
    for index, (begin, end) in enumerate(own):
        first = min(int(begin / span * TIMELINE_CELLS), TIMELINE_CELLS - 1)
        last = min(int(end / span * TIMELINE_CELLS), TIMELINE_CELLS - 1)
        # Neighbours alternate, so that one can see where a task ends and the next begins.
        cells[first : last + 1] = ("█" if index % 2 == 0 else "▓") * (last + 1 - first)
    return Text("".join(cells), style=colour)


def spend_table(spend: SpendView) -> RenderableType:
    numbers = ("cost", "sessions", "turns", "tokens in", "tokens out", "verdicts")
    table = Table("group", *map(right, numbers), box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for group in [*spend.groups, spend.total]:
        bound = ">= " if group.at_least_sessions or group.unknown_cost_sessions else ""
        counted = (group.sessions, group.turns, group.input_tokens, group.output_tokens, group.verdicts)
        table.add_row(group.group, f"{bound}${group.cost_usd:.2f}", *map(str, counted))
    more = spend.total_groups - len(spend.groups)
    hidden = f"{more} more groups are in the total; name fewer --days. " if more else ""
    queued = f" Queued: {spend.queued.message}" if spend.queued else ""
    return Group(table, Text(f"{hidden}{spend.message} {spend.today.message}{queued}"))


def settings_list(rows: Sequence[SettingOrigin]) -> RenderableType:
    """Two lines for each; a list, because a table of 80 columns would cut the names."""
    lines: list[Text] = []
    for row in rows:
        lines.append(Text(f"{row.variable} = {row.value}  ({row.origin})", overflow="fold"))
        lines.append(Text(f"    {row.description}", style="dim"))
    return Group(*lines)
