"""The user's own `claude`, by its name."""

from pathlib import Path

import pytest

from handlers.analyst.cli import CliNotFoundError, find_cli


def test_a_bare_name_means_the_one_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "claude"
    own.write_text("#!/bin/sh\n", encoding="utf-8")
    own.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_cli(Path("claude")) == own
    with pytest.raises(CliNotFoundError, match=r"No `claudia` is on PATH.*a path means that file"):
        find_cli(Path("claudia"))
