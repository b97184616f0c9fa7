"""The command line, as a person or a script types it."""

import json
import subprocess
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from handlers.ai_analysis import analysis_task
from handlers.stocks import Exchange, Stock
from queues.holds import hold_queue
from queues.model import QueueName
from queues.store import enqueue
from server.desk import make_folders, open_database
from server.settings import Settings
from tests.server.desks import earlier
from tests.server.whole import STOCKDESK


class Typed:
    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home.parent),
            "STOCKDESK_HOME": str(self.home),
        }
        return subprocess.run(
            [STOCKDESK, *arguments],
            env={**environment, **variables},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    def json(self, *arguments: str, **variables: str) -> Any:
        ended = self(*arguments, "--json", **variables)
        assert (ended.returncode, ended.stderr) == (0, "")
        return json.loads(ended.stdout)


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    return Typed(tmp_path / "home")


def test_status_of_a_new_home(typed: Typed, settings: Settings) -> None:
    make_folders(settings)
    open_database(settings).close()
    status = typed.json("status")
    assert [queue["state"] for queue in status["queues"]] == ["idle"] * 3
    assert status["analyst"] == "claude"
    assert "No process runs the queues" in status["message"]
    ended = typed("status")
    assert ended.returncode == 0
    for queue in QueueName:
        assert queue in ended.stdout


def test_release_ends_a_hold_and_lets_old_analysis_go_only_by_its_option(
    typed: Typed, settings: Settings
) -> None:
    make_folders(settings)
    open_database(settings).close()
    database = earlier(settings, timedelta(hours=25))
    database.write_now(lambda tx: hold_queue(tx, QueueName.AI_ANALYSIS, "user", "too expensive"))
    database.write_now(lambda tx: enqueue(tx, [analysis_task([Stock("KO", Exchange.NYSE)])]))
    database.close()
    ended = typed("release", "ai_analysis")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("ai_analysis goes on. 1 asked for over a day ago still needs approval")
    ended = typed("release", "ai_analysis", "--include-old")
    assert ended.stdout == "ai_analysis was not held. 1 old task may start.\n"
    status = typed.json("status")["queues"][2]
    assert (status["holds"], status["waiting_for_approval"]) == ([], 0)


def test_a_release_of_a_queue_that_there_is_not_is_a_usage_error(typed: Typed) -> None:
    ended = typed("release", "everything")
    assert ended.returncode == 2
    assert not typed.home.exists()


def test_settings_are_listed_with_value_and_origin(typed: Typed) -> None:
    typed.home.mkdir()
    (typed.home / "settings.toml").write_text('model = "opus"\n', "utf-8")
    rows = {
        row["variable"]: (row["value"], row["origin"])
        for row in typed.json("settings", STOCKDESK_STOCKS_PER_SESSION="3", STOCKDESK_ANALYST="")
    }
    assert rows["STOCKDESK_HOME"] == (str(typed.home), "environment")
    assert rows["STOCKDESK_MODEL"] == ("opus", "settings.toml")
    assert rows["STOCKDESK_STOCKS_PER_SESSION"] == ("3", "environment")
    assert rows["STOCKDESK_ANALYST"] == ("claude", "default")
    printed = typed("settings").stdout
    assert "STOCKDESK_MODEL = opus  (settings.toml)" in printed
    assert all(variable in printed for variable in rows)


@pytest.mark.parametrize("command", ["settings", "serve"])
def test_a_setting_that_cannot_be_used_ends_every_command_with_one_sentence(
    typed: Typed, command: str
) -> None:
    ended = typed(command, STOCKDESK_ANALYST="oracle")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("STOCKDESK_ANALYST = 'oracle' cannot be used: ")
    assert ended.stderr.count("\n") == 1


def test_a_home_that_cannot_be_made_ends_a_command_with_one_sentence(typed: Typed) -> None:
    typed.home.write_text("a file, not a folder", "utf-8")
    ended = typed("serve")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "cannot be made" in ended.stderr
    assert "set STOCKDESK_HOME" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_home_of_a_newer_version_ends_a_command_with_one_sentence(typed: Typed, settings: Settings) -> None:
    make_folders(settings)
    database = open_database(settings)
    database.write_now(lambda tx: tx.run("UPDATE schema_versions SET version = 99"))
    database.close()
    ended = typed("status")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "install the newer Stockdesk" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_names_every_command_and_imports_nothing_heavy(typed: Typed) -> None:
    ended = typed("--help", PYTHONPROFILEIMPORTTIME="1")
    commands = (
        "demo serve worker status tasks task portfolio verdicts spend report hold release cancel retry takeover"
        " settings backup restore doctor config login install"
    )
    for command in commands.split():
        assert f"│ {command} " in ended.stdout
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "server.cli" in imported
    assert imported.isdisjoint(
        {"apsw", "mcp", "httpx", "jinja2", "rich.progress", "handlers.verdict", "server.desk"}
    )


def test_it_tells_its_version(typed: Typed) -> None:
    assert typed("--version").stdout == f"stockdesk {version('stockdesk')}\n"
