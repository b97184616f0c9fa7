"""`stockdesk report`: what it gathers, and how the page shows it."""

import base64
import hashlib
import re
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from handlers.day import dated
from handlers.facts import current_facts, find_fact
from handlers.sources.base import Bar
from queues.database import Transaction
from server.desk import make_folders, open_database
from server.report.chart import chart_of
from server.report.command import STDOUT, Format, ReportError, write_report
from server.report.content import Report
from server.report.html import html_of
from server.settings import Settings
from tests.server.desks import SAMPLE_DAY
from tests.server.reports import (
    APPLE,
    APPLE_BARS,
    BAIT,
    LOST,
    MAHINDRA,
    SPY_BARS,
    WEB,
    Page,
    filled_home,
    gathered,
)
from tests.server.seeding import hold_all, know_all, many_stocks

POINT = re.compile(r"([\d.]+) ([\d.]+)")
MATRIX = re.compile(r"matrix\((\S+) 0 0 (\S+) (\S+) (\S+)\)")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return filled_home(tmp_path_factory.mktemp("report") / "home")


@pytest.fixture(scope="module")
def report(filled: Settings) -> Report:
    return gathered(filled)


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(html_of(report))


def test_the_largest_holding_comes_first_and_what_has_no_price_last(report: Report) -> None:
    assert [each.stock for each in report.stocks] == [APPLE, MAHINDRA, LOST]
    assert report.actions == {"EXIT": 2}
    assert report.freshness == {"fresh": 2, "missing": 1}
    [apple, mahindra, lost] = report.stocks
    close = Decimal(repr(APPLE_BARS[-1].close))
    assert (apple.value, lost.value) == (21 * close, None)
    # The shares in the third account are held in another currency than their price.
    assert apple.gain_percent == pytest.approx(
        Decimal(100) * (Decimal(repr(APPLE_BARS[-1].close)) / Decimal("101.25") - 1)
    )
    assert apple.was is not None
    assert apple.was.action == "HOLD"
    assert mahindra.was is None
    assert lost.missing is not None


def test_each_fact_on_the_page_is_the_stored_one(filled: Settings, page: Page) -> None:
    rows = {row.attributes["id"]: row for row in page.all("tr", data_name="")}

    def stored(tx: Transaction) -> dict[str, str]:
        known = [*current_facts(tx, APPLE), *current_facts(tx, MAHINDRA), find_fact(tx, "f3")]  # f3 was cited
        return {fact.id: repr(fact.value) for fact in known if fact is not None}

    with closing(open_database(filled)) as database:
        assert {id_: row.attributes["data-value"] for id_, row in rows.items()} == database.read_now(stored)
    assert "Return 1 year-12.35 %" in rows["f2"].text
    assert "394,328,000,000 USD" in rows["f4"].text
    assert "0.00457" in rows["f5"].text


def test_every_link_inside_the_page_has_an_end_and_each_id_is_there_once(page: Page) -> None:
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    links = [link.attributes["href"] for link in page.all("a") if link.attributes["href"].startswith("#")]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links} <= set(ids)
    cited = [row.attributes for row in page.all("tr", data_fact="")]
    assert {each["data-fact"] for each in cited} <= set(ids)
    assert [(each["data-value"], each["data-unit"]) for each in cited] == [
        ("55.5", "points"),
        ("55.4954", "points"),
    ] * 2


def test_the_line_of_a_chart_is_the_stored_closes(report: Report, page: Page) -> None:
    [line] = page.all("path", transform="")
    points = [(int(x), float(y)) for x, y in POINT.findall(line.attributes["d"])]
    assert [(report.since + timedelta(days=x), y) for x, y in points] == [
        (bar.day, bar.close) for bar in APPLE_BARS
    ]
    marks = {
        text.attributes["class"]: float(text.attributes["data-close"])
        for text in page.all("text", data_close="")
    }
    closes = [bar.close for bar in APPLE_BARS]
    assert marks == {"high": max(closes), "low": min(closes), "last": closes[-1]}
    [caption] = page.all("figcaption")
    assert f"lowest {min(closes):.2f}" in caption.text


def test_the_matrix_of_a_chart_puts_each_close_where_its_mark_is() -> None:
    chart = chart_of(APPLE_BARS, SPY_BARS, SAMPLE_DAY - timedelta(days=365), SAMPLE_DAY)
    assert chart is not None
    assert chart.benchmark is not None
    wide, tall, left, floor = placed(chart.matrix)
    for mark in (chart.high, chart.low, chart.last):
        days = (mark.bar.day - chart.since).days
        assert (mark.x, mark.y) == pytest.approx(
            (left + wide * days, floor + tall * mark.bar.close), abs=0.01
        )
    # Both lines begin at one point.
    assert placed(chart.benchmark)[1] * SPY_BARS[0].close == pytest.approx(tall * APPLE_BARS[0].close)
    assert placed(chart.benchmark)[2:] == (left, floor)


def placed(matrix: str) -> tuple[float, float, float, float]:
    found = MATRIX.fullmatch(matrix)
    assert found is not None
    wide, tall, left, floor = map(float, found.groups())
    return wide, tall, left, floor


def test_a_line_needs_two_closes_and_may_be_flat() -> None:
    since = SAMPLE_DAY - timedelta(days=365)
    assert chart_of(APPLE_BARS[:1], [], since, SAMPLE_DAY) is None
    flat = chart_of([Bar(day=bar.day, close=5.0) for bar in APPLE_BARS], [], since, SAMPLE_DAY)
    assert flat is not None
    assert flat.benchmark is None
    assert flat.high.y == flat.low.y


