"""Answers of sources, kept on disk with their age, so that what has not changed is not sent again."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import anyio.to_thread

# Compressed, 300 companies' reports to the SEC, or the news and figures of 3,000 stocks.
MAX_BYTES = 100 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A good answer. `conditions` are the headers that ask whether it has changed; empty if the host gave no way."""

    body: bytes
    fetched_at: datetime
    conditions: Mapping[str, str]


class Cache:
    """A folder with one file per URL. Of more than `max_bytes`, those written longest ago go.

    What cannot be read is as good as absent, and what cannot be written is not kept: a full disk stops no fetch.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    async def read(self, url: str) -> Kept | None:
        return await anyio.to_thread.run_sync(self._read, url)

    async def write(self, url: str, kept: Kept) -> None:
        await anyio.to_thread.run_sync(self._write, url, kept)

    def _read(self, url: str) -> Kept | None:
        try:
            head, _, body = self._path(url).read_bytes().partition(b"\n")
            fields = json.loads(head)
            return Kept(
                body=zlib.decompress(body),
                fetched_at=datetime.fromisoformat(fields["fetched_at"]),
                conditions=fields["conditions"],
            )
        except (OSError, ValueError, KeyError, TypeError, zlib.error):
            return None

    def _write(self, url: str, kept: Kept) -> None:
        fields = {"fetched_at": kept.fetched_at.isoformat(), "conditions": dict(kept.conditions)}
        path = self._path(url)
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = path.with_suffix(".tmp")
            unfinished.write_bytes(json.dumps(fields).encode() + b"\n" + zlib.compress(kept.body, 1))
            unfinished.replace(path)
            self._remove_oldest()

    def _remove_oldest(self) -> None:
        files = sorted(
            (file.stat().st_mtime_ns, file.stat().st_size, file) for file in self._folder.iterdir()
        )
        excess = sum(size for _, size, _ in files) - self._max_bytes
        for _, size, file in files:
            if excess <= 0:
                return
            file.unlink()
            excess -= size

    def _path(self, url: str) -> Path:
        return self._folder / hashlib.sha256(url.encode()).hexdigest()
