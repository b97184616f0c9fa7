"""Files that are there whole, or not at all."""

import os
import shutil
from pathlib import Path
from tempfile import mkstemp


def write_whole(target: Path, content: bytes, *, like: Path | None = None) -> None:
    """Write or replace the file; it can be read by this user alone, or by whom `like` lets.

    Raises:
        OSError: it cannot be written; what was there is there.
    """
    descriptor, name = mkstemp(prefix=".stockdesk-", suffix=".part", dir=target.parent)  # for the user alone
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if like is not None:
            shutil.copymode(like, name)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
