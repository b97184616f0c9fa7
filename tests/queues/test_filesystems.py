"""A database on a network file system is refused, by the mount tables of Linux, macOS and the BSDs."""

import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from queues.errors import DatabaseError
from queues.filesystems import (
    FileSystem,
    file_system_of,
    holder_of,
    read_bsd_mount,
    read_mountinfo,
    refuse_network,
)
from tests.queues.running import open_database

LINUX = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 0:27 / /mnt/nas rw,relatime shared:5 - nfs4 nas:/export rw,vers=4.2
31 27 0:28 / /mnt/nas/cache rw - tmpfs tmpfs rw
32 27 0:29 / /mnt/my\040server rw - fuse.sshfs me@host:/ rw,user_id=1000
33 27 0:30 / /mnt/vm rw - 9p hostshare rw,trans=virtio
34 27 0:31 / /mnt/vm2 rw - virtiofs myfs rw
35 27 0:32 / /mnt/c rw - 9p C:\134 rw,aname=drvfs;path=C:\;uid=1000
36 27 0:33 / /mnt/crypt rw - fuse.gocryptfs /home/me/.crypt rw
37 27 0:34 / /mnt/auto rw - autofs systemd-1 rw
38 37 0:35 / /mnt/auto rw - cifs //host/share rw
39 27 0:36 / /mnt/covered rw - cifs //host/share rw
40 39 0:37 / /mnt/covered rw - ext4 /dev/vdb rw
"""
MAC = """/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)
//me@nas._smb._tcp.local/home on /Volumes/home (smbfs, nodev, nosuid, mounted by me)
nas:/export on /Volumes/on (nfs)
"""


@pytest.mark.parametrize(
    ("path", "kind", "is_shared"),
    [
        ("/home/me/stockdesk.db", "ext4", False),
        ("/mnt/nas/stockdesk.db", "nfs4", True),
        ("/mnt/nas2/stockdesk.db", "ext4", False),
        ("/mnt/nas/cache/stockdesk.db", "tmpfs", False),
        ("/mnt/my server/stockdesk.db", "fuse.sshfs", True),
        ("/mnt/vm/stockdesk.db", "9p", False),
        ("/mnt/vm2/stockdesk.db", "virtiofs", False),
        ("/mnt/c/stockdesk.db", "9p", True),
        ("/mnt/crypt/stockdesk.db", "fuse.gocryptfs", False),
        ("/mnt/auto/stockdesk.db", "cifs", True),
        ("/mnt/covered/stockdesk.db", "ext4", False),
    ],
)
def test_on_linux_the_mount_that_holds_the_path_decides(path: str, kind: str, is_shared: bool) -> None:
    found = holder_of(Path(path), list(read_mountinfo(LINUX)))
    assert found is not None
    assert (found.kind, found.is_shared) == (kind, is_shared)


@pytest.mark.parametrize(
    ("path", "kind", "is_shared"),
    [
        ("/Users/me/stockdesk.db", "apfs", False),
        ("/System/Volumes/Data/stockdesk.db", "apfs", False),
        ("/Volumes/home/stockdesk.db", "smbfs", True),
        ("/Volumes/on/stockdesk.db", "nfs", True),
    ],
)
def test_on_macos_what_is_not_local_is_shared(path: str, kind: str, is_shared: bool) -> None:
    found = holder_of(Path(path), list(read_bsd_mount(MAC)))
    assert found is not None
    assert (found.kind, found.is_shared) == (kind, is_shared)


def test_a_place_of_which_nothing_is_known_is_not_refused(tmp_path: Path) -> None:
    assert holder_of(tmp_path, []) is None


def test_the_local_disk_of_this_machine_is_known_and_not_refused(tmp_path: Path) -> None:
    found = file_system_of(tmp_path / "not there yet" / "stockdesk.db")
    assert found is not None
    assert not found.is_shared
    refuse_network(tmp_path / "stockdesk.db")


def test_the_mount_table_of_this_machine_tells_one_file_system_from_another() -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux has a file system of a known kind at a known place")
    assert file_system_of(Path("/proc/self")) == FileSystem("proc", "/proc", is_shared=False)


def test_a_database_on_a_network_file_system_is_refused_with_a_sentence_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nas = FileSystem("nfs4", "/mnt/nas", is_shared=True)
    monkeypatch.setattr("queues.filesystems.file_system_of", Mock(return_value=nas))
    with pytest.raises(
        DatabaseError, match=r"on a network file system \(nfs4, mounted at /mnt/nas\).*STOCKDESK_HOME"
    ):
        open_database(tmp_path)
    assert list(tmp_path.iterdir()) == []
