"""The command line. Heavy modules are imported where a command needs them, so that each starts fast."""

import os
import sys
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import anyio
import typer

from handlers.grouping import Grouping
from queues.errors import EngineError
from queues.model import QueueName
from server.client_config import Client, client_entry
from server.install.commands import install
from server.settings import Settings, SettingsError, list_settings, load_settings

app = typer.Typer(
    name="stockdesk",
    help="A research desk for your portfolio that works in the background, for Claude.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(install)

T = TypeVar("T")

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


@app.command()
def demo(
    *,
    claude: Annotated[bool, typer.Option("--claude", help="Real Claude sessions; they cost money.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary home.")] = False,
) -> None:
    """Review two example accounts on real prices, offline and without any key."""
    from server.demo import run_demo  # noqa: PLC0415 (see the module's docstring)
    from server.rendering import new_console  # noqa: PLC0415

    try:
        findings = anyio.run(lambda: run_demo(new_console(), claude=claude, keep=keep))
    except (SettingsError, EngineError) as error:
        _fail(str(error))
    raise typer.Exit(1 if findings else 0)


@app.command()
def serve(
    *,
    http: Annotated[bool, typer.Option("--http", help="Over HTTP instead, until Ctrl-C.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 7853,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Another name by which clients call it; repeatable.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM file: certificate and its chain.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file: its key.")] = None,
    allow_insecure: Annotated[
        bool, typer.Option("--allow-insecure", help="Let other machines reach it without TLS.")
    ] = False,
    new_token: Annotated[bool, typer.Option("--new-token", help="Replace the bearer token.")] = False,
) -> None:
    """Serve MCP over stdio, as Claude Desktop, Claude Code and the Inspector start it, or over HTTP."""
    from server.http.listening import Address  # noqa: PLC0415
    from server.serving import serve_http, serve_stdio  # noqa: PLC0415

    address = Address(host, port, tuple(allowed_host or ()), tls_cert, tls_key, allow_insecure)
    if http:
        _run(lambda settings: serve_http(settings, address, new_token=new_token))
    elif new_token or address != Address():
        _fail("Only a server over HTTP has an address and a token: add --http.")
    else:
        _run(serve_stdio)


@app.command()
def worker() -> None:
    """Run the queues without an MCP client, until Ctrl-C: for long reviews."""
    from server.serving import work  # noqa: PLC0415

    _run(work)


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Show the queues of the home, whichever process runs them."""
    from server.desk import open_desk  # noqa: PLC0415
    from server.inspection import desk_status  # noqa: PLC0415
    from server.rendering import new_console, status_table  # noqa: PLC0415
    from server.views import StatusView  # noqa: PLC0415

    async def look(settings: Settings) -> StatusView:
        async with open_desk(settings, "status") as desk:
            return await desk_status(desk)

    view = _run(look)
    if as_json:
        typer.echo(view.model_dump_json(indent=2))
    else:
        new_console().print(status_table(view))


@app.command()
def spend(
    *,
    by: Annotated[Grouping, typer.Option(help="How to add up the sessions.")] = "day",
    days: Annotated[int, typer.Option(min=1, max=3660, help="Days back, today included.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Show what Claude sessions cost, and what is left of today's budget."""
    from server.desk import open_desk  # noqa: PLC0415
    from server.rendering import new_console, spend_table  # noqa: PLC0415
    from server.spending import SpendView, spend_view  # noqa: PLC0415

    async def look(settings: Settings) -> SpendView:
        async with open_desk(settings, "spend") as desk:
            return await desk.database.read(
                lambda tx: spend_view(tx, settings, by, days=days, offset=0, limit=50)
            )

    view = _run(look)
    if as_json:
        typer.echo(view.model_dump_json(indent=2))
    else:
        new_console().print(spend_table(view))


@app.command()
def takeover(
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Even if it answers; each task it runs spends an attempt.")
    ] = False,
) -> None:
    """Kill the process that runs the queues if it hangs, so that another goes on."""
    from server.desk import open_desk  # noqa: PLC0415
    from server.takeover import TakeoverRefusedError, take_over  # noqa: PLC0415

    async def end(settings: Settings) -> str:
        async with open_desk(settings, "takeover") as desk:
            return await take_over(desk, force=force)

    try:
        typer.echo(_run(end))
    except TakeoverRefusedError as error:
        _fail(str(error))


