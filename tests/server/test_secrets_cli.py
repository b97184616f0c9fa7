"""Commands that are typed with a key in the environment print and keep none of it."""

from pathlib import Path

import pytest

from server.desk import make_folders, open_database
from server.settings import Settings
from tests.server.test_cli import Typed

CANARY = "sk-ant-canary-0123456789abcdefghijklmnop"


@pytest.mark.parametrize("variable", ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"])
def test_no_command_prints_or_keeps_a_key(tmp_path: Path, settings: Settings, variable: str) -> None:
    make_folders(settings)
    open_database(settings).close()
    typed = Typed(settings.home)
    commands = [
        ["settings"],
        ["demo"],
        ["doctor"],
        ["status", "--json"],
        ["backup", str(tmp_path / "saved.db")],
    ]
    ended = [
        typed(
            *command,
            **{variable: CANARY, "STOCKDESK_LOG_LEVEL": "DEBUG", "STOCKDESK_PRICE_SOURCES": "sample"},
        )
        for command in commands
    ]
    assert [each.returncode for each in ended] == [0] * len(commands)
    said = [f"{each.stdout}{each.stderr}" for each in ended]
    assert all(said)
    assert CANARY not in "".join(said)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert [file for file in files if CANARY.encode() in file.read_bytes()] == []
