"""`stockdesk status --watch`: a real process shows what another one, this test, changes: on a terminal, and piped."""

import json
import os
import re
import select
import signal
import subprocess
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from unittest.mock import AsyncMock

import anyio
import pytest

from handlers.planning import fetch_task
from handlers.stocks import Exchange, Stock
from queues.database import Database
from queues.doorbell import IDLE_RECHECK
from queues.errors import DatabaseError
from queues.holds import hold_queue, release_queue
from queues.model import QueueName
from queues.store import enqueue
from server.cli import watching
from server.dashboard.view import DashboardView, dashboard_view
from server.desk import Desk, make_folders, open_database
from server.settings import Settings
from server.views import StatusView
from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, desk_environment

FETCHER = QueueName.DATA_FETCHER
COMMAND = [str(STOCKDESK), "status", "--watch"]


@dataclass(slots=True)
class Watch:
    """The process, and all that it has written so far to its terminal or pipe."""

    process: "subprocess.Popen[bytes]"
    descriptor: int
    seen: bytearray = field(default_factory=bytearray)

    def wait_for(self, *parts: str) -> str:
        """All that came in, up to the last of these parts, which come in this order."""
        end = 0
        for part in parts:
            while (at := self.seen.find(part.encode(), end)) < 0:
                ready, _, _ = select.select([self.descriptor], [], [], PATIENCE_SECONDS)
                assert ready, f"no {part!r} in {bytes(self.seen)!r}"
                read = os.read(self.descriptor, 65536)
                assert read, f"it ended without {part!r}: {bytes(self.seen)!r}"
                self.seen += read
            end = at + len(part.encode())
        return self.seen[:end].decode()

    def left_on(self, signum: signal.Signals) -> int:
        self.process.send_signal(signum)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def watch_in(folder: Path, options: Sequence[str] = (), *, on_terminal: bool) -> Generator[Watch]:
    reading, writing = os.openpty() if on_terminal else os.pipe()
    environment = desk_environment(folder, STOCKDESK_HOME=str(folder / "home"))
    with subprocess.Popen(
        [*COMMAND, *options],
        env=environment | {"TERM": "xterm", "LINES": "40", "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
    ) as process:
        os.close(writing)
        try:
            yield Watch(process, reading)
        finally:
            process.kill()
            os.close(reading)


@pytest.fixture
def database(settings: Settings) -> Generator[Database]:
    make_folders(settings)
    with closing(open_database(settings)) as opened:
        yield opened


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_terminal_shows_what_another_process_changes_and_gets_its_cursor_back(
    tmp_path: Path, database: Database, signum: signal.Signals
) -> None:
    with watch_in(tmp_path, on_terminal=True) as watch:
        watch.wait_for("data_fetcher", "no tasks", "Ctrl-C leaves")
        database.write_now(lambda tx: enqueue(tx, [fetch_task([Stock("KO", Exchange.NYSE)])]))
        watch.wait_for("fetch-1", "NYSE:KO", "Ctrl-C leaves")
        database.write_now(lambda tx: hold_queue(tx, FETCHER, "user", "The source is slow."))
        watch.wait_for("The source is slow.", "Ctrl-C leaves")
        assert b"\x1b[?25l" in watch.seen
        assert watch.left_on(signum) == 130
        watch.wait_for("The source is slow.", "\x1b[?25h")
        assert b"Traceback" not in watch.seen


def test_a_pipe_gets_a_block_after_each_change_and_nothing_that_only_a_terminal_obeys(
    tmp_path: Path, database: Database
) -> None:
    with watch_in(tmp_path, on_terminal=False) as watch:
        watch.wait_for("of today's $20.00 spent")
        database.write_now(lambda tx: hold_queue(tx, FETCHER, "user", "First."))
        watch.wait_for("First.", "of today's $20.00 spent")
        database.write_now(lambda tx: release_queue(tx, FETCHER))
        text = watch.wait_for(*["of today's $20.00 spent"] * 3)
        assert watch.left_on(signal.SIGINT) == 130
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    blocks = re.split(r"^(2\S+T\S+)\n", text, flags=re.MULTILINE)[1:]
    moments = [datetime.fromisoformat(moment) for moment in blocks[::2]]
    assert moments == sorted(moments)
    assert None not in [moment.tzinfo for moment in moments]
    assert ["First." in block for block in blocks[1::2]] == [False, True, False]


def test_json_is_a_line_for_each_change_as_status_prints_it(tmp_path: Path, database: Database) -> None:
    with watch_in(tmp_path, ["--json"], on_terminal=False) as watch:
        watch.wait_for("\n")
        database.write_now(lambda tx: hold_queue(tx, FETCHER, "user", "\x1b[2J"))
        lines = watch.wait_for("\n", "\n").splitlines()
        assert watch.left_on(signal.SIGINT) == 130
    reasons = [[hold["reason"] for hold in json.loads(line)["queues"][1]["holds"]] for line in lines]
    assert reasons == [[], ["\x1b[2J"]]
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_it_ends_when_whoever_read_the_pipe_has_left(
    tmp_path: Path, database: Database, options: Sequence[str]
) -> None:
    with subprocess.Popen(
        [*COMMAND, *options],
        env=desk_environment(tmp_path, STOCKDESK_HOME=str(tmp_path / "home")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        database.write_now(lambda tx: hold_queue(tx, FETCHER, "user", "Nobody reads this."))
        assert process.wait(PATIENCE_SECONDS) == 1
        assert process.stderr.read() == b""


async def test_a_ring_shows_a_change_at_once_and_nothing_without_one(
    desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, views = anyio.create_memory_object_stream[StatusView](9)
    looked, looks = anyio.create_memory_object_stream[None](9)

    def print_json(view: StatusView, indent: int | None) -> None:
        del indent
        shown.send_nowait(view)

    async def look(desk: Desk) -> DashboardView:
        looked.send_nowait(None)
        return await dashboard_view(desk)

    monkeypatch.setattr(watching, "LOOK_AGAIN", IDLE_RECHECK)
    monkeypatch.setattr(watching, "print_json", print_json)
    monkeypatch.setattr(watching, "dashboard_view", look)
    async with shown, views, looked, looks, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(watching.watch_desk, desk, as_json=True))
        assert not (await views.receive()).queues[1].holds
        with anyio.fail_after(IDLE_RECHECK.total_seconds() / 2):
            for _ in range(2):
                await looks.receive()
                desk.manager.bell.ring_here()
            await looks.receive()
            database.write_now(lambda tx: hold_queue(tx, FETCHER, "user", "The source is slow."))
            assert (await views.receive()).queues[1].holds
        tasks.cancel_scope.cancel()


async def test_a_database_that_cannot_be_read_ends_it_with_the_error_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = DatabaseError("It is damaged; restore a backup.")
    monkeypatch.setattr(watching, "dashboard_view", AsyncMock(side_effect=error))
    with pytest.raises(DatabaseError, match="restore a backup"):
        await watching.watch_desk(desk, as_json=True)
