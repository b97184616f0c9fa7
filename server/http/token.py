"""The bearer token of a home: who holds it may do everything that the tools can."""

import os
import secrets
import stat
from pathlib import Path
from typing import NamedTuple

from server.settings import SettingsError

TOKEN_NAME = "http-token"  # noqa: S105 (the file's name)
TOKEN_BYTES = 32


class Token(NamedTuple):
    value: str
    path: Path
    is_new: bool


def obtain_token(home: Path, *, anew: bool) -> Token:
    """The home's token; made where there is none, or `anew`. Nobody but this user can read its file, at any moment.

    Raises:
        SettingsError: the file cannot be used.
    """
    path = home / TOKEN_NAME
    try:
        if anew:
            path.unlink(missing_ok=True)
        value = _make(path)
        return Token(value or _read(path), path, is_new=value is not None)
    except OSError as error:
        raise SettingsError(f"The token {path} cannot be used: {error}; make it accessible.") from error


def _make(path: Path) -> str | None:
    """None where the file exists, perhaps since this moment."""
    value = secrets.token_urlsafe(TOKEN_BYTES)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return None
    with os.fdopen(file, "w") as writer:
        writer.write(value + "\n")
    return value


def _read(path: Path) -> str:
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        raise SettingsError(
            f"The token {path} can be read by others (mode {mode:o}); make another one with --new-token."
        )
    value = path.read_text("ascii", errors="replace").strip()
    # No shorter than one of ours, and nothing that a header cannot carry.
    if len(value) < TOKEN_BYTES or not (value.isascii() and value.isprintable()) or " " in value:
        raise SettingsError(f"There is no token in {path}; make one with --new-token.")
    return value
