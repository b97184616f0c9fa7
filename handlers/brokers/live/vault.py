"""Where secrets are kept: in the keyring of the system, or, where it has none, in a file of the home."""

import os
import stat
from pathlib import Path

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError

SERVICE = "stockdesk"


class VaultError(Exception):
    """A secret cannot be read or kept; the message names the place, never the secret."""


class Vault:
    """Texts by name. A file is there only until a keyring can keep its text, so the file is the newer of two."""

    def __init__(self, home: Path, ring: KeyringBackend | None = None) -> None:
        self._folder = home / "credentials"
        self._ring = ring

    def read(self, name: str) -> str | None:
        """What was last written under this name; None if nothing was.

        Raises:
            VaultError: the keyring is locked, or others could read the file too.
        """
        path = self._path(name)
        try:
            if path.exists():
                return _read_private(path)
            ring = self._keyring()
            return None if ring is None else ring.get_password(SERVICE, name)
        except (KeyringError, OSError) as error:
            raise VaultError(
                f"The credentials {name} cannot be read: {error}; unlock the keyring, or set them in the environment."
            ) from error

    def write(self, name: str, text: str) -> str:
        """Keep this text in the place of the last one, and return the words for where it is now.

        Raises:
            VaultError: it can be kept nowhere.
        """
        path = self._path(name)
        try:
            ring = self._keyring()
            if ring is None:
                _write_private(path, text)
                return f"the file {path}"
            ring.set_password(SERVICE, name, text)  # pyright: ignore[reportUnknownMemberType] (their wrapper has no types)
            path.unlink(missing_ok=True)
        except (KeyringError, OSError) as error:
            raise VaultError(
                f"The credentials {name} cannot be kept: {error}; unlock the keyring, or set them in the environment."
            ) from error
        return "the keyring of this system"

    def _keyring(self) -> KeyringBackend | None:
        """None where the system has none, as without a desktop; keyring then gives one of priority 0 that fails."""
        ring = self._ring or keyring.get_keyring()
        return ring if ring.priority > 0 else None

    def _path(self, name: str) -> Path:
        return self._folder / f"{name.replace('/', '-')}.json"


def _read_private(path: Path) -> str:
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        raise VaultError(
            f"{path} can be read by others (mode {mode:o}); run `chmod 600` on it, and renew what stands in it."
        )
    return path.read_text("utf-8")


def _write_private(path: Path, text: str) -> None:
    """At no moment can others read it, and a reader sees the old text or the new one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    fresh.replace(path)
