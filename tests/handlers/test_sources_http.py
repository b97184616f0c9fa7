"""How a host is asked: what is kept on disk, what is sent again, and bodies that are too large."""

import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from handlers.sources.base import BadDataError, SourceBusyError
from handlers.sources.cache import Cache
from handlers.sources.http import Host
from handlers.sources.pace import Pace
from tests.handlers.conftest import NOW, MovableClock
from tests.standins.http_source import HttpSource, Reply, Request, always

HOUR = timedelta(hours=1)


@pytest.fixture
async def host(server: HttpSource, tmp_path: Path, clock: MovableClock) -> AsyncIterator[Host]:
    async with httpx.AsyncClient(timeout=10) as client:
        cache = Cache(tmp_path / "cache")
        yield Host("It", server.url, client, Pace(1e6), cache=cache, max_body=100_000, clock=clock)


async def test_an_answer_is_kept_for_its_time_and_then_asked_for_only_if_it_has_changed(
    server: HttpSource, host: Host, clock: MovableClock
) -> None:
    def script(request: Request) -> Reply:
        same = request.headers.get("If-None-Match") == '"1"'
        return Reply(304) if same else Reply(200, b"one", {"ETag": '"1"'})

    server.script = script
    for minutes, requests, fetched_at in [
        (0, 1, NOW),
        (59, 1, NOW),
        (60, 2, NOW + HOUR),
        (119, 2, NOW + HOUR),
    ]:
        clock.now = NOW + timedelta(minutes=minutes)
        answer = await host.get("/a", "us", {"q": "M&M"}, keep=HOUR)
        assert (answer.status, answer.body, answer.fetched_at) == (200, b"one", fetched_at)
        assert len(server.requests) == requests


async def test_while_the_host_is_busy_the_last_answer_stands_for_a_week(
    server: HttpSource, host: Host, clock: MovableClock
) -> None:
    server.script = always(Reply(200, b"one"))
    await host.get("/a", "us", keep=HOUR)
    server.script = always(Reply(503))
    clock.now = NOW + timedelta(days=7)
    stale = await host.get("/a", "us", keep=HOUR)
    assert (stale.body, stale.fetched_at) == (b"one", NOW)
    clock.now = NOW + timedelta(days=8)
    with pytest.raises(SourceBusyError, match="It answered 503 for us"):
        await host.get("/a", "us", keep=HOUR)


async def test_only_good_answers_are_kept(server: HttpSource, host: Host) -> None:
    server.script = always(Reply(404, b"gone"))
    for _ in range(2):
        assert (await host.get("/a", "us", keep=HOUR)).status == 404
    assert len(server.requests) == 2


async def test_a_damaged_file_of_the_cache_is_as_good_as_none(
    server: HttpSource, host: Host, tmp_path: Path
) -> None:
    server.script = always(Reply(200, b"one"))
    await host.get("/a", "us", keep=HOUR)
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    assert (await host.get("/a", "us", keep=HOUR)).body == b"one"
    assert len(server.requests) == 2


async def test_what_was_written_longest_ago_leaves_a_full_cache(
    server: HttpSource, tmp_path: Path, clock: MovableClock
) -> None:
    server.script = always(Reply(200, bytes(range(256)) * 4))
    folder = tmp_path / "cache"
    async with httpx.AsyncClient() as client:
        host = Host("It", server.url, client, Pace(1e6), cache=Cache(folder, max_bytes=1500), clock=clock)
        for name in "abcd":
            await host.get(f"/{name}", "us", keep=HOUR)
        assert sum(file.stat().st_size for file in folder.iterdir()) <= 1500
        await host.get("/d", "us", keep=HOUR)
    assert len(server.requests) == 4


@pytest.mark.parametrize("packed", [False, True])
async def test_a_body_beyond_all_measure_is_not_read_to_its_end(
    server: HttpSource, host: Host, packed: bool
) -> None:
    body = bytes(50 * 2**20)
    server.script = always(
        Reply(200, gzip.compress(body, 1), {"Content-Encoding": "gzip"}) if packed else Reply(200, body)
    )
    with pytest.raises(BadDataError, match=r"It's answer for us is larger than 0 MB; the rest was not read"):
        await host.get("/a", "us")


async def test_a_body_that_cannot_be_unpacked_is_bad_data(server: HttpSource, host: Host) -> None:
    server.script = always(Reply(200, b"no gzip", {"Content-Encoding": "gzip"}))
    with pytest.raises(BadDataError, match="It's answer for us cannot be read"):
        await host.get("/a", "us")
