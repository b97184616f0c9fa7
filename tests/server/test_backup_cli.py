"""`stockdesk backup` and `restore`, as a person or a script types them."""

import os
import subprocess
from pathlib import Path

import pytest

from handlers.ai_analysis import analysis_task
from handlers.stocks import Exchange, Stock
from queues.backup import RESTORE
from queues.inspection import TaskFilter, list_tasks
from queues.store import enqueue
from server.desk import DATABASE_NAME, make_folders, open_database
from server.settings import Settings
from tests.server.test_cli import Typed
from tests.server.whole import STOCKDESK

KO, PEP = Stock("KO", Exchange.NYSE), Stock("PEP", Exchange.NYSE)


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    return Typed(tmp_path / "home")


def put(settings: Settings, stock: Stock) -> None:
    make_folders(settings)
    database = open_database(settings)
    database.write_now(lambda tx: enqueue(tx, [analysis_task([stock])]))
    database.close()


def how_many(settings: Settings) -> int:
    database = open_database(settings)
    _, total = database.read_now(lambda tx: list_tasks(tx, TaskFilter(), limit=1))
    database.close()
    return total


@pytest.fixture
def saved(settings: Settings, typed: Typed, tmp_path: Path) -> Path:
    """A backup of one queued analysis, in whose home there are two by now."""
    put(settings, KO)
    assert typed("backup", str(tmp_path / "saved.db")).returncode == 0
    put(settings, PEP)
    return tmp_path / "saved.db"


def test_a_backup_says_what_it_saved_and_takes_no_name_twice(typed: Typed, saved: Path) -> None:
    refused = typed("backup", str(saved))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"{saved} exists already; choose another name, or --force to replace a file.\n"
    forced = typed("backup", str(saved), "--force")
    assert (forced.returncode, forced.stderr) == (0, "")
    assert forced.stdout.startswith("Saved 2 tasks, the newest of ")


def test_a_home_that_is_not_there_is_not_made_by_a_backup(typed: Typed, tmp_path: Path) -> None:
    ended = typed("backup", str(tmp_path / "saved.db"))
    assert ended.returncode == 1
    assert ended.stderr.startswith("There is no database")
    assert not typed.home.exists()


def test_a_restore_without_a_terminal_wants_to_be_meant(
    typed: Typed, settings: Settings, saved: Path
) -> None:
    ended = typed("restore", str(saved))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "A restore replaces all work in the home; add --yes if that is meant.\n"
    assert how_many(settings) == 2


def test_a_restore_says_what_it_did_and_how_the_analyses_go_on(
    typed: Typed, settings: Settings, saved: Path
) -> None:
    ended = typed("restore", str(saved), "--yes")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Restored 1 task, the newest of ")
    assert "stockdesk release ai_analysis" in ended.stdout
    assert how_many(settings) == 1
    (before,) = typed.home.glob("before-restore-*.db")
    assert str(before) in ended.stdout
    assert typed.json("status")["queues"][2]["holds"][0]["source"] == RESTORE
    undone = typed("restore", str(before), "--yes")
    assert undone.returncode == 0
    assert how_many(settings) == 2


@pytest.mark.parametrize(("answer", "left"), [(b"n\n", 2), (b"y\n", 1)])
def test_a_restore_in_a_terminal_asks(
    typed: Typed, settings: Settings, saved: Path, answer: bytes, left: int
) -> None:
    keyboard, terminal = os.openpty()
    os.write(keyboard, answer)
    ended = subprocess.run(
        [STOCKDESK, "restore", saved],
        env={"PATH": "/usr/bin:/bin", "STOCKDESK_HOME": str(typed.home)},
        stdin=terminal,
        capture_output=True,
        timeout=60,
        check=True,
    )
    os.close(keyboard)
    os.close(terminal)
    assert b"Replace all work in" in ended.stdout
    assert how_many(settings) == left


def test_a_file_that_is_no_backup_is_refused_with_one_sentence(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("a letter to the reader" * 50, "utf-8")
    ended = typed("restore", str(tmp_path / "letter.db"), "--yes")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert "no database of Stockdesk's" in ended.stderr
    assert not typed.home.exists()


@pytest.mark.parametrize("command", ["serve", "worker", "status"])
def test_a_damaged_database_ends_a_command_with_one_sentence_and_a_restore_brings_the_home_back(
    typed: Typed, settings: Settings, saved: Path, command: str
) -> None:
    database = settings.home / DATABASE_NAME
    database.write_text("a letter to the reader" * 50, "utf-8")
    ended = typed(command)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert "`stockdesk restore FILE` brings back a backup" in ended.stderr
    assert typed("restore", str(saved), "--yes").returncode == 0
    assert how_many(settings) == 1
    (before,) = typed.home.glob("before-restore-*.db")
    assert before.read_text("utf-8").startswith("a letter")
