"""`stockdesk doctor`: each trouble is found, comes with what to do, and changes nothing."""

import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import anyio
import pytest

from queues.filesystems import FileSystem
from queues.holds import hold_queue
from queues.model import NewTask, QueueName
from queues.store import enqueue
from server.desk import DATABASE_NAME, make_folders, open_database
from server.doctor import examine
from server.settings import Settings
from tests.hosts.serve import Serve, desk_environment
from tests.server.desks import earlier, sample_settings
from tests.server.test_cli import Typed
from tests.standins.http_source import HttpSource, Reply
from tests.standins.http_source import always as always_answer

FETCH = NewTask(queue=QueueName.DATA_FETCHER, kind="fetch", payload={})


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    return Typed(tmp_path / "home")


@pytest.fixture
def home(settings: Settings) -> Path:
    make_folders(settings)
    open_database(settings).close()
    return settings.home


@pytest.fixture
def yahoo() -> Iterator[HttpSource]:
    with HttpSource() as source:
        yield source


def found(settings: Settings, about: str) -> list[tuple[str, str, str]]:
    findings = anyio.run(examine, settings)
    return [(each.level, each.what, each.advice) for each in findings if each.about == about]


def one(settings: Settings, about: str) -> tuple[str, str, str]:
    (finding,) = found(settings, about)
    return finding


@pytest.mark.usefixtures("home")
def test_a_home_in_order_has_nothing_but_good_findings(settings: Settings) -> None:
    findings = anyio.run(examine, settings)
    assert {finding.level for finding in findings} == {"ok"}, findings
    about = {finding.about for finding in findings}
    assert about >= {"versions", "home", "disk", "database", "leader", *QueueName, "claude", "sample"}


def test_a_home_that_is_not_there_is_not_made(settings: Settings) -> None:
    level, what, _ = one(settings, "home")
    assert level == "ok"
    assert "is not there yet" in what
    assert not settings.home.exists()


def test_a_file_in_the_place_of_the_home_is_a_problem(settings: Settings) -> None:
    settings.home.write_text("", "utf-8")
    assert one(settings, "home") == (
        "problem",
        f"{settings.home} is a file",
        "Move it away, or set STOCKDESK_HOME.",
    )


def test_a_home_that_others_can_read_is_warned_of(settings: Settings, home: Path) -> None:
    home.chmod(0o755)
    _, warning = found(settings, "home")
    assert warning == ("warning", "Other users can look into it", f"Run: chmod 700 {home}")


