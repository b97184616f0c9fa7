"""A file on the server's disk, and its text, whatever program wrote it."""

import codecs
import stat
from pathlib import Path

from handlers.brokers.holding import BrokerFileError

# 100,000 rows of 100 bytes: far beyond any portfolio, and still read in well under a second.
MAX_FILE_BYTES = 10_000_000

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_file(path: Path) -> bytes:
    """All of its bytes.

    Raises:
        BrokerFileError: no such file, not a regular file, not readable, or too large.
    """
    try:
        # Before opening: to open a named pipe would wait for its writer forever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise BrokerFileError(f"{path} is not a regular file; name the file that the broker exported.")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if isinstance(error, BrokerFileError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BrokerFileError(
            f"{path} cannot be read: {reason}; check the path, it is looked up on the computer that runs "
            "Stockdesk."
        ) from error
    if len(content) > MAX_FILE_BYTES:
        raise BrokerFileError(
            f"{path} is larger than {MAX_FILE_BYTES // 1_000_000} MB; that is no holdings export."
        )
    return content


def decode(content: bytes) -> str:
    """The whole text: UTF-8 with or without BOM, UTF-16 with one, else Windows-1252.

    Raises:
        BrokerFileError: not text.
    """
    if content.startswith(_UTF16):
        return _decode(content, "utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _decode(content, "cp1252")


def _decode(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise BrokerFileError(
            f"The file is not text: byte {error.start} is not valid {encoding}; export it as CSV in UTF-8."
        ) from error
