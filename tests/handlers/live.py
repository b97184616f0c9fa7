"""A keyring in memory, and what the tests of live accounts share."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from handlers.brokers.live.credentials import AlpacaCredentials, Broker, KiteCredentials, keep
from handlers.brokers.live.syncing import Brokers
from handlers.brokers.live.vault import Vault
from handlers.instruments import bundled
from tests.handlers.conftest import NOW
from tests.standins.brokers import KEY, KEY_ID, SECRET, SECRET_KEY, TOKEN

INFY, INFY_ISIN = "INFY", "INE009A01021"


class Ring(KeyringBackend):
    """One that works like a system's; `locked` is one whose owner is away."""

    priority = 1  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride] (as their documentation shows)

    def __init__(self, *, locked: bool = False) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = locked

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("the collection is locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


class NoRing(Ring):
    """What keyring gives where the system has none: something of priority 0."""

    priority = 0  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride] (as above)


def brokers(
    home: Path, url: str, environment: Mapping[str, str] | None = None, ring: Ring | None = None
) -> Brokers:
    return Brokers(
        vault=Vault(home, ring or Ring()),
        environment=environment or {},
        instruments=bundled(),
        kite_url=url,
        alpaca_url=url,
    )


def logged_in(desk: Brokers, account: str = "main", *, hours: float = 1) -> None:
    """Let the account's session last so many hours more."""
    session = KiteCredentials(
        api_key=KEY,
        api_secret=SECRET,
        access_token=TOKEN,
        expires_at=NOW + timedelta(hours=hours),
        owner="1234",
    )
    keep(desk.vault, session, Broker.KITE, account)


def with_keys(desk: Brokers, secret_key: str = SECRET_KEY) -> None:
    keep(desk.vault, AlpacaCredentials(key_id=KEY_ID, secret_key=secret_key), Broker.ALPACA, "main")