@app.command()
def settings(*, as_json: AsJson = False) -> None:
    """List every setting with its value and where that comes from."""
    from server.rendering import new_console, settings_list  # noqa: PLC0415

    async def look(settings: Settings) -> Settings:
        return settings

    rows = list_settings(_run(look), os.environ)
    if as_json:
        import json  # noqa: PLC0415
        from dataclasses import asdict  # noqa: PLC0415

        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        new_console().print(settings_list(rows))


@app.command()
def config(client: Annotated[Client, typer.Argument(help="Whose entry to print.")]) -> None:
    """Print the entry that makes a client start this server."""
    try:
        entry, advice = client_entry(client)
    except SettingsError as error:
        _fail(str(error))
    typer.echo(entry)
    typer.echo(advice, err=True)


@app.command()
def release(
    queue: Annotated[QueueName, typer.Argument(help="Which queue.")],
    *,
    include_old: Annotated[
        bool, typer.Option("--include-old", help="Also start analyses over a day old.")
    ] = False,
) -> None:
    """End every hold of a queue."""
    from server import control  # noqa: PLC0415
    from server.desk import open_desk  # noqa: PLC0415

    async def end_holds(settings: Settings) -> str:
        async with open_desk(settings, "release") as desk:
            return (await control.release(desk, queue, include_old=include_old)).message

    typer.echo(_run(end_holds))


@app.command()
def login(
    to: Annotated[Literal["claude", "kite", "alpaca"], typer.Argument(help="Where to sign in.")] = "claude",
    *,
    account: Annotated[str, typer.Option(help="The desk's name of the broker's account.")] = "main",
    anew: Annotated[bool, typer.Option("--anew", help="Ask for the keys even if they are known.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Alpaca: keys of a live account, not paper.")] = False,
) -> None:
    """Sign in to Claude, or to a broker, and let what waited for it go on."""

    async def sign_in_there(settings: Settings) -> tuple[str, bool]:
        if to == "claude":
            from server.signing_in import sign_in  # noqa: PLC0415

            return await sign_in(settings)
        from server.login_broker import Broker, Login, log_in  # noqa: PLC0415

        login = Login(settings=settings, broker=Broker(to), account=account, anew=anew, live=live)
        return await log_in(login)

    message, signed_in = _run(sign_in_there)
    typer.echo(message, err=not signed_in)
    raise typer.Exit(0 if signed_in else 1)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to save it.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Save everything the home knows as one file, while it works."""
    from server.backup import save  # noqa: PLC0415

    typer.echo(_run(lambda settings: save(settings, file, replace=force)))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `stockdesk backup` made.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Replace everything the home knows by a backup, while it works; the present state is saved first."""
    from server.backup import put_back  # noqa: PLC0415

    if not yes and not sys.stdin.isatty():
        _fail("A restore replaces all work in the home; add --yes if that is meant.")
    ask = None if yes else typer.confirm
    typer.echo(_run(lambda settings: put_back(settings, file, ask)))


@app.command()
def doctor(*, as_json: AsJson = False) -> None:
    """Check everything that the desk needs, and say what to do; exit code 1 if there is a problem."""
    from server.doctor import Level, examine, findings_table  # noqa: PLC0415
    from server.rendering import new_console  # noqa: PLC0415

    findings = _run(examine)
    if as_json:
        import json  # noqa: PLC0415
        from dataclasses import asdict  # noqa: PLC0415

        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        new_console().print(findings_table(findings))
    raise typer.Exit(any(finding.level is Level.PROBLEM for finding in findings))


def _run(command: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """Run one command with the settings of the environment; foreseen errors end it with one sentence."""
    try:
        return anyio.run(command, load_settings())
    except (SettingsError, EngineError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(1)
