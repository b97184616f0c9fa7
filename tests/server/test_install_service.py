"""`stockdesk install service`: what each system is told, and in which order. Of the three only Linux runs here."""

import json
import os
import plistlib
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from handlers.analyst.secrets import CREDENTIALS
from server.cli import app
from server.install.changes import InstallError
from server.install.services import Service, Worker, service_for, worker_for
from server.serving import STOP_SECONDS
from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, desk_environment

ODD = {"STOCKDESK_HOME": '/data/a "desk" of 100 %h, $5 \\n and é\'s', "STOCKDESK_MODEL": "opus"}
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def told(
    platform: str, environment: Mapping[str, str] = ODD, command: str = "/opt/my desk/stockdesk"
) -> Service:
    worker = Worker(Path(command), environment, Path(environment["STOCKDESK_HOME"]))
    windows = {"USERDOMAIN": "PC", "USERNAME": "Ann & Co"}
    return service_for(platform, worker, windows, Path("/home/ann"))


class Machine:
    """A user's folder, and a service manager that only writes down what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unit = folder / ".config" / "systemd" / "user" / "stockdesk.service"
        self._manager = folder / "bin" / "systemctl"
        self._manager.parent.mkdir()
        self.path = f"{self._manager.parent}:/usr/bin:/bin"
        self.answer(0)

    def answer(self, code: int) -> None:
        words = f'echo "$@" >> {self.folder}/asked; echo no bus >&2; exit {code}'
        self._manager.write_text(f"#!/bin/sh\n{words}\n", "utf-8")
        self._manager.chmod(0o700)

    def install(self, *options: str, **variables: str) -> Result:
        return CliRunner(env=variables).invoke(app, ["install", "service", *options])

    def asked(self) -> list[str]:
        """What the manager was told since the last time."""
        path = self.folder / "asked"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line.removeprefix("--user ") for line in lines]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(sys, "platform", "linux")
    machine = Machine(tmp_path)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in (desk_environment(tmp_path) | {"PATH": machine.path}).items():
        monkeypatch.setenv(name, value)
    return machine


def pairs_of(unit: str) -> list[tuple[str, str]]:
    return [
        (name, value) for name, found, value in (line.partition("=") for line in unit.splitlines()) if found
    ]


def test_the_unit_is_written_started_replaced_and_removed_in_this_order(machine: Machine) -> None:
    assert machine.install("--dry-run").exit_code == 0
    assert (machine.unit.exists(), machine.asked()) == (False, [])

    written = machine.install(ANTHROPIC_API_KEY="sk-ant-secret")
    assert written.exit_code == 0, written.output
    assert "Set in this terminal, and not written down: ANTHROPIC_API_KEY." in written.output
    assert "sk-ant-secret" not in written.output + machine.unit.read_text("utf-8")
    started = ["enable stockdesk.service", "daemon-reload", "restart stockdesk.service"]
    assert machine.asked() == started

    assert "already there" in machine.install().output
    assert machine.asked() == ["enable --now stockdesk.service"]  # which interrupts no task

    assert "Add --yes" in machine.install(STOCKDESK_MODEL="opus").output
    assert machine.asked() == []
    assert machine.install("--yes", STOCKDESK_MODEL="opus").exit_code == 0
    assert machine.asked() == started

    assert machine.install("--uninstall").exit_code == 0
    assert machine.asked() == ["disable --now stockdesk.service"]
    assert not machine.unit.exists()
    assert "There is no" in machine.install("--uninstall").output


def test_without_a_session_of_the_user_the_unit_is_written_and_the_commands_are_said(
    machine: Machine,
) -> None:
    machine.answer(1)
    ended = machine.install()
    assert ended.exit_code == 1
    assert machine.unit.exists()
    assert "The worker is not started: `systemctl --user enable stockdesk.service` failed" in ended.output
    assert "no bus" in ended.output
    assert ended.output.endswith("systemctl --user restart stockdesk.service\n")
    removed = machine.install("--uninstall")
    assert (removed.exit_code, machine.unit.exists()) == (1, False)
    assert "The worker may still run" in removed.output


def test_a_system_without_systemd_is_told_what_to_run_and_gets_no_file(machine: Machine) -> None:
    ended = machine.install(PATH=str(machine.folder))
    assert ended.exit_code == 1
    assert f"have your own service manager run {STOCKDESK} worker" in ended.output
    assert not machine.unit.exists()


def test_what_the_unit_starts_leads_the_queues_and_ends_on_its_stop_signal(machine: Machine) -> None:
    machine.install(STOCKDESK_HOME=str(machine.folder / "a desk"))
    pairs = pairs_of(machine.unit.read_text("utf-8"))
    [command] = [value for name, value in pairs if name == "ExecStart"]
    [home] = [shlex.split(value)[0] for _, value in pairs if value.startswith('"STOCKDESK_HOME=')]
    bare = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(machine.folder),
        "STOCKDESK_HOME": home.partition("=")[2],
    }
    with subprocess.Popen(
        shlex.split(command), env=bare, cwd="/", stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stderr is not None
        assert any("This process leads" in line for line in worker.stderr)
        shown = subprocess.run(
            [STOCKDESK, "status", "--json"], env=bare, capture_output=True, text=True, check=True
        )
        leader = json.loads(shown.stdout)["leader"]
        assert (leader["command"], leader["pid"]) == ("worker", worker.pid)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_SECONDS) == 0
    assert (machine.folder / "a desk" / "stockdesk.db").exists()


def test_systemd_finds_no_fault_in_the_unit_whatever_the_paths_hold(
    machine: Machine, require_program: Callable[[str, str], Path]
) -> None:
    analyze = require_program("systemd-analyze", "apt-get install systemd")
    command = machine.folder / "100 % of $HOME, é" / "stockdesk"
    command.parent.mkdir()
    command.symlink_to("/bin/true")
    machine.unit.parent.mkdir(parents=True)
    machine.unit.write_text(told("linux", command=str(command)).text, "utf-8")
    ended = subprocess.run(
        [analyze, "--user", "verify", machine.unit],
        env={"XDG_RUNTIME_DIR": str(machine.folder), "HOME": str(machine.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_unit_quotes_what_systemd_would_read_otherwise() -> None:
    lines = told("linux").text.splitlines()
    assert 'ExecStart="/opt/my desk/stockdesk" worker' in lines
    assert r'''Environment="STOCKDESK_HOME=/data/a \"desk\" of 100 %%h, $5 \\n and é's"''' in lines


def test_the_agent_of_launchd_holds_the_command_and_the_settings() -> None:
    service = told("darwin")
    agent = plistlib.loads(service.text.encode())
    assert service.path == Path("/home/ann/Library/LaunchAgents/stockdesk.plist")
    assert agent["ProgramArguments"] == ["/opt/my desk/stockdesk", "worker"]
    assert agent["EnvironmentVariables"] == ODD
    assert (agent["Label"], agent["RunAtLoad"], agent["KeepAlive"]) == (
        "stockdesk",
        True,
        {"SuccessfulExit": False},
    )
    assert [command[1] for command in (*service.replace, *service.start)] == ["bootout", "bootstrap"]


def test_the_task_of_windows_sets_the_settings_and_runs_the_worker_of_this_user() -> None:
    settings = {"STOCKDESK_HOME": "C:\\Users\\Ann & Co\\desk", "STOCKDESK_MODEL": "opus"}
    service = told("win32", settings, "C:\\my desk\\stockdesk.exe")
    task = ET.fromstring(service.text.encode(service.encoding))
    assert task.findtext(f".//{TASK}LogonTrigger/{TASK}UserId") == "PC\\Ann & Co"
    assert task.findtext(f".//{TASK}Command") == "cmd.exe"
    assert task.findtext(f".//{TASK}Arguments") == (
        '/d /s /c "set "STOCKDESK_HOME=C:\\Users\\Ann & Co\\desk" & set "STOCKDESK_MODEL=opus" & '
        '"C:\\my desk\\stockdesk.exe" worker"'
    )
    assert [command[1] for command in (*service.replace, *service.start)] == ["/End", "/Create", "/Run"]


def test_every_system_gives_a_worker_more_time_to_stop_than_it_takes_and_no_crash_loop() -> None:
    unit = dict(pairs_of(told("linux").text))
    agent = plistlib.loads(told("darwin").text.encode())
    assert min(float(unit["TimeoutStopSec"]), agent["ExitTimeOut"]) > 2 * STOP_SECONDS
    assert min(float(unit["RestartSec"]), agent["ThrottleInterval"]) >= 60
    # The limit is reached: as many starts as it takes fit well into its interval.
    assert float(unit["StartLimitIntervalSec"]) > 2 * float(unit["RestartSec"]) * float(
        unit["StartLimitBurst"]
    )


def test_a_worker_has_the_home_of_this_terminal_and_no_credential(tmp_path: Path) -> None:
    secrets = dict.fromkeys(CREDENTIALS, "sk-ant-secret")
    environment = {**secrets, "STOCKDESK_MODEL": "opus", "CLAUDE_CONFIG_DIR": str(tmp_path / "claude")}
    assert worker_for(tmp_path, environment).environment == {
        "STOCKDESK_HOME": str(tmp_path),  # though no variable says so: XDG_DATA_HOME may
        "STOCKDESK_MODEL": "opus",
        "CLAUDE_CONFIG_DIR": str(tmp_path / "claude"),
    }


@pytest.mark.parametrize(
    ("platform", "home", "command"),
    [
        ("win32", 'C:\\a"b', "C:\\stockdesk.exe"),
        ("win32", "C:\\%TEMP%", "C:\\stockdesk.exe"),
        ("linux", "/desk", '/opt/my "desk"/stockdesk'),
    ],
)
def test_what_a_service_cannot_hold_is_refused(platform: str, home: str, command: str) -> None:
    with pytest.raises(InstallError, match="cannot be written into a service, because of the"):
        told(platform, {"STOCKDESK_HOME": home}, command)


def test_a_setting_with_a_line_break_cannot_add_a_line_to_a_service(tmp_path: Path) -> None:
    with pytest.raises(
        InstallError, match="STOCKDESK_MODEL = 'a\\\\nExecStartPre=/bin/sh' cannot be written"
    ):
        worker_for(tmp_path, {"STOCKDESK_MODEL": "a\nExecStartPre=/bin/sh"})
