"""One change of one file: shown before it is made, made at once or not at all, and with a backup beside it."""

import difflib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from server.whole_files import write_whole

# Of variables in JSON, and of whatever else the file says in lines that change.
_SECRET = re.compile(
    r'("[^"]*(?:KEY|TOKEN|SECRET|PASSWORD|AUTHORIZATION)[^"]*"\s*:\s*")(?:\\.|[^"\\])*', re.IGNORECASE
)


class InstallError(Exception):
    """What was asked for cannot be done; the message says why, what was changed and what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """From the text `before` to the text `after`; None is no file."""

    path: Path
    before: str | None
    after: str | None
    encoding: str = "utf-8"

    def diff(self) -> str:
        """The lines that change, without the values of secrets."""
        before, after = ((text or "").splitlines() for text in (self.before, self.after))
        names = [
            f"{self.path}{'' if text is not None else ' (no file)'}" for text in (self.before, self.after)
        ]
        return _SECRET.sub(
            r"\1[hidden]", "\n".join(difflib.unified_diff(before, after, *names, n=0, lineterm=""))
        )

    def make(self) -> Path | None:
        """Change the file; returns the backup of what was there, if anything was.

        Raises:
            InstallError: it is not what it was, or cannot be written; nothing was changed.
        """
        if read(self.path, self.encoding) != self.before:
            raise InstallError(f"{self.path} has just been changed by another program; run this again.")
        try:
            backup = None if self.before is None else back_up(self.path)
            if self.after is None:
                self.path.unlink()
            else:
                _replace(self.path.resolve(), self.after.encode(self.encoding))
        except (OSError, UnicodeError) as error:
            raise InstallError(f"{self.path} cannot be changed, and is as it was: {error}.") from error
        return backup


def read(path: Path, encoding: str = "utf-8") -> str | None:
    """The text of the file, with its line ends as they are; None where there is no file.

    Raises:
        InstallError: it cannot be read.
    """
    try:
        return path.read_bytes().decode(encoding)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeError) as error:
        raise InstallError(f"{path} cannot be read: {error}; nothing was changed.") from error


def back_up(path: Path) -> Path:
    """Copy the file to a name beside it that is free, or find the copy that is there; as private as the file is."""
    content, number = path.read_bytes(), 1
    while (backup := path.with_name(f"{path.name}.backup-{number}")).exists():
        if backup.read_bytes() == content:
            return backup
        number += 1
    _replace(backup, content)
    shutil.copymode(path, backup)
    return backup


def _replace(target: Path, content: bytes) -> None:
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError("it is write-protected")  # a rename would not mind
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, content, like=target if target.exists() else None)
