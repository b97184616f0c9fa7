"""The holdings of a live account, or how the attempt of its task ends instead."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import anyio
import anyio.to_thread

from handlers.brokers.live.alpaca import AlpacaAccount, alpaca_holdings
from handlers.brokers.live.asking import BrokerError, LiveHoldings, LoginNeededError
from handlers.brokers.live.credentials import (
    AlpacaCredentials,
    Broker,
    KiteCredentials,
    alpaca_of_environment,
    kite_of_environment,
    stored,
)
from handlers.brokers.live.kite import KITE_URL, KiteAccount, kite_holdings, login_link
from handlers.brokers.live.vault import Vault, VaultError
from handlers.instruments import Instruments
from handlers.sources.base import SourceBusyError, SourceError
from queues.outcome import Failed, Retry, Snooze

T = TypeVar("T")

# A login makes the task due; this is for a token that came in another way. Until then nothing is sent.
_LOOK_AGAIN = timedelta(hours=1)
# A keyring may ask the person to unlock it, and there may be no person.
_PATIENCE_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Brokers:
    """What live accounts need of the desk. Other addresses are for tests."""

    vault: Vault
    environment: Mapping[str, str]
    instruments: Instruments
    kite_url: str = KITE_URL
    alpaca_url: str | None = None


async def live_holdings(
    broker: Broker, account: str, desk: Brokers, now: datetime
) -> LiveHoldings | Retry | Snooze | Failed:
    """What `account` of this broker holds. A snooze's reason says where to log in; it costs no attempt."""
    try:
        match broker:
            case Broker.KITE:
                return await kite_holdings(await kite_account(account, desk, now))
            case Broker.ALPACA:
                return await alpaca_holdings(await _alpaca(account, desk))
    except (LoginNeededError, VaultError) as error:
        return Snooze(str(error), now + _LOOK_AGAIN)
    except SourceBusyError as error:
        return Retry(str(error), error.retry_after)
    except (BrokerError, SourceError) as error:
        return Failed(str(error))


async def kite_account(account: str, desk: Brokers, now: datetime) -> KiteAccount:
    """The account, logged in.

    Raises:
        LoginNeededError: nobody has, or the session has ended.
        VaultError: the credentials cannot be read.
    """

    def find() -> KiteCredentials | None:
        kept = stored(desk.vault, KiteCredentials, Broker.KITE, account)
        known = [each for each in (kept, kite_of_environment(desk.environment)) if each is not None]
        return next((each for each in known if each.is_logged_in(now)), known[0] if known else None)

    credentials = await _patiently(find)
    if credentials is None:
        raise LoginNeededError(
            f"Nobody has logged in to Kite for {account}: run `stockdesk login kite --account {account!r}`."
        )
    if not credentials.is_logged_in(now):
        raise LoginNeededError(f"Kite's session of {account} has ended: {login_link(account, credentials)}.")
    return KiteAccount(
        name=account, credentials=credentials, instruments=desk.instruments, base_url=desk.kite_url
    )


async def _alpaca(account: str, desk: Brokers) -> AlpacaAccount:
    def find() -> AlpacaCredentials | None:
        kept = stored(desk.vault, AlpacaCredentials, Broker.ALPACA, account)
        return kept or alpaca_of_environment(desk.environment)

    credentials = await _patiently(find)
    if credentials is None:
        raise LoginNeededError(
            f"There are no keys of Alpaca for {account}: run `stockdesk login alpaca --account {account!r}`."
        )
    return AlpacaAccount(name=account, credentials=credentials, base_url=desk.alpaca_url)


async def _patiently(find: Callable[[], T]) -> T:
    try:
        with anyio.fail_after(_PATIENCE_SECONDS):
            return await anyio.to_thread.run_sync(find, abandon_on_cancel=True)
    except TimeoutError:
        raise VaultError(
            f"The keyring did not answer within {_PATIENCE_SECONDS} s; unlock it, or set the credentials in the "
            "environment."
        ) from None
