"""Where a file lies, and whether others may write there with locks of their own: such a place is refused.

One leader, and SQLite's write-ahead log, rest on locks and on memory that all processes of a home share. On a file
system of another machine neither holds, and what breaks is the data, not the start.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from queues.errors import DatabaseError

# As Linux names them. Not here: overlay (containers) and fuse in general, which are local; 9p and virtiofs, by which a
# virtual machine sees a folder of the machine it runs on: all processes of a home run inside, and its kernel keeps
# their locks.
_SHARED_KINDS = frozenset(
    [
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "curlftpfs",
        "davfs",
        "drvfs",
        "gcsfuse",
        "gfs2",
        "glusterfs",
        "gpfs",
        "juicefs",
        "lustre",
        "mfs",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "rclone",
        "s3fs",
        "smb3",
        "smbfs",
        "smbnetfs",
        "sshfs",
    ]
)
# WSL's view of the Windows disks, whatever carries it: programs of Windows see the folder, and not the locks of Linux.
_OF_WINDOWS = "drvfs"
_DRIVE_REMOTE = 4  # GetDriveTypeW


class FileSystem(NamedTuple):
    """`is_shared`: other systems may write it, and do not see the locks that are taken here."""

    kind: str
    mounted_at: str
    is_shared: bool


def refuse_network(path: Path) -> None:
    """Raise where a database at `path` would lie on a network file system; nothing need be there yet.

    Raises:
        DatabaseError: it would.
    """
    found = file_system_of(path)
    if found is not None and found.is_shared:
        raise DatabaseError(
            f"{path} lies on a network file system ({found.kind}, mounted at {found.mounted_at}), where several"
            " processes can damage a database; set STOCKDESK_HOME to a folder on a local disk."
        )


def file_system_of(path: Path) -> FileSystem | None:
    """The file system that holds `path`, or None where this machine does not tell."""
    whole = path.resolve()
    if sys.platform == "win32":
        return _windows_drive(whole.anchor)
    try:
        return holder_of(whole, list(_mounts()))
    except OSError:  # no /proc, no `mount`
        return None


def holder_of(path: Path, mounts: list[FileSystem]) -> FileSystem | None:
    """Of these, in the order in which they were mounted, the one that holds the absolute `path`."""
    holding = [mount for mount in mounts if path.is_relative_to(mount.mounted_at)]
    # The deepest; of several at one place the last, which hides the others.
    return max(reversed(holding), key=lambda mount: len(Path(mount.mounted_at).parts), default=None)


def _mounts() -> Iterator[FileSystem]:
    if sys.platform == "linux":
        return read_mountinfo(
            Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        )
    listed = subprocess.run(
        ["/sbin/mount"], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    return read_bsd_mount(listed.stdout)


def read_mountinfo(text: str) -> Iterator[FileSystem]:
    """The mounts in a `/proc/PID/mountinfo`: `… MOUNTED_AT OPTIONS … - KIND SOURCE OPTIONS` (proc(5))."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        place, kind = before.split(" ")[4], after.split(" ")[0]
        is_shared = kind.removeprefix("fuse.") in _SHARED_KINDS or _OF_WINDOWS in after
        yield FileSystem(kind, _unescape(place), is_shared)


def _unescape(place: str) -> str:
    """Spaces and the like stand there as a backslash and three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda digits: chr(int(digits[1], 8)), place)


def read_bsd_mount(text: str) -> Iterator[FileSystem]:
    """The mounts that `mount` lists on macOS and the BSDs: `SOURCE on MOUNTED_AT (KIND, local, …)`."""
    for _, place, options in re.findall(r"^(.*) on (/.*) \(([^()]*)\)$", text, re.MULTILINE):
        kind, *flags = options.split(", ")
        yield FileSystem(kind, place, is_shared="local" not in flags)


def _windows_drive(anchor: str) -> FileSystem:
    """Of the anchor of a path: a drive letter, or a host and its share."""
    import ctypes  # noqa: PLC0415 (only here)

    # pyright checks for the system it runs on, which has no `windll`.
    kind = int(ctypes.windll.kernel32.GetDriveTypeW(anchor))  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
    is_remote = kind == _DRIVE_REMOTE
    return FileSystem("network drive" if is_remote else "drive", anchor, is_remote)
