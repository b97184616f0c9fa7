"""Commands that connect the desk with clients, with Claude and with brokers."""

from functools import partial
from typing import Annotated, Literal

import typer

from server.cli.running import app, fail, run, say
from server.client_config import Client, client_entry
from server.install.commands import install
from server.settings import Settings, SettingsError

PANEL = "Connect"
command = partial(app.command, rich_help_panel=PANEL)

app.add_typer(install, rich_help_panel=PANEL)


@command()
def config(client: Annotated[Client, typer.Argument(help="Whose entry to print.")]) -> None:
    """Print the entry that makes a client start this server."""
    try:
        entry, advice = client_entry(client)
    except SettingsError as error:
        fail(str(error))
    typer.echo(entry)
    typer.echo(advice, err=True)


@command()
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
            from server.signing_in import sign_in  # noqa: PLC0415 (see the package's docstring)

            return await sign_in(settings)
        from server.login_broker import Broker, Login, log_in  # noqa: PLC0415

        login = Login(settings=settings, broker=Broker(to), account=account, anew=anew, live=live)
        return await log_in(login)

    message, signed_in = run(sign_in_there)
    say(message, err=not signed_in)
    raise typer.Exit(0 if signed_in else 1)
