"""`stockdesk install` in the files of clients: with what is there, and the way back."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server.cli import app
from server.client_config import Client
from server.install.changes import InstallError
from server.install.clients import adding, desktop_file
from tests.server.whole import STOCKDESK

COMMAND = str(Path(sys.executable).parent / "stockdesk")
OTHERS = '{\n    "theme": "dark",\n    "mcpServers": {\n        "notes": {"command": "notes", "args": []}\n    }\n}\n'
ANOTHER_DESK = """{
  "mcpServers": {
    "stockdesk": {
      "command": "/old/stockdesk",
      "args": ["serve"],
      "env": {"STOCKDESK_MODEL": "opus", "ANTHROPIC_API_KEY": "sk-ant-secret"},
      "alwaysLoad": true
    }
  }
}
"""

Typed = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of Claude Desktop, whose folder is there."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "argv", ["-c"])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("STOCKDESK_HOME")
    folder = tmp_path / "config" / "Claude"
    folder.mkdir(parents=True)
    return folder / "claude_desktop_config.json"


@pytest.fixture
def typed(config: Path) -> Typed:
    assert config.parent.is_dir()
    return lambda *arguments: CliRunner().invoke(app, ["install", *arguments])


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_desk_joins_the_other_servers_and_leaves_them_as_they_were(typed: Typed, config: Path) -> None:
    config.write_text(OTHERS, "utf-8")
    config.chmod(0o640)
    installed = typed("claude-desktop")
    assert installed.exit_code == 0, installed.output
    assert config.read_text("utf-8").startswith(OTHERS.removesuffix("\n    }\n}\n") + ",\n")
    assert json.loads(config.read_text("utf-8"))["mcpServers"]["stockdesk"] == {
        "command": COMMAND,
        "args": ["serve"],
    }
    assert config.stat().st_mode & 0o777 == 0o640
    assert '+        "stockdesk": {' in installed.output.splitlines()
    assert "Restart Claude Desktop." in installed.output


def test_the_second_time_it_is_already_there_and_nothing_is_written(typed: Typed, config: Path) -> None:
    typed("claude-desktop")
    before = files_of(config.parent)
    again = typed("claude-desktop")
    assert "already there" in again.output
    assert files_of(config.parent) == before


def test_the_way_back_leaves_the_file_as_it_was_before(typed: Typed, config: Path) -> None:
    config.write_text(OTHERS, "utf-8")
    typed("claude-desktop")
    removed = typed("claude-desktop", "--uninstall")
    assert removed.exit_code == 0, removed.output
    assert config.read_text("utf-8") == OTHERS
    assert "stockdesk is not in" in typed("claude-desktop", "--uninstall").output


@pytest.mark.parametrize("options", [[], ["--uninstall"]])
def test_a_dry_run_shows_the_change_and_makes_none(typed: Typed, config: Path, options: list[str]) -> None:
    config.write_text(ANOTHER_DESK, "utf-8")
    shown = typed("claude-desktop", "--dry-run", *options)
    assert (shown.exit_code, shown.output.splitlines()[-1]) == (0, "Nothing was changed (--dry-run).")
    assert '-      "command": "/old/stockdesk",' in shown.output
    assert files_of(config.parent) == {config.name: ANOTHER_DESK.encode()}


def test_another_desk_is_replaced_only_by_word_and_what_a_person_added_stays(
    typed: Typed, config: Path
) -> None:
    config.write_text(ANOTHER_DESK, "utf-8")
    refused = typed("claude-desktop")
    assert refused.exit_code == 1
    assert "Add --yes if that is meant; nothing was changed." in refused.output
    assert config.read_text("utf-8") == ANOTHER_DESK
    replaced = typed("claude-desktop", "--yes")
    assert json.loads(config.read_text("utf-8"))["mcpServers"]["stockdesk"] == {
        "command": COMMAND,
        "args": ["serve"],
        "env": {"ANTHROPIC_API_KEY": "sk-ant-secret"},
        "alwaysLoad": True,
    }
    assert "sk-ant-secret" not in refused.output + replaced.output


def test_a_person_at_a_terminal_is_asked_and_may_say_no(config: Path) -> None:
    config.write_text(ANOTHER_DESK, "utf-8")
    terminal, its_end = os.openpty()
    with open(terminal, "wb", buffering=0) as keyboard:  # noqa: PTH123 (a descriptor)
        keyboard.write(b"n\n")
        ended = subprocess.run(
            [STOCKDESK, "install", "claude-desktop"],
            env={"HOME": str(config.parents[2]), "XDG_CONFIG_HOME": str(config.parents[1])},
            stdin=its_end,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    os.close(its_end)
    assert ended.returncode == 0
    assert ended.stdout.endswith(f"Replace the entry stockdesk in {config}? [y/N]: Nothing was changed.\n")
    assert config.read_text("utf-8") == ANOTHER_DESK


def test_each_state_that_was_replaced_has_a_backup_of_its_own(typed: Typed, config: Path) -> None:
    for text in (OTHERS, ANOTHER_DESK, OTHERS):
        config.write_text(text, "utf-8")
        config.chmod(0o640)
        said = typed("claude-desktop", "--yes").output
    first, second = (config.with_name(f"{config.name}.backup-{number}") for number in (1, 2))
    assert (first.read_text("utf-8"), second.read_text("utf-8")) == (OTHERS, ANOTHER_DESK)
    assert first.stat().st_mode & 0o777 == 0o640
    assert set(files_of(config.parent)) == {config.name, first.name, second.name}
    assert f"As it was: {first}." in said  # the third state is the first


def test_what_another_program_wrote_after_the_change_was_shown_is_not_overwritten(config: Path) -> None:
    change = adding(Client.CLAUDE_DESKTOP, config, {})
    config.write_text(OTHERS, "utf-8")
    with pytest.raises(InstallError, match="has just been changed by another program; run this again"):
        change.make()
    assert files_of(config.parent) == {config.name: OTHERS.encode()}


def test_a_link_to_the_file_stays_one(typed: Typed, config: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.json"
    kept.write_text(OTHERS, "utf-8")
    config.symlink_to(kept)
    typed("claude-desktop")
    assert config.is_symlink()
    assert "stockdesk" in json.loads(kept.read_text("utf-8"))["mcpServers"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"mcpServers": {', "is not valid JSON"),
        (b'{\n  // mine\n  "mcpServers": {}\n}', "is not valid JSON"),
        (b"\xef\xbb\xbf{}", "begins with a byte order mark"),
        (b'{"a": "\xff"}', "cannot be read"),
        (b"[]", "is no JSON object"),
        (b'{"mcpServers": []}', "mcpServers in"),
    ],
    ids=["cut off", "a comment", "BOM", "not UTF-8", "a list", "servers in a list"],
)
@pytest.mark.parametrize("options", [[], ["--uninstall"]])
def test_a_file_that_no_client_can_read_is_left_alone_with_a_sentence(
    typed: Typed, config: Path, content: bytes, words: str, options: list[str]
) -> None:
    config.write_bytes(content)
    refused = typed("claude-desktop", "--yes", *options)
    assert refused.exit_code == 1
    assert words in refused.output
    assert "othing was changed." in refused.output
    assert refused.output.count("\n") == 1
    assert files_of(config.parent) == {config.name: content}


def test_an_empty_file_is_as_good_as_none(typed: Typed, config: Path) -> None:
    config.write_bytes(b"\n")
    assert typed("claude-desktop").exit_code == 0
    assert json.loads(config.read_text("utf-8")).keys() == {"mcpServers"}


def test_a_disk_that_refuses_leaves_the_file_whole_and_nothing_beside_it(
    typed: Typed, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(OTHERS, "utf-8")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    refused = typed("claude-desktop")
    assert refused.exit_code == 1
    assert f"{config} cannot be changed, and is as it was: [Errno 28]" in refused.output
    assert files_of(config.parent) == {config.name: OTHERS.encode()}


def test_a_write_protected_file_is_left_alone(
    typed: Typed, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(OTHERS, "utf-8")

    def refuses(*_: object) -> bool:
        return False

    monkeypatch.setattr(os, "access", refuses)  # whoever runs the tests may be allowed to do everything
    assert "it is write-protected" in typed("claude-desktop").output
    assert config.read_text("utf-8") == OTHERS


def test_a_project_gets_a_file_of_its_own(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STOCKDESK_HOME", "desk")
    assert typed("claude-code", "--scope", "project").exit_code == 0
    entry = json.loads((tmp_path / ".mcp.json").read_text("utf-8"))["mcpServers"]["stockdesk"]
    assert entry["env"] == {"STOCKDESK_HOME": str(tmp_path / "desk")}


def test_the_file_of_claude_desktop_is_where_each_system_keeps_it(tmp_path: Path) -> None:
    packaged = "AppData/Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude"
    for folder in (
        "Library/Application Support/Claude",
        "AppData/Roaming/Claude",
        ".config/Claude",
        "x/Claude",
    ):
        (tmp_path / folder).mkdir(parents=True)

    def found(platform: str, **environment: str) -> str:
        return str(desktop_file(platform, environment, tmp_path).parent.relative_to(tmp_path))

    assert found("darwin") == "Library/Application Support/Claude"
    assert found("linux") == ".config/Claude"
    assert found("linux", XDG_CONFIG_HOME=str(tmp_path / "x")) == "x/Claude"
    assert found("win32") == "AppData/Roaming/Claude"
    assert found("win32", APPDATA=str(tmp_path / "x")) == "x/Claude"
    (tmp_path / packaged).mkdir(parents=True)
    assert found("win32", APPDATA=str(tmp_path / "x")) == packaged


def test_without_claude_desktop_no_folder_is_made_for_it(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="start it once"):
        desktop_file("darwin", {}, tmp_path)
    assert list(tmp_path.iterdir()) == []
