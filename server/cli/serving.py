"""Commands that run the queues."""

from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer

from queues.errors import EngineError
from server.cli.running import app, fail, run
from server.settings import SettingsError

command = partial(app.command, rich_help_panel="Run")


@command()
def demo(
    *,
    claude: Annotated[bool, typer.Option("--claude", help="Real Claude sessions; they cost money.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary home.")] = False,
) -> None:
    """Review two example accounts on real prices, offline and without any key."""
    from server.demo import run_demo  # noqa: PLC0415 (see the package's docstring)
    from server.rendering.console import new_console  # noqa: PLC0415

    try:
        findings = anyio.run(lambda: run_demo(new_console(), claude=claude, keep=keep))
    except (SettingsError, EngineError) as error:
        fail(str(error))
    raise typer.Exit(1 if findings else 0)


@command()
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
        run(lambda settings: serve_http(settings, address, new_token=new_token))
    elif new_token or address != Address():
        fail("Only a server over HTTP has an address and a token: add --http.")
    else:
        run(serve_stdio)


@command()
def worker() -> None:
    """Run the queues without an MCP client, until Ctrl-C: for long reviews."""
    from server.serving import work  # noqa: PLC0415

    run(work)
