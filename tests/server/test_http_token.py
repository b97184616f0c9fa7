import os
import stat
from pathlib import Path

import pytest

from server.http.token import obtain_token
from server.settings import SettingsError


def test_the_first_start_makes_a_token_that_later_starts_find(tmp_path: Path) -> None:
    first, later = obtain_token(tmp_path, anew=False), obtain_token(tmp_path, anew=False)
    assert (first.is_new, later.is_new) == (True, False)
    assert later.value == first.value
    assert len(first.value) >= 43  # 256 bits
    assert first.path == tmp_path / "http-token"


def test_each_home_and_each_new_token_is_another(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    tokens = [
        obtain_token(tmp_path, anew=False),
        obtain_token(tmp_path / "other", anew=False),
        obtain_token(tmp_path, anew=True),
    ]
    assert all(token.is_new for token in tokens)
    assert len({token.value for token in tokens}) == 3
    assert obtain_token(tmp_path, anew=False).value == tokens[-1].value


def test_nobody_else_can_read_the_file_from_its_first_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []

    def fdopen(file: int, mode: str) -> object:
        modes.append(stat.S_IMODE(os.fstat(file).st_mode))
        return open(file, mode)

    monkeypatch.setattr("os.fdopen", fdopen)
    before = os.umask(0)
    try:
        path = obtain_token(tmp_path, anew=False).path
    finally:
        os.umask(before)
    assert [*modes, stat.S_IMODE(path.stat().st_mode)] == [0o600, 0o600]


def test_a_token_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    obtain_token(tmp_path, anew=False).path.chmod(0o640)
    with pytest.raises(SettingsError, match=r"can be read by others \(mode 640\).*--new-token"):
        obtain_token(tmp_path, anew=False)
    assert obtain_token(tmp_path, anew=True).is_new


@pytest.mark.parametrize("content", ["", "short\n", "x" * 20 + " " + "x" * 20, "ü" * 40, "x" * 40 + "\ny"])
def test_a_file_without_a_token_in_it_is_not_used(tmp_path: Path, content: str) -> None:
    obtain_token(tmp_path, anew=False).path.write_text(content)
    with pytest.raises(SettingsError, match="There is no token in"):
        obtain_token(tmp_path, anew=False)


def test_a_token_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "http-token").mkdir(mode=0o700)
    with pytest.raises(SettingsError, match=r"http-token cannot be used: .*directory"):
        obtain_token(tmp_path, anew=False)
