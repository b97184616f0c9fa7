"""The report as Markdown and as CSV: what a reader of each format gets back."""

import csv
import re
from collections.abc import Sequence
from contextlib import closing
from io import StringIO
from itertools import groupby
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from handlers.ai_analysis import analysis_task
from handlers.verdicts import store_no_verdict
from queues.database import Transaction
from queues.store import enqueue
from server.desk import make_folders, open_database
from server.report.content import Report
from server.report.markdown import escaped, markdown_of
from server.report.spreadsheet import csv_of
from server.report.wording import visible
from server.settings import Settings
from tests.server.desks import sample_settings
from tests.server.reports import APPLE, BAIT, HIDDEN, LOST, MAHINDRA, filled_home, gathered

Row = dict[str, str]
BAR = re.compile(r"(?<!\\)\|")
TRICKS = [
    BAIT,
    HIDDEN,
    "# heading",
    "- item",
    "+ item",
    "12. item",
    "3) item",
    "---",
    "===",
    "> quote",
    "    code",
    "~~~",
    "```sh",
    "| a | b |",
    "![image](https://evil.example/p.png)",
    "<https://evil.example>",
    "[a]: https://evil.example",
    "*a* __b__ ~~c~~ $d$ BAJAJ_AUTO",
    "\\` \\| \\<b>",
    "&copy; &#60;b&#62; M&M",
    "line\nbreak  \nthere",
    "-12.5 % and 3.5",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return gathered(filled_home(tmp_path_factory.mktemp("report") / "home"))


@pytest.fixture(scope="module")
def tokens(report: Report) -> list[Token]:
    return parsed(markdown_of(report))


@pytest.fixture(scope="module")
def rows(report: Report) -> list[Row]:
    text = csv_of(report)
    assert text.startswith("\ufeff")
    assert text[1:].replace("\r\n", "").isprintable()
    return list(csv.DictReader(StringIO(text[1:], newline=""), strict=True))


def parsed(markdown: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)


def words(inline: Token) -> str:
    """What a reader sees of one line."""
    assert inline.children is not None
    return "".join(each.content for each in inline.children if each.type in ("text", "code_inline"))


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("around", ["{}\n", "- {}\n", "| {} |\n|---|\n", "| a |\n|---|\n| {} |\n"])
def test_escaped_text_is_shown_as_it_is_wherever_it_stands(trick: str, around: str) -> None:
    tokens = parsed(around.format(escaped(trick)))
    inlines = [token for token in tokens if token.type == "inline"]
    assert words(inlines[-1]) == visible(trick)
    assert {each.type for inline in inlines for each in inline.children or ()} == {"text"}
    assert not {token.type for token in tokens} & {
        "heading_open",
        "hr",
        "blockquote_open",
        "html_block",
        "fence",
    }


def test_the_markdown_holds_every_text_and_no_markup_but_its_own(tokens: Sequence[Token]) -> None:
    inlines = [token for token in tokens if token.type == "inline"]
    assert sum(BAIT in words(token) for token in inlines) > 20
    children = [each for token in inlines for each in token.children or ()]
    html = {each.content for each in children if each.type == "html_inline"}
    assert {each.split('"')[0] for each in html} == {"<a id=", "</a>"}
    assert not [each for each in children if each.type in ("image", "code_inline", "em_open")]


def test_the_links_of_the_markdown_lead_to_its_own_ends_or_to_a_text(tokens: Sequence[Token]) -> None:
    children = [each for token in tokens for each in token.children or ()]
    links = {str(each.attrs["href"]) for each in children if each.type == "link_open"}
    ends = {each.content.split('"')[1] for each in children if each.content.startswith("<a id=")}
    outside = {link for link in links if not link.startswith("#")}
    assert outside == {"https://news.example/a?b=1&copy=%3C2%3E"}
    assert {link[1:].replace("&", "&amp;") for link in links - outside} <= ends


def test_each_row_of_a_markdown_table_has_as_many_cells_as_its_head(report: Report) -> None:
    """Else a reader drops cells in silence."""
    lines = markdown_of(report).splitlines()
    tables = [list(own) for is_row, own in groupby(lines, lambda line: line.startswith("|")) if is_row]
    assert len(tables) > 8
    for table in tables:
        assert len({len(BAR.findall(line)) for line in table}) == 1


def test_the_spreadsheet_has_the_stored_numbers_of_each_stock(report: Report, rows: Sequence[Row]) -> None:
    assert [row["stock"] for row in rows] == [str(APPLE), str(MAHINDRA), str(LOST)]
    for row, each in zip(rows, report.stocks, strict=True):
        assert {fact.name: repr(fact.value) for fact in each.brief.facts} == {
            fact.name: row[fact.name] for fact in each.brief.facts
        }
    assert [row["quantity"] for row in rows] == ["31.5", "10.5", "10.5"]
    assert [row["average_price"] for row in rows] == ["", "101.25", "101.25"]
    assert rows[0]["action_before"] == "HOLD"
    assert (rows[2]["value"], rows[2]["last_close"], rows[2]["action"]) == ("", "", "")


def test_no_cell_of_the_spreadsheet_is_a_formula(rows: Sequence[Row]) -> None:
    assert rows[1]["name"] == '\'=HYPERLINK("http://evil.example")'
    assert rows[1]["sector"] == BAIT
    assert rows[1]["thesis"] == visible(f"{BAIT} {HIDDEN}")
    # A number may be negative.
    assert rows[0]["return_1y"] == "-12.3456789"


def test_no_view_has_no_conviction_and_the_verdict_before_is_named_though_it_said_the_same(
    tmp_path: Path,
) -> None:
    report = gathered(_judged_twice_without_a_view(tmp_path))
    cells = [
        cell.strip()
        for cell in next(
            line for line in markdown_of(report).splitlines() if line.startswith(f"| [{LOST}]")
        ).split("|")
    ]
    assert cells[3:6] == ["NO DATA", "NO DATA", "–"]
    [row] = csv.DictReader(StringIO(csv_of(report)))
    assert (row["action"], row["action_before"]) == ("INSUFFICIENT_DATA",) * 2
    assert (row["conviction"], row["conviction_before"]) == ("", "")
    assert "conviction –" in markdown_of(report)
    assert "for the first time" not in markdown_of(report)


def _judged_twice_without_a_view(home: Path) -> Settings:
    settings = sample_settings(home)
    make_folders(settings)

    def judge(tx: Transaction) -> None:
        for task in enqueue(tx, [analysis_task([LOST]), analysis_task([LOST, APPLE])]):
            store_no_verdict(tx, task.task, LOST, thesis="There are no prices.", reason="missing_data")

    with closing(open_database(settings)) as database:
        database.write_now(judge)
    return settings
