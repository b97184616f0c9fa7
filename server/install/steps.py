"""The steps of `stockdesk install`: show the change, make it, and say what comes next."""

import os
import shlex
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from server.client_config import INSPECTOR, Client
from server.install import clients, services
from server.install.changes import Change, InstallError, read
from server.settings import SettingsError, load_settings


@dataclass(frozen=True, slots=True)
class Asked:
    dry_run: bool
    yes: bool
    uninstall: bool


@contextmanager
def _sentences() -> Generator[None]:
    """Foreseen errors end the command with their sentence."""
    try:
        yield
    except (InstallError, SettingsError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


@_sentences()
def install_in_desktop(asked: Asked) -> None:
    path = clients.desktop_file(sys.platform, os.environ, Path.home())
    _change_entry(Client.CLAUDE_DESKTOP, path, asked, "Restart Claude Desktop.")


@_sentences()
def install_in_claude_code(asked: Asked) -> None:
    path = clients.claude_code_file(os.environ, Path.home())
    _change_entry(
        Client.CLAUDE_CODE, path, asked, "Sessions that are open see it after a restart.", by_cli=True
    )


@_sentences()
def install_in_project(asked: Asked) -> None:
    path = Path.cwd() / ".mcp.json"
    _change_entry(Client.CLAUDE_CODE, path, asked, "Claude Code asks for your approval in this folder.")


@_sentences()
def install_in_inspector(asked: Asked) -> None:
    path = clients.inspector_file(os.environ, Path.home())
    _change_entry(Client.INSPECTOR, path, asked, f"Run: npx {INSPECTOR}")


@_sentences()
def install_service(asked: Asked) -> None:
    worker = services.worker_for(load_settings().home, os.environ)
    if sys.platform == "linux" and shutil.which("systemctl") is None:
        raise InstallError(
            "This system has no systemd: have your own service manager run"
            f" {shlex.quote(str(worker.command))} worker. Nothing was changed."
        )
    wanted = services.service_for(sys.platform, worker, os.environ, Path.home())
    if asked.uninstall:
        _remove_service(wanted, asked)
    else:
        _add_service(wanted, asked)


def _change_entry(client: Client, path: Path, asked: Asked, next_step: str, *, by_cli: bool = False) -> None:
    change = clients.removing(path) if asked.uninstall else clients.adding(client, path, os.environ)
    if change.before == change.after:
        typer.echo(
            f"stockdesk is {'not' if asked.uninstall else 'already there, as it should be,'} in {path}."
        )
        return
    replaces = not asked.uninstall and clients.entry_in(path, change.before) is not None
    if not _agreed(change, asked, f"Replace the entry stockdesk in {path}?" if replaces else None):
        return
    backup = clients.make_by_cli(_cli(), change) if by_cli else change.make()
    typer.echo(f"{path} is changed.{_kept(backup)} {next_step}")


def _cli() -> Path:
    from handlers.analyst.cli import CliNotFoundError, find_cli  # noqa: PLC0415 (it imports Claude's SDK)

    try:
        return find_cli(load_settings().claude_cli)
    except CliNotFoundError as error:
        raise InstallError(str(error)) from error


def _add_service(service: services.Service, asked: Asked) -> None:
    change = Change(service.path, read(service.path, service.encoding), service.text, service.encoding)
    if change.before == change.after:
        if not asked.dry_run:
            _run(service.again)
        typer.echo(f"{service.path} is already there, as it should be. {service.advice}")
        return
    if not _agreed(change, asked, f"Replace {service.path}?" if change.before is not None else None):
        return
    if change.before is not None:
        services.run(service.replace)
    backup = change.make()
    typer.echo(f"{service.path} is written.{_kept(backup)}")
    if names := services.not_written(os.environ):
        typer.echo(f"Set in this terminal, and not written down: {', '.join(names)}.")
    _run(service.start)
    typer.echo(f"The worker is started. {service.advice}")


def _remove_service(service: services.Service, asked: Asked) -> None:
    change = Change(service.path, read(service.path, service.encoding), None, service.encoding)
    if change.before is None:
        typer.echo(f"There is no {service.path}.")
    elif _agreed(change, asked, None):
        trouble = services.run(service.end)
        backup = change.make()
        typer.echo(f"{service.path} is removed.{_kept(backup)}")
        if trouble:
            raise InstallError(f"The worker may still run: {trouble}.")
        typer.echo(
            "The worker is stopped; what it had in hand goes on with the next process that runs the queues."
        )


def _run(commands: Sequence[services.Command]) -> None:
    if trouble := services.run(commands):
        lines = "\n".join(shlex.join(command) for command in commands)
        raise InstallError(f"The worker is not started: {trouble}.\nOnce that is settled, run:\n{lines}")


def _agreed(change: Change, asked: Asked, question: str | None) -> bool:
    """Show the change; whether it is to be made. A question is one that --yes answers."""
    typer.echo(change.diff())
    if asked.dry_run:
        typer.echo("Nothing was changed (--dry-run).")
        return False
    if question is None or asked.yes:
        return True
    if not sys.stdin.isatty():
        raise InstallError(f"{question} Add --yes if that is meant; nothing was changed.")
    if not typer.confirm(question):
        typer.echo("Nothing was changed.")
        return False
    return True


def _kept(backup: Path | None) -> str:
    return "" if backup is None else f" As it was: {backup}."
