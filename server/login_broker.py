"""`stockdesk login kite` and `stockdesk login alpaca`: what opens a live account, asked for once and kept."""

import getpass
import os
import signal
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio.to_thread
from pydantic import TypeAdapter, ValidationError

from handlers.brokers.live.alpaca import AlpacaAccount, alpaca_holdings
from handlers.brokers.live.asking import BrokerError
from handlers.brokers.live.credentials import (
    AlpacaCredentials,
    Broker,
    KiteCredentials,
    keep,
    kite_of_environment,
    stored,
)
from handlers.brokers.live.kite import KITE_URL, exchange, request_token
from handlers.brokers.live.vault import Vault, VaultError
from handlers.portfolio_sync import KIND, AccountName
from handlers.sources.base import SourceError
from queues.clock import Clock, system_clock
from queues.database import Transaction
from queues.hastening import hasten
from queues.inspection import unfinished_tasks
from queues.model import QueueName
from server.desk import make_folders, open_database
from server.login_redirect import PORT, NobodyCameError, listening
from server.settings import Settings


class _LoginFailedError(Exception):
    """Nobody is logged in; the message is a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """`ask` prompts for a line, `ask_secret` without an echo. Other addresses are for tests.

    `anew` asks for the keys even if they are known; `live` is for Alpaca's accounts that are not paper.
    """

    settings: Settings
    broker: Broker
    account: str = "main"
    anew: bool = False
    live: bool = False
    ask: Callable[[str], str] = input
    ask_secret: Callable[[str], str] = getpass.getpass
    vault: Vault | None = None
    clock: Clock = system_clock
    kite_url: str = KITE_URL
    alpaca_url: str | None = None


async def log_in(login: Login) -> tuple[str, bool]:
    """Ask for what the broker wants, try it, keep it, and let the account's syncs that waited for it go on.

    Returns a sentence without secrets, and whether the login succeeded; if not, what was kept stays.
    """
    try:
        login = replace(login, account=TypeAdapter[str](AccountName).validate_python(login.account))
    except ValidationError:
        return (
            f"{login.account[:60]!r} is no name of an account; use letters, digits, blanks and . _ -",
            False,
        )
    make_folders(login.settings)
    vault = login.vault or Vault(login.settings.home)
    try:
        credentials, told = await (_kite if login.broker is Broker.KITE else _alpaca)(login, vault)
        where = await anyio.to_thread.run_sync(keep, vault, credentials, login.broker, login.account)
    except (_LoginFailedError, NobodyCameError, BrokerError, SourceError, VaultError) as error:
        return str(error), False
    except (EOFError, KeyboardInterrupt):
        return "The login was not finished; nothing was changed.", False
    database = open_database(login.settings)
    try:
        waited = await database.write(lambda tx: _go_on(tx, login))
    finally:
        database.close()
    going_on = f" {len(waited)} waiting sync goes on." if waited else ""
    return f"{told} It is kept in {where}.{going_on}", True


def _go_on(tx: Transaction, login: Login) -> list[str]:
    wanted = {"account": login.account, "broker": login.broker.value}
    waiting = [
        task.id
        for task in unfinished_tasks(tx, QueueName.PORTFOLIO_SYNC)
        if task.kind == KIND and wanted.items() <= task.payload.items()
    ]
    return hasten(tx, waiting)


async def _kite(login: Login, vault: Vault) -> tuple[KiteCredentials, str]:
    kept = await anyio.to_thread.run_sync(stored, vault, KiteCredentials, Broker.KITE, login.account)
    app = await _kite_app(login, kept)
    with listening() as redirect:
        link = app.login_url if redirect is None else redirect.link(app.login_url)
        print(f"Log in to Kite here:\n{link}", flush=True)  # noqa: T201 (the command's output)
        if (
            sys.platform in {"darwin", "win32"}
            or os.environ.get("DISPLAY")
            or os.environ.get("WAYLAND_DISPLAY")
        ):
            await anyio.to_thread.run_sync(webbrowser.open, link)
        arrived = _answer(
            login.ask if redirect is None else redirect.wait,
            "Then paste the address that the browser ends at, or its request_token"
            + (": " if redirect is None else f" (not needed if that is http://127.0.0.1:{PORT}/): "),
        )
    session = await exchange(app, request_token(arrived), login.clock, login.kite_url)
    if kept and kept.owner and session.owner != kept.owner and not login.anew:
        raise _LoginFailedError(
            f"The account {login.account} belongs to the user …{kept.owner}, but …{session.owner} has logged in; log "
            "out of Kite in the browser, name another --account, or add --anew if it shall be that user's from now on."
        )
    return session, f"…{session.owner} is logged in to Kite until {session.expires_at:%Y-%m-%d %H:%M %Z}."


async def _kite_app(login: Login, kept: KiteCredentials | None) -> KiteCredentials:
    """The app's key and secret: kept, in the environment, or asked for."""
    for known in () if login.anew else (kept, kite_of_environment(os.environ)):
        if known is not None and known.api_secret is not None:
            return known
    key = _answer(login.ask, "API key of your Kite Connect app: ")
    secret = _answer(login.ask_secret, "Its API secret: ")
    try:
        return KiteCredentials(api_key=key, api_secret=secret)
    except ValidationError:
        raise _LoginFailedError(
            "That is no key and secret of Kite; copy them from your app's page."
        ) from None


def _answer(ask: Callable[[str], str], prompt: str) -> str:
    """Ask here and now: nothing else runs meanwhile, and the event loop's own handler would keep Ctrl-C waiting."""
    of_the_loop = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return ask(prompt)
    finally:
        signal.signal(signal.SIGINT, of_the_loop)


async def _alpaca(login: Login, vault: Vault) -> tuple[AlpacaCredentials, str]:
    del vault  # keys do not end, so whoever logs in has new ones
    key = _answer(login.ask_secret, "API key id of your Alpaca account: ")
    secret = _answer(login.ask_secret, "Its secret key: ")
    try:
        credentials = AlpacaCredentials(key_id=key, secret_key=secret, live=login.live)
    except ValidationError:
        raise _LoginFailedError("That is no pair of keys of Alpaca; copy them from its dashboard.") from None
    account = AlpacaAccount(name=login.account, credentials=credentials, base_url=login.alpaca_url)
    found = await alpaca_holdings(account)
    return credentials, f"Alpaca knows the keys: a {account.kind} account with {len(found.holdings)} stocks."
