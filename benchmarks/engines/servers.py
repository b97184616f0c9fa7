"""PostgreSQL and Redis for the engines that need one: servers of this run alone, on free loopback ports."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.engines.contestants import Server

LOOPBACK = "127.0.0.1"
PATIENCE_SECONDS = 30
# Redis numbers its databases; every measure gets one of its own.
REDIS_DATABASES = 1_000
# PostgreSQL refuses to run as root; its packages make this user.
POSTGRESQL_USER = "postgres"
# Where Debian keeps the programs of a server, apart from those of its clients.
DEBIAN_POSTGRESQL = "/usr/lib/postgresql"


def is_installed(server: Server) -> bool:
    return _find_program("redis-server" if server is Server.REDIS else "postgres") is not None


class Servers:
    """Starts a server when an engine first asks for it; the stack stops it."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._ports: dict[Server, int] = {}
        self._databases: dict[str, int] = {}

    def address(self, server: Server | None, name: str) -> str:
        """The database of this name, which is empty when it is first asked for; "" where there is no server."""
        if server is None:
            return ""
        if server not in self._ports:
            self._ports[server] = self._start(server)
        port = self._ports[server]
        is_new = name not in self._databases
        number = self._databases.setdefault(name, len(self._databases))
        if server is Server.REDIS:
            return f"redis://{LOOPBACK}:{port}/{number}"
        if is_new:
            _as_postgresql(_client("createdb", port, f"measure{number}"))
        return f"postgresql://{POSTGRESQL_USER}@{LOOPBACK}:{port}/measure{number}"

    def _start(self, server: Server) -> int:
        port = _free_port()
        folder = self._folder / server
        folder.mkdir()
        if server is Server.REDIS:
            command, check = (
                _redis(folder, port),
                [_program("redis-cli"), "-h", LOOPBACK, "-p", str(port), "ping"],
            )
        else:
            command, check = _postgresql(folder, port), _client("pg_isready", port)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._stack.callback(process.wait)
        self._stack.callback(process.send_signal, signal.SIGINT)
        _wait_until(check, process)
        return port


def _redis(folder: Path, port: int) -> list[str]:
    options = {
        "--bind": LOOPBACK,
        "--port": str(port),
        "--dir": str(folder),
        "--databases": str(REDIS_DATABASES),
        "--appendonly": "yes",
        "--appendfsync": "always",
        # No snapshot or rewrite of the log beside a measure: that is to Redis' advantage.
        "--save": "",
        "--auto-aof-rewrite-percentage": "0",
    }
    return [_program("redis-server"), *(word for option in options.items() for word in option)]


def _postgresql(folder: Path, port: int) -> list[str]:
    """As installed: fsync and synchronous_commit are on."""
    if os.geteuid() == 0:
        shutil.chown(folder, POSTGRESQL_USER)
        # The way to the folder leads through the temporary folder of the run.
        folder.parent.chmod(0o711)
    data = str(folder / "data")
    user = f"--username={POSTGRESQL_USER}"
    _as_postgresql([_program("initdb"), user, "--auth=trust", "--encoding=UTF8", "--locale=C", data])
    address = [f"--listen_addresses={LOOPBACK}", f"--port={port}", f"--unix_socket_directories={folder}"]
    return [*_prefix(), _program("postgres"), "-D", data, *address]


def _as_postgresql(command: list[str]) -> None:
    subprocess.run([*_prefix(), *command], check=True, capture_output=True, cwd="/")


def _client(name: str, port: int, *arguments: str) -> list[str]:
    return [
        _program(name),
        f"--host={LOOPBACK}",
        f"--port={port}",
        f"--username={POSTGRESQL_USER}",
        *arguments,
    ]


def _prefix() -> list[str]:
    if os.geteuid() != 0:
        return []
    # setpriv becomes the program, where runuser would stay before it and keep the signals that end it.
    return ["setpriv", "--reuid", POSTGRESQL_USER, "--regid", POSTGRESQL_USER, "--clear-groups"]


def _program(name: str) -> str:
    path = _find_program(name)
    assert path is not None, name
    return path


def _find_program(name: str) -> str | None:
    folders = sorted(Path(DEBIAN_POSTGRESQL).glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *map(str, folders)]))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def _wait_until(check: list[str], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if subprocess.run(check, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise SystemExit(f"{process.args!r:.200} does not answer; start it by hand to see why.")