@pytest.mark.usefixtures("home")
def test_a_home_on_a_network_file_system_is_a_problem(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nas = Mock(return_value=FileSystem("nfs4", "/mnt/nas", is_shared=True))
    monkeypatch.setattr("queues.filesystems.file_system_of", nas)
    monkeypatch.setattr("server.doctor.file_system_of", nas)
    disk, _ = found(settings, "disk")
    assert disk == (
        "problem",
        "/mnt/nas is a network file system (nfs4)",
        "Set STOCKDESK_HOME to a folder on a local disk.",
    )
    level, what, _ = one(settings, "database")
    assert (level, "lies on a network file system" in what) == ("problem", True)


@pytest.mark.parametrize(
    ("free", "level"), [(10_000_000, "problem"), (100_000_000, "warning"), (10**9, "ok")]
)
@pytest.mark.usefixtures("home")
def test_little_space_is_warned_of_and_hardly_any_is_a_problem(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", Mock(return_value=Mock(free=free)))
    assert one(settings, "disk")[0] == level


def test_a_damaged_database_is_a_problem_and_left_as_it_is(settings: Settings, home: Path) -> None:
    letter = "a letter to the reader" * 50
    (home / DATABASE_NAME).write_text(letter, "utf-8")
    level, what, advice = one(settings, "database")
    assert (level, "is damaged" in what) == ("problem", True)
    assert "stockdesk restore" in advice
    assert (home / DATABASE_NAME).read_text("utf-8") == letter


@pytest.mark.parametrize(("version", "level"), [(99, "problem"), (0, "warning")])
def test_a_database_of_another_version_is_named_and_not_touched(
    settings: Settings, home: Path, version: int, level: str
) -> None:
    database = open_database(settings)
    database.write_now(lambda tx: tx.run("UPDATE schema_versions SET version = :v", v=version))
    database.close()
    left = (home / DATABASE_NAME).read_bytes()
    _, finding = found(settings, "database")
    assert finding[0] == level
    assert (home / DATABASE_NAME).read_bytes() == left


@pytest.mark.usefixtures("home")
def test_a_task_from_the_future_says_that_the_clock_was_set_back(settings: Settings) -> None:
    database = earlier(settings, -timedelta(days=1))
    database.write_now(lambda tx: enqueue(tx, [FETCH]))
    database.close()
    level, what, _ = one(settings, "clock")
    assert level == "warning"
    assert "the newest task is of" in what


@pytest.mark.usefixtures("home")
def test_a_held_queue_comes_with_its_reason_and_the_command_that_releases_it(settings: Settings) -> None:
    database = open_database(settings)
    database.write_now(lambda tx: hold_queue(tx, QueueName.AI_ANALYSIS, "user", "too expensive"))
    database.close()
    assert one(settings, "ai_analysis") == (
        "warning",
        "0 queued, 0 failed; held: too expensive",
        "Once that is settled: stockdesk release ai_analysis",
    )


@pytest.mark.usefixtures("home")
def test_tasks_that_nobody_runs_are_warned_of(settings: Settings) -> None:
    database = open_database(settings)
    database.write_now(lambda tx: enqueue(tx, [FETCH]))
    database.close()
    level, what, advice = one(settings, "leader")
    assert (level, what) == ("warning", "No process runs the queues")
    assert "stockdesk worker" in advice


def test_a_leader_that_hangs_is_a_problem_and_one_that_answers_is_not(tmp_path: Path) -> None:
    typed = Typed(tmp_path / "desk")
    variables = desk_environment(tmp_path)
    with Serve(variables) as serve:
        serve.initialize()
        serve.call("get_queue_status")
        assert typed("doctor", **variables).returncode == 0
        serve.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, serve.process.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            ended = typed("doctor", **variables)
        finally:
            serve.process.send_signal(signal.SIGCONT)
    assert ended.returncode == 1
    assert "`stockdesk takeover` ends it" in ended.stdout


def chosen(settings: Settings, **wishes: object) -> Settings:
    return sample_settings(settings.home, **wishes)


def test_a_source_that_answers_is_well(settings: Settings, yahoo: HttpSource) -> None:
    asked = chosen(settings, price_sources=("yahoo",), yahoo_base_url=yahoo.url)
    assert one(asked, "yahoo") == ("ok", f"{yahoo.url} answers", "")
    assert len(yahoo.requests) == 1
    assert found(asked, "clock") == []


def test_certificates_that_cannot_be_read_are_a_finding(
    settings: Settings, yahoo: HttpSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    level, what, _ = one(chosen(settings, price_sources=("yahoo",), yahoo_base_url=yahoo.url), "yahoo")
    assert level == "warning"
    assert "correct or unset SSL_CERT_FILE" in what


@pytest.mark.parametrize("status", [429, 503])
def test_a_source_that_refuses_is_a_warning(settings: Settings, yahoo: HttpSource, status: int) -> None:
    yahoo.script = always_answer(Reply(status))
    level, what, _ = one(chosen(settings, price_sources=("yahoo",), yahoo_base_url=yahoo.url), "yahoo")
    assert level == "warning"
    assert f"{yahoo.url} answers {status}" in what


def test_a_source_that_is_away_is_a_warning(settings: Settings) -> None:
    with HttpSource() as gone:
        pass
    level, what, _ = one(chosen(settings, price_sources=("yahoo",), yahoo_base_url=gone.url), "yahoo")
    assert level == "warning"
    assert "does not answer" in what


def test_a_clock_that_differs_from_that_of_the_source_is_warned_of(
    settings: Settings, yahoo: HttpSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    date = Mock(return_value="Fri, 01 Mar 2024 09:00:00 GMT")
    monkeypatch.setattr("http.server.BaseHTTPRequestHandler.date_time_string", date)
    level, what, _ = one(chosen(settings, price_sources=("yahoo",), yahoo_base_url=yahoo.url), "clock")
    assert level == "warning"
    assert what.endswith("2024-03-01 09:00 UTC at the source")


def test_a_year_without_known_holidays_is_warned_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.doctor.system_clock", lambda: datetime(2028, 2, 1, tzinfo=UTC))
    india, new_york = found(settings, "calendar")
    assert (india[0], new_york[0]) == ("warning", "ok")
    assert india[1].endswith("of NSE are known through 2026; every weekday since counts as a session")


def test_the_real_cli_tells_whether_claude_is_signed_in(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("ANTHROPIC_", "CLAUDE"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with_claude = chosen(settings, analyst="claude")
    level, what, advice = one(with_claude, "sign-in")
    assert (level, what) == ("problem", "Claude is not signed in")
    assert "stockdesk login" in advice
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-very-secret")
    findings = anyio.run(examine, with_claude)
    assert [each.what for each in findings if each.about == "sign-in"] == [
        "signed in (api_key), by the variables of this terminal"
    ]
    assert "sk-very-secret" not in repr(findings)


def test_a_cli_that_is_not_there_is_a_problem(settings: Settings, tmp_path: Path) -> None:
    missing = chosen(settings, analyst="claude", claude_cli=tmp_path / "no-such-claude")
    level, what, _ = one(missing, "claude")
    assert level == "problem"
    assert "no-such-claude does not exist" in what


def test_a_cli_that_knows_no_auth_status_is_warned_of(settings: Settings, tmp_path: Path) -> None:
    old = tmp_path / "old-claude"
    old.write_text("#!/bin/sh\necho 1.0.0\n", "utf-8")
    old.chmod(0o700)
    level, what, _ = one(chosen(settings, analyst="claude", claude_cli=old), "sign-in")
    assert level == "warning"
    assert "does not tell" in what


def test_it_prints_80_columns_or_json_and_ends_with_1_if_there_is_a_problem(typed: Typed, home: Path) -> None:
    variables = {"STOCKDESK_ANALYST": "baseline", "STOCKDESK_PRICE_SOURCES": "sample"}
    well = typed("doctor", **variables)
    assert (well.returncode, well.stderr) == (0, "")
    assert max(map(len, well.stdout.splitlines())) <= 80
    assert all(queue in well.stdout for queue in QueueName)
    (home / DATABASE_NAME).write_text("a letter to the reader" * 50, "utf-8")
    ill = typed("doctor", "--json", **variables)
    assert (ill.returncode, ill.stderr) == (1, "")
    findings = json.loads(ill.stdout)
    assert {"about", "level", "what", "advice"} == set(findings[0])
    assert [each["level"] for each in findings if each["about"] == "database"] == ["problem"]


def test_instructions_that_cannot_be_used_are_named_with_what_is_wrong(
    settings: Settings, tmp_path: Path
) -> None:
    own = tmp_path / "own.md"
    own.write_text("Judge as you like.\n", encoding="utf-8")
    level, what, _ = one(chosen(settings, analyst="claude", analyst_instructions=own), "instructions")
    assert level == "problem"
    assert "The first line of" in what
    level, what, _ = one(chosen(settings, analyst="claude"), "instructions")
    assert level == "ok"
    assert "version" in what
