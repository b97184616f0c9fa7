"""Secrets are kept in the system's keyring, else in a file that nobody else can read."""

import os
import stat
from pathlib import Path

import pytest

from handlers.brokers.live.credentials import Broker, KiteCredentials, keep, stored
from handlers.brokers.live.vault import SERVICE, Vault, VaultError
from tests.handlers.live import NoRing, Ring
from tests.standins.brokers import KEY, SECRET, TOKEN

NAME = "kite/main"
FILE = Path("credentials", "kite-main.json")


def test_a_keyring_keeps_them_and_no_file_does(tmp_path: Path) -> None:
    ring = Ring()
    assert Vault(tmp_path, ring).write(NAME, "one") == "the keyring of this system"
    assert ring.kept == {(SERVICE, NAME): "one"}
    assert Vault(tmp_path, ring).read(NAME) == "one"
    assert list(tmp_path.iterdir()) == []


def test_without_a_keyring_a_file_keeps_them_that_nobody_else_can_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        said = Vault(tmp_path, NoRing()).write(NAME, "one")
        Vault(tmp_path, NoRing()).write(NAME, "two")
    finally:
        os.umask(before)
    path = tmp_path / FILE
    assert said == f"the file {path}"
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert Vault(tmp_path, NoRing()).read(NAME) == "two"


def test_what_was_written_last_is_read_wherever_it_went(tmp_path: Path) -> None:
    ring = Ring()
    Vault(tmp_path, ring).write(NAME, "on the desktop")
    Vault(tmp_path, NoRing()).write(NAME, "over ssh")
    assert Vault(tmp_path, ring).read(NAME) == "over ssh"
    Vault(tmp_path, ring).write(NAME, "on the desktop again")
    assert Vault(tmp_path, ring).read(NAME) == "on the desktop again"
    assert not (tmp_path / FILE).exists()


def test_a_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    vault = Vault(tmp_path, NoRing())
    vault.write(NAME, "canary")
    (tmp_path / FILE).chmod(0o640)
    with pytest.raises(VaultError, match="can be read by others") as error:
        vault.read(NAME)
    assert "canary" not in str(error.value)


def test_what_is_damaged_is_not_quoted(tmp_path: Path) -> None:
    vault = Vault(tmp_path, Ring())
    vault.write(NAME, '{"api_key": "canary", "api_secret": ["canary"]}')
    with pytest.raises(VaultError, match="damaged; run `stockdesk login kite --account 'main'`") as error:
        stored(vault, KiteCredentials, Broker.KITE, "main")
    assert "canary" not in f"{error.value} {error.value.__context__}"


def test_credentials_come_back_as_they_were_and_do_not_show_themselves(tmp_path: Path) -> None:
    vault = Vault(tmp_path, NoRing())
    session = KiteCredentials(api_key=KEY, api_secret=SECRET, access_token=TOKEN)
    keep(vault, session, Broker.KITE, "main")
    assert stored(vault, KiteCredentials, Broker.KITE, "main") == session
    assert "canary" not in f"{session!r} {session}"
