"""The report as one HTML page: no script, nothing from elsewhere, and a policy that holds it to that."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from importlib.resources import files

from markupsafe import Markup

from handlers.analytics import PortfolioFact
from server.report.chart import path_of
from server.report.content import Report
from server.report.templating import environment
from server.report.wording import visible

MOST_BARS = 15  # that can be told apart at a glance; the table of verdicts has every weight


@dataclass(frozen=True, slots=True)
class WeightBar:
    """A weight in percent; `width` is that of its bar, 100 for the largest."""

    of: str
    percent: Decimal
    width: Decimal
    is_rest: bool = False


def html_of(report: Report) -> str:
    """The whole page."""
    style = _style()
    template = environment(report, visible, autoescape=True).get_template("report.html")
    return template.render(
        style=Markup(style),  # noqa: S704 (the desk's own)
        style_hash=f"sha256-{b64encode(sha256(style.encode()).digest()).decode()}",
        lines={currency: path_of(bars, report.since) for currency, bars in report.benchmarks.items()},
        bars=_bars,
    )


def _style() -> str:
    server = files("server")
    parts = (server / "look" / "base.css", server / "report" / "templates" / "report.css")
    return "\n".join(part.read_text("utf-8") for part in parts)


def _bars(facts: Sequence[PortfolioFact]) -> list[WeightBar]:
    """The largest, and the rest in one bar where there are too many."""
    shown = facts if len(facts) <= MOST_BARS + 1 else facts[:MOST_BARS]
    rest = sum((fact.value for fact in facts[len(shown) :]), Decimal())
    largest = max(rest, *(fact.value for fact in shown))
    bars = [WeightBar(fact.of, fact.value, 100 * fact.value / largest) for fact in shown]
    if rest:
        bars.append(WeightBar(f"{len(facts) - len(shown)} others", rest, 100 * rest / largest, is_rest=True))
    return bars
