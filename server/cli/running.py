"""How a command runs: with the settings of the environment, and at the open desk; foreseen errors are one sentence."""

import os
import sys
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import anyio
import typer

from queues.errors import EngineError
from server.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:  # slow to import, for every command
    from pydantic import BaseModel
    from rich.console import RenderableType

    from server.desk import Desk

app = typer.Typer(
    name="stockdesk",
    help="A research desk for your portfolio that works in the background, for Claude.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

T = TypeVar("T")
B = TypeVar("B", bound="BaseModel")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"stockdesk {version('stockdesk')}")
        raise typer.Exit


@app.callback()
def stockdesk(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    del version  # its callback has done all


def run(command: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """Run one command with the settings of the environment; foreseen errors end it with one sentence."""
    try:
        return anyio.run(command, load_settings())
    except (SettingsError, EngineError) as error:
        fail(str(error))


def run_at_desk(name: str, work: "Callable[[Desk], Coroutine[Any, Any, T]]") -> T:
    """The same at the desk that is in the home; what the request has wrong also ends it with one sentence.

    It begins no desk: a home that is mistyped would show an empty one, or be held in the place of the real one.
    """
    from handlers.stocks import StockError  # noqa: PLC0415 (see the package's docstring)
    from server.desk import DATABASE_NAME, open_desk  # noqa: PLC0415
    from server.enqueueing import RequestError  # noqa: PLC0415

    async def at_desk(settings: Settings) -> T:
        if not os.access(settings.home / DATABASE_NAME, os.F_OK):
            raise RequestError(
                f"There is no desk in {settings.home}: check STOCKDESK_HOME; a client, or `stockdesk worker`,"
                " begins one."
            )
        async with open_desk(settings, name) as desk:
            return await work(desk)

    try:
        return run(at_desk)
    except (RequestError, StockError) as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    say(message, err=True)
    sys.exit(1)


def say(message: str, *, err: bool = False) -> None:
    from server.rendering.commands import in_commands  # noqa: PLC0415
    from server.rendering.console import escaped  # noqa: PLC0415

    typer.echo(escaped(in_commands(message)), err=err)


def show(view: B, render: "Callable[[B], RenderableType]", *, as_json: bool) -> None:
    """Print it as JSON, or as `render` draws it with every text readable."""
    from server.rendering.console import new_console, readable  # noqa: PLC0415

    if as_json:
        print_json(view)
    else:
        new_console().print(render(readable(view, load_settings().zone)))


def print_json(view: "BaseModel", indent: int | None = 2) -> None:
    """A terminal obeys nothing of what is in it, and it is the same JSON."""
    from server.rendering.console import escaped  # noqa: PLC0415

    typer.echo(escaped(view.model_dump_json(indent=indent)))
