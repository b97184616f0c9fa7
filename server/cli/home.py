"""Commands that look after the home."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from server.cli.running import AsJson, app, fail, run, say
from server.settings import Settings, list_settings

command = partial(app.command, rich_help_panel="Look after the home")


@command()
def settings(*, as_json: AsJson = False) -> None:
    """List every setting with its value and where that comes from."""
    from server.rendering.console import new_console  # noqa: PLC0415 (see the package's docstring)
    from server.rendering.tables import settings_list  # noqa: PLC0415

    async def look(settings: Settings) -> Settings:
        return settings

    rows = list_settings(run(look), os.environ)
    if as_json:
        import json  # noqa: PLC0415
        from dataclasses import asdict  # noqa: PLC0415

        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        new_console().print(settings_list(rows))


@command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to save it.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Save everything the home knows as one file, while it works."""
    from server.backup import save  # noqa: PLC0415
    from server.cli.progress import going_on  # noqa: PLC0415

    with going_on("Saving"):
        sentence = run(lambda settings: save(settings, file, replace=force))
    say(sentence)


@command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `stockdesk backup` made.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Replace everything the home knows by a backup, while it works; the present state is saved first."""
    from server.backup import put_back  # noqa: PLC0415
    from server.cli.progress import going_on  # noqa: PLC0415

    if not yes and not sys.stdin.isatty():
        fail("A restore replaces all work in the home; add --yes if that is meant.")
    with going_on("Restoring") as progress:

        def ask(question: str) -> bool:
            progress.stop()
            agreed = typer.confirm(question)
            progress.start()
            return agreed

        sentences = run(lambda settings: put_back(settings, file, None if yes else ask))
    say(sentences)


@command()
def doctor(*, as_json: AsJson = False) -> None:
    """Check everything that the desk needs, and say what to do; exit code 1 if there is a problem."""
    from server.cli.progress import counted  # noqa: PLC0415
    from server.doctor import Level, examine, findings_table  # noqa: PLC0415
    from server.rendering.console import escaped, new_console  # noqa: PLC0415

    with counted("checks") as progress:
        findings = run(partial(examine, progress=progress))
    if as_json:
        import json  # noqa: PLC0415
        from dataclasses import asdict  # noqa: PLC0415

        typer.echo(escaped(json.dumps([asdict(finding) for finding in findings], indent=2)))
    else:
        new_console().print(findings_table(findings))
    raise typer.Exit(any(finding.level is Level.PROBLEM for finding in findings))