def test_hostile_text_stays_text(page: Page) -> None:
    tags = {element.tag for element in page.elements}
    assert not tags & {"script", "img", "i", "iframe", "object", "base", "form", "link"}
    names = {name for element in page.elements for name in element.attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    [body] = page.all("body")
    assert body.text.count(BAIT) > 20
    assert "safe\ufffdefas\ufffd[2J\ufffd" in body.text


def test_only_addresses_of_the_web_become_links_and_they_tell_nothing(page: Page) -> None:
    outside = [link.attributes for link in page.all("a") if not link.attributes["href"].startswith("#")]
    assert outside == [{"href": WEB, "rel": "noopener noreferrer"}]
    assert [item.text.startswith(BAIT) for item in page.all("li", data_text="t2")] == [True]
    assert "the analyst had it" in page.all("li", data_text="t1")[0].text


def test_the_page_allows_nothing_but_its_own_style(page: Page) -> None:
    [style] = page.all("style")
    css = "".join(style.parts)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    [policy] = page.all("meta", http_equiv="Content-Security-Policy")
    assert policy.attributes["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in css
    assert "@import" not in css


def test_what_is_not_known_is_a_dash_and_says_why(page: Page) -> None:
    [row] = [row for row in page.all("tr", data_stock=str(LOST)) if "–" in row.text]
    assert row.text == "NYSE:LOST LOST & Co " + "–" * 4 + " " + "–" * 4
    [foreign] = page.all("li", data_stock=str(APPLE))
    assert foreign.text.endswith(
        "A holding of it is in another currency than its price, and has no known value."
    )
    [why] = page.all("li", data_stock=str(LOST))
    assert BAIT in why.text


def test_a_track_record_of_too_few_says_so(page: Page) -> None:
    record = page.all("section", id="record")[0].text
    assert "1 verdict with an outcome after 4 weeks." in record
    assert record.count("Groups of fewer than 30 tell nothing") == 1
    assert "0 verdicts with an outcome after 12 weeks." in record
    [group] = page.all("tr", data_group="EXIT")
    assert group.text.startswith("claudeEXIT1 of 1, too few-3.5 %-4.7 %100.0 %")


def test_weights_are_those_of_the_portfolio_and_many_small_ones_are_one_bar(settings: Settings) -> None:
    make_folders(settings)
    with closing(open_database(settings)) as database:
        database.write_now(lambda tx: (hold_all(tx, many_stocks(20)), know_all(tx, many_stocks(20))))
    report = gathered(settings)
    rows = Page(html_of(report)).all("tr", data_percent="")
    shown = {row.attributes["data-of"]: Decimal(row.attributes["data-percent"]) for row in rows}
    stored = [(fact.of, fact.value) for fact in report.pools[0].weights]
    assert list(shown.items()) == [*stored[:15], ("5 others", 25), ("Information Technology", 100)]


def test_what_changed_is_said_since_a_review_of_a_time_and_a_size(report: Report, page: Page) -> None:
    assert report.changes is not None
    began = dated(report.changes.since.began_at, report.zone)
    [changes] = page.all("section", id="changes")
    assert f"Since the review of {began} (2 stocks): 2 stocks judged, " in changes.text


def test_what_the_sessions_cost_and_were_told_is_said(page: Page) -> None:
    making = page.all("section", id="making")[0].text
    assert "Verdicts: 2 by claude. Claude sessions behind them: 2, 0.25 USD." in making
    assert f"Model: {BAIT}; version of the instructions: abc123." in making


def write(settings: Settings, out: Path | None, kind: Format = "html", **options: Any) -> str:
    return anyio.run(partial(write_report, settings, kind, out, **{"replace": False, **options}))


def test_a_report_is_a_file_for_its_user_alone_and_takes_no_name_twice(
    filled: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))

    said = write(filled, None, progress=progress)
    file = tmp_path / "stockdesk-report-2022-12-28.html"
    assert said.startswith("Wrote 3 stocks to stockdesk-report-2022-12-28.html (0.")
    assert file.stat().st_mode & 0o077 == 0
    assert told == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(ReportError, match="exists already; choose another name, or --force"):
        write(filled, None)
    file.write_text("old", "utf-8")
    write(filled, None, replace=True)
    assert file.read_text("utf-8").startswith("<!doctype html>")
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == [file.name]


def test_a_file_that_cannot_be_written_is_refused_in_a_sentence(filled: Settings, tmp_path: Path) -> None:
    with pytest.raises(
        ReportError, match=r"report\.csv cannot be written: No such file or directory; choose"
    ):
        write(filled, tmp_path / "nowhere" / "report.csv", "csv")


def test_a_dash_is_stdout(filled: Settings, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write(filled, STDOUT, "markdown")
    assert capfdbinary.readouterr().out.startswith(b"# Portfolio report, 2022-12-28\n")


@pytest.mark.parametrize("is_there", [True, False])
def test_an_empty_desk_is_refused_and_a_home_that_is_not_there_is_not_made(
    settings: Settings, tmp_path: Path, *, is_there: bool
) -> None:
    if is_there:
        make_folders(settings)
        open_database(settings).close()
    with pytest.raises(ReportError, match=r"in .*home no stock is held or judged; sync a portfolio first"):
        write(settings, tmp_path / "report.html")
    assert settings.home.exists() is is_there
    assert not (tmp_path / "report.html").exists()
