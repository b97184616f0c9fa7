"""What `stockdesk config` prints, beside the real clients that are started with it in tests/hosts."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from server.client_config import Client, client_entry, settings_in
from server.settings import SettingsError


@pytest.mark.parametrize("client", Client)
def test_the_entry_names_the_script_of_this_install_by_its_absolute_path(client: Client) -> None:
    entry, _ = client_entry(client, {})
    assert json.loads(entry) == {
        "mcpServers": {
            "stockdesk": {"command": str(Path(sys.executable).parent / "stockdesk"), "args": ["serve"]}
        }
    }
    assert Path(json.loads(entry)["mcpServers"]["stockdesk"]["command"]).is_file()


def test_a_path_with_blanks_and_quotes_is_quoted_where_it_has_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", '/opt/my "desk" here/bin/python')
    monkeypatch.setattr(sys, "argv", ["-c"])
    entry, advice = client_entry(Client.CLAUDE_CODE, {})
    command = '/opt/my "desk" here/bin/stockdesk'
    assert json.loads(entry)["mcpServers"]["stockdesk"]["command"] == command
    assert shlex.split(advice.partition("run: ")[2]) == [
        "claude",
        "mcp",
        "add",
        "--scope",
        "user",
        "stockdesk",
        "--",
        command,
        "serve",
    ]


def test_a_script_that_lies_apart_from_python_is_found_by_how_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "bin" / "stockdesk"
    script.parent.mkdir()
    script.touch()
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")  # as `pip install --user` leaves it
    monkeypatch.setattr(sys, "argv", [str(script)])
    entry, _ = client_entry(Client.INSPECTOR, {})
    assert json.loads(entry)["mcpServers"]["stockdesk"]["command"] == str(script)


def test_the_entry_carries_settings_with_absolute_paths_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/user")
    environment = {
        "STOCKDESK_HOME": "desk",
        "STOCKDESK_CLAUDE_CLI": "~/bin/claude",
        "STOCKDESK_ANALYST_INSTRUCTIONS": "mine.md",
        "STOCKDESK_MODEL": "opus",
        "STOCKDESK_YAHOO_BASE_URL": "",
        "ANTHROPIC_API_KEY": "a secret",
    }
    entry, _ = client_entry(Client.CLAUDE_DESKTOP, environment)
    assert json.loads(entry)["mcpServers"]["stockdesk"]["env"] == {
        "STOCKDESK_HOME": str(tmp_path / "desk"),
        "STOCKDESK_CLAUDE_CLI": "/home/user/bin/claude",
        "STOCKDESK_ANALYST_INSTRUCTIONS": str(tmp_path / "mine.md"),
        "STOCKDESK_MODEL": "opus",
    }


def test_a_cli_by_its_name_is_carried_as_the_one_on_this_terminals_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = tmp_path / "claude"
    cli.touch(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))  # Claude Desktop has another
    assert settings_in({"STOCKDESK_CLAUDE_CLI": "claude"}) == {"STOCKDESK_CLAUDE_CLI": str(cli)}
    assert settings_in({"STOCKDESK_CLAUDE_CLI": "missing"}) == {"STOCKDESK_CLAUDE_CLI": "missing"}


@pytest.mark.parametrize(
    ("variable", "value"), [("STOCKDESK_ANALYSTS", "baseline"), ("STOCKDESK_HOME", "~nosuchuser/desk")]
)
def test_a_setting_that_cannot_be_carried_along_is_named_instead_of_dropped(
    variable: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=variable):
        client_entry(Client.CLAUDE_CODE, {variable: value})


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (Client.CLAUDE_DESKTOP, "claude_desktop_config.json"),
        (Client.CLAUDE_CODE, ".mcp.json"),
        (Client.INSPECTOR, "npx @modelcontextprotocol/inspector@2.12.0 --config inspector.json"),
    ],
)
def test_the_advice_says_where_the_entry_goes(client: Client, words: str) -> None:
    assert words in client_entry(client, {})[1]
