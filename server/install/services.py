"""How each system is told to run `stockdesk worker` from the sign-in on: a file that says what, and commands."""

import os
import plistlib
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any
from xml.sax.saxutils import escape

from server.client_config import console_script, settings_in
from server.install.changes import InstallError

Command = tuple[str, ...]
SYSTEMD_NAME = "stockdesk.service"
LAUNCHD_LABEL = "stockdesk"
TASK_NAME = "Stockdesk"
# A manager answers at once; `systemctl` waits for a worker that is being stopped.
COMMAND_SECONDS = 60.0
# Variables of this terminal that the sessions would honour, and that may be secret or are not ours to write down.
NOT_WRITTEN = (
    "ANTHROPIC_",
    "AWS_",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
# No escape lets these stand in the program of a unit, or in a command of Windows' shell.
REFUSED_BY_SYSTEMD, REFUSED_BY_WINDOWS = "\"'\\", '"%'


@dataclass(frozen=True, slots=True)
class Service:
    """`replace` are the commands before a file that was there is replaced; it is no matter if they fail.

    `start` come after the file was written, `again` where it was there already, `end` before it is removed.
    """

    path: Path
    text: str
    start: Sequence[Command]
    again: Sequence[Command]
    end: Sequence[Command]
    advice: str
    replace: Sequence[Command] = ()
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Worker:
    """What every system is told: the program, its variables, and the home that it works for."""

    command: Path
    environment: Mapping[str, str]
    home: Path


def worker_for(home: Path, environment: Mapping[str, str]) -> Worker:
    """The worker of this terminal. Its home is always named: a manager has other variables that would decide it.

    Raises:
        SettingsError: see `settings_in`.
        InstallError: a value has line breaks, which no file of a service can hold.
    """
    variables = settings_in(environment) | {"STOCKDESK_HOME": str(home)}
    if folder := environment.get("CLAUDE_CONFIG_DIR"):  # where the sign-in is
        variables["CLAUDE_CONFIG_DIR"] = str(Path(folder).absolute())
    for name, value in variables.items():
        if not value.isprintable():
            raise InstallError(
                f"{name} = {value!r} cannot be written into a service: it has control characters."
            )
    return Worker(console_script(), variables, home)


def not_written(environment: Mapping[str, str]) -> list[str]:
    """The names of variables that Claude's sessions have from here, and would not have from the service."""
    return sorted(name for name in environment if name.upper().startswith(NOT_WRITTEN))


def service_for(platform: str, worker: Worker, environment: Mapping[str, str], user_home: Path) -> Service:
    """The service of this platform, as `sys.platform` names it.

    Raises:
        InstallError: a value cannot be written there.
    """
    match platform:
        case "win32":
            return _task(worker, environment)
        case "darwin":
            return _agent(worker, user_home)
        case _:
            return _unit(worker, environment, user_home)


def run(commands: Sequence[Command]) -> str:
    """Run them in turn; returns why the first that failed did, or nothing."""
    for command in commands:
        try:
            ended = subprocess.run(  # noqa: S603 (the system's own manager)
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=COMMAND_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"`{shlex.join(command)}` could not be run: {error}"
        if ended.returncode != 0:
            said = (ended.stderr or ended.stdout).strip()
            return f"`{shlex.join(command)}` failed with exit code {ended.returncode}: {said}"
    return ""


def _unit(worker: Worker, environment: Mapping[str, str], user_home: Path) -> Service:
    _refuse(REFUSED_BY_SYSTEMD, str(worker.command))
    folder = Path(environment.get("XDG_CONFIG_HOME") or user_home / ".config") / "systemd" / "user"
    secrets = worker.home / "service.env"
    variables = [f"Environment={_systemd(f'{name}={value}')}" for name, value in worker.environment.items()]
    text = _template("worker.service").substitute(
        home=_specifiers(str(worker.home)),
        command=_systemd(str(worker.command)),
        environment="\n".join(variables),
        secrets=_specifiers(str(secrets)),
    )
    manager = ("systemctl", "--user")
    return Service(
        folder / SYSTEMD_NAME,
        text,
        start=[
            (*manager, "enable", SYSTEMD_NAME),  # first, as it is done even where no manager runs now
            (*manager, "daemon-reload"),
            (*manager, "restart", SYSTEMD_NAME),
        ],
        again=[(*manager, "enable", "--now", SYSTEMD_NAME)],
        end=[(*manager, "disable", "--now", SYSTEMD_NAME)],
        advice="To have it run while you are not signed in, too: loginctl enable-linger. How it is:"
        f" systemctl --user status {SYSTEMD_NAME}; what it says: journalctl --user -u {SYSTEMD_NAME}."
        f" Credentials, if `stockdesk login` is not enough: NAME=VALUE lines in {secrets} (chmod 600).",
    )


def _agent(worker: Worker, user_home: Path) -> Service:
    agent: dict[str, Any] = plistlib.loads(_template("worker.plist").template.encode())
    agent["ProgramArguments"] = [str(worker.command), "worker"]
    agent["EnvironmentVariables"] = dict(worker.environment)
    path = user_home / "Library" / "LaunchAgents" / f"{LAUNCHD_LABEL}.plist"
    domain = f"gui/{os.getuid()}" if os.name == "posix" else "gui"
    name = f"{domain}/{LAUNCHD_LABEL}"
    return Service(
        path,
        plistlib.dumps(agent, sort_keys=False).decode(),
        replace=[("launchctl", "bootout", name)],
        start=[("launchctl", "bootstrap", domain, str(path))],
        again=[("launchctl", "kickstart", name)],
        end=[("launchctl", "bootout", name)],
        advice=f"How it is: launchctl print {name}; what it says: {worker.home / 'logs'}. It runs while you are"
        " signed in; its Claude sessions use the sign-in of `stockdesk login`.",
    )


def _task(worker: Worker, environment: Mapping[str, str]) -> Service:
    _refuse(REFUSED_BY_WINDOWS, str(worker.command), *worker.environment.values())
    # The Task Scheduler gives a program no variables of its own: the shell sets them.
    settings = "".join(f'set "{name}={value}" & ' for name, value in worker.environment.items())
    user = "\\".join(filter(None, (environment.get("USERDOMAIN"), environment.get("USERNAME"))))
    text = _template("worker.xml").substitute(
        home=escape(str(worker.home)),
        user=escape(user),
        arguments=escape(f'/d /s /c "{settings}"{worker.command}" worker"'),
    )
    path = worker.home / "service.xml"
    begin = ("schtasks", "/Run", "/TN", TASK_NAME)
    stop = ("schtasks", "/End", "/TN", TASK_NAME)
    return Service(
        path,
        text,
        replace=[stop],
        start=[("schtasks", "/Create", "/TN", TASK_NAME, "/XML", str(path), "/F"), begin],
        again=[begin],
        end=[stop, ("schtasks", "/Delete", "/TN", TASK_NAME, "/F")],
        advice=f"How it is: schtasks /Query /TN {TASK_NAME} /V /FO LIST; what it says: {worker.home / 'logs'}. It runs"
        " while you are signed in, in a window; its Claude sessions use the sign-in of `stockdesk login`.",
        encoding="utf-16",
    )


def _template(name: str) -> Template:
    return Template((files("server.install") / name).read_text("utf-8"))


def _refuse(signs: str, *values: str) -> None:
    for value in values:
        if found := [sign for sign in signs if sign in value]:
            raise InstallError(
                f"{value!r} cannot be written into a service, because of the {found[0]} in it."
            )


def _systemd(value: str) -> str:
    """Quoted for systemd.syntax(7)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_specifiers(escaped)}"'


def _specifiers(value: str) -> str:
    return value.replace("%", "%%")
