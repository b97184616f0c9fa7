"""How a server leaves in the middle of a session. `.venv/bin/python benchmarks/shutdown.py` (Linux)

Starts `stockdesk serve` on a home with one queued analysis, waits until the real Claude CLI has sent its request to a
stand-in that never answers, and then ends the server in each of the ways in which hosts do. Printed are, from that
moment, the milliseconds until the stored end of the attempt, until the server's process is gone, and until the CLI's
is; and how many attempts the task has lost. Each round goes on with the same task, as the next start does.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import anyio

from benchmarks.machine import describe
from benchmarks.parallel import fresh_home, know_the_sample
from handlers.ai_analysis import analysis_task
from handlers.sources.sample import sample_last_day, sample_stocks
from queues.clock import system_clock
from queues.inspection import attempts_of
from queues.model import Attempt, TaskState
from queues.store import enqueue, find_task
from server.client_config import console_script
from server.desk import open_database
from server.settings import Settings
from tests.standins.messages_api import MessagesApi, Stalls

Server = subprocess.Popen[bytes]
RECORD_TARGET, EXIT_TARGET = 200, 2000


def interrupt(server: Server) -> None:
    server.send_signal(signal.SIGINT)


def terminate(server: Server) -> None:
    server.send_signal(signal.SIGTERM)


def close_stdin(server: Server) -> None:
    assert server.stdin is not None
    server.stdin.close()


def as_claude_code(server: Server) -> None:
    """SIGINT, 100 ms later SIGTERM, 400 ms later SIGKILL."""
    for signum, pause in ((signal.SIGINT, 0.1), (signal.SIGTERM, 0.4), (signal.SIGKILL, 0.0)):
        server.send_signal(signum)
        with suppress(subprocess.TimeoutExpired):
            server.wait(pause)
            return


WAYS: dict[str, Callable[[Server], None]] = {
    "SIGINT": interrupt,
    "SIGTERM": terminate,
    "end of stdin": close_stdin,
    "Claude Code": as_claude_code,
}


@dataclass(frozen=True, slots=True)
class Exit:
    """Milliseconds from the first word to the server."""

    recorded: float
    server_gone: float
    cli_gone: float


class Bench:
    def __init__(self, home: Path, api: MessagesApi) -> None:
        self._home = home
        self._api = api
        self._settings = Settings(home=home)  # pyright: ignore[reportCallIssue] (the rest has defaults)
        database = open_database(self._settings)
        [answer] = database.write_now(lambda tx: enqueue(tx, [analysis_task(sample_stocks()[:2])]))
        database.close()
        self._task = answer.task

    def leave(self, way: Callable[[Server], None]) -> Exit:
        sent = len(self._api.requests)
        command = [str(console_script()), "serve"]
        environment = os.environ | {
            "STOCKDESK_HOME": str(self._home),
            "STOCKDESK_AS_OF": str(sample_last_day()),
            "STOCKDESK_LOG_LEVEL": "WARNING",  # a server in trouble says so here
        }
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=environment,
        ) as server:
            self._api.wait_for_requests(sent + 1)
            cli = self._cli()
            said_at, begin = system_clock(), time.perf_counter()
            ending = threading.Thread(target=way, args=(server,))
            ending.start()
            gone = dict[str, float]()
            while len(gone) < 2:
                now = (time.perf_counter() - begin) * 1000
                if "server" not in gone and server.poll() is not None:
                    gone["server"] = now
                if "cli" not in gone and not _is_alive(cli):
                    gone["cli"] = now
                if now > 10_000:
                    raise SystemExit(f"{way.__name__}: after 10 s only these had ended: {gone}")
                time.sleep(0.001)
            ending.join()
        return Exit(self._recorded(said_at), gone["server"], gone["cli"])

    def _cli(self) -> int:
        [file] = (self._home / "sessions").glob("*/pid")
        return int(file.read_text(encoding="utf-8"))

    def _recorded(self, said_at: datetime) -> float:
        attempt = self._attempts()[-1]
        if attempt.ended_at is None or attempt.outcome != "interrupted":
            raise SystemExit(f"The attempt was not recorded as interrupted: {attempt}")
        return (attempt.ended_at - said_at).total_seconds() * 1000

    def _attempts(self) -> list[Attempt]:
        database = open_database(self._settings)
        try:
            return database.read_now(lambda tx: attempts_of(tx, self._task))
        finally:
            database.close()

    def lost(self) -> int:
        """Attempts that the interruptions have cost; the task must be queued."""
        database = open_database(self._settings)
        task = database.read_now(lambda tx: find_task(tx, self._task.id))
        database.close()
        if task.state is not TaskState.QUEUED:
            raise SystemExit(f"{task.id} is {task.state}: {task.error}")
        return task.attempt


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description="Exit times of a server in the middle of a Claude session.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(describe("mcp", "claude-agent-sdk"))
    # A shell starts background jobs with SIGINT ignored, they pass that on, and a server heeds it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith(("CLAUDE", "ANTHROPIC", "STOCKDESK"))]:
        del os.environ[name]
    exits: dict[str, list[Exit]] = {name: [] for name in WAYS}
    with fresh_home() as home, fresh_home() as claude, MessagesApi(lambda _: Stalls()) as api:
        anyio.run(know_the_sample, home)
        os.environ |= {"HOME": str(claude), "CLAUDE_CONFIG_DIR": str(claude / ".claude")}
        os.environ |= {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "dummy"}
        bench = Bench(home, api)
        for _ in range(rounds):
            for name, way in WAYS.items():
                exits[name].append(bench.leave(way))
        lost = bench.lost()
    return report(exits, lost)


def report(exits: dict[str, list[Exit]], lost: int) -> int:
    print(
        f"\nms until …, median (longest) of {len(next(iter(exits.values())))} exits in the middle of a session"
    )
    print("ended by         attempt recorded       server gone       CLI gone")
    for name, each in exits.items():
        columns = (
            [one.recorded for one in each],
            [one.server_gone for one in each],
            [one.cli_gone for one in each],
        )
        print(f"{name:<14}" + "".join(f"{statistics.median(ms):>10.0f} ({max(ms):>5.0f})" for ms in columns))
    print(f"attempts lost: {lost}")
    every = [one for each in exits.values() for one in each]
    kept = not lost and all(one.recorded <= RECORD_TARGET and one.server_gone <= EXIT_TARGET for one in every)
    print(
        f"recorded within {RECORD_TARGET} ms and gone within {EXIT_TARGET} ms, every time: {'yes' if kept else 'NO'}"
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
