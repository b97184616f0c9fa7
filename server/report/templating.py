"""Templates that can only show: what they may ask for is here, and each text goes through one function."""

from collections.abc import Callable
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from handlers.benchmarks import benchmark_of
from handlers.verdict import DISCLAIMER
from server.report import sentences, wording
from server.report.chart import draw
from server.report.content import Report


def environment(report: Report, written: Callable[[str], str], *, autoescape: bool) -> Environment:
    """`written` is how a text is written in this format; what is not known is a dash."""

    def finalize(value: object) -> object:
        if isinstance(value, Markup):
            return value
        return wording.UNKNOWN if value is None else written(str(value))

    made = Environment(
        loader=PackageLoader("server.report"),
        autoescape=autoescape,  # noqa: S701 (Markdown is escaped by `written`)
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names: dict[str, Any] = made.globals
    names |= {
        "report": report,
        "disclaimer": DISCLAIMER,
        "benchmark_of": benchmark_of,
        "draw": partial(draw, report),
        "say": sentences,
    }
    filters: dict[str, Any] = made.filters
    filters |= {
        "action": wording.action_word,
        "change": wording.change,
        "conviction": wording.conviction,
        "event": sentences.event,
        "is_web": wording.is_web,
        "label": wording.label,
        "moment": partial(wording.moment, zone=report.zone),
        "number": wording.number,
        "percent": wording.percent,
        "plural": wording.plural,
        "printed": wording.printed,
        "quantity": wording.quantity,
        "share": wording.share,
        "with_unit": wording.with_unit,
    }
    return made
