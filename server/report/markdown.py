"""The report in GitHub's Markdown."""

import re

from markupsafe import Markup, escape

from handlers.stocks import Stock
from server.report.content import Report
from server.report.templating import environment
from server.report.wording import visible

# What Markdown, its tables and HTML inside a line are made of, and what GitHub makes links of by itself.
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~$]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_ENTITY = re.compile(r"&(?=#?\w+;)")
# What is a heading, a list or a line where a line begins with it.
_BLOCK = re.compile(r"^(?:(?=#{1,6}(?:\s|$)|[-+](?:\s|$)|[-=]+$)|(\d{1,9})(?=[.)](?:\s|$)))")


def markdown_of(report: Report) -> str:
    """The whole text."""
    made = environment(report, escaped, autoescape=False)
    made.filters |= {"address": _address, "anchor": _anchor}
    return made.get_template("report.md").render()


def escaped(text: str) -> str:
    """One line that shows just this text: no markup, no link, and no end of a table's cell."""
    return _BLOCK.sub(r"\1\\", _SPECIAL.sub(r"\\\g<0>", _ENTITY.sub("&amp;", visible(text))))


def _address(url: str) -> Markup:
    """Between `<` and `>`, where only these and entities have a meaning."""
    return Markup(url.replace("\\", "%5C").replace("<", "%3C").replace(">", "%3E").replace("&", "&amp;"))  # noqa: S704


def _anchor(stock: Stock) -> Markup:
    return escape(str(stock))
