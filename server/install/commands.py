"""`stockdesk install`, as it is typed. Every `serve` loads this module; what a command does is imported by it."""

from enum import StrEnum
from typing import Annotated

import typer

install = typer.Typer(
    name="install", help="Put the desk into a client, or have the system run a worker.", no_args_is_help=True
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the change, and make none.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before something else is replaced.")]
Uninstall = Annotated[bool, typer.Option("--uninstall", help="The way back.")]


class Scope(StrEnum):
    USER = "user"
    PROJECT = "project"


@install.command("claude-desktop")
def claude_desktop(*, dry_run: DryRun = False, yes: Yes = False, uninstall: Uninstall = False) -> None:
    """Add the desk to the servers of Claude Desktop."""
    from server.install import steps  # noqa: PLC0415 (see the module's docstring)

    steps.install_in_desktop(steps.Asked(dry_run, yes, uninstall))


@install.command("claude-code")
def claude_code(
    *,
    scope: Annotated[
        Scope, typer.Option(help="In every project of yours, or in .mcp.json of this folder.")
    ] = Scope.USER,
    dry_run: DryRun = False,
    yes: Yes = False,
    uninstall: Uninstall = False,
) -> None:
    """Add the desk to the servers of Claude Code."""
    from server.install import steps  # noqa: PLC0415

    asked = steps.Asked(dry_run, yes, uninstall)
    if scope is Scope.PROJECT:
        steps.install_in_project(asked)
    else:
        steps.install_in_claude_code(asked)


@install.command("inspector")
def inspector(*, dry_run: DryRun = False, yes: Yes = False, uninstall: Uninstall = False) -> None:
    """Add the desk to the catalog of the MCP Inspector."""
    from server.install import steps  # noqa: PLC0415

    steps.install_in_inspector(steps.Asked(dry_run, yes, uninstall))


@install.command("service")
def service(*, dry_run: DryRun = False, yes: Yes = False, uninstall: Uninstall = False) -> None:
    """Have the system run `stockdesk worker` from your sign-in on, so that work needs no open window."""
    from server.install import steps  # noqa: PLC0415

    steps.install_service(steps.Asked(dry_run, yes, uninstall))
