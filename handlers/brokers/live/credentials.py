"""What opens an account: by which broker, from where, and never shown."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from handlers.analyst.secrets import HIDDEN
from handlers.brokers.live.vault import Vault, VaultError

# What a header can carry: with a blank or a line's end, the HTTP library would quote the value in its error.
Word = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[!-~]{1,500}$")]
ALPACA_LIVE = "https://api.alpaca.markets"
_KITE_ZONE, _KITE_FLUSH = ZoneInfo("Asia/Kolkata"), time(6)


class Broker(StrEnum):
    KITE = "kite"
    ALPACA = "alpaca"


class _Credentials(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KiteCredentials(_Credentials):
    """`owner` is the end of the user's id. A token without an end may have ended; Kite says so when asked."""

    api_key: Word
    api_secret: Word | None = Field(default=None, repr=False)
    access_token: Word | None = Field(default=None, repr=False)
    expires_at: AwareDatetime | None = None
    owner: str | None = None

    @property
    def login_url(self) -> str:
        return "https://kite.zerodha.com/connect/login?" + urlencode({"v": 3, "api_key": self.api_key})

    def is_logged_in(self, now: datetime) -> bool:
        return self.access_token is not None and (self.expires_at is None or now < self.expires_at)


class AlpacaCredentials(_Credentials):
    """`live` is false for a paper account, which has keys of its own."""

    key_id: Word = Field(repr=False)
    secret_key: Word = Field(repr=False)
    live: bool = False


Credentials = TypeVar("Credentials", KiteCredentials, AlpacaCredentials)


def stored(vault: Vault, shape: type[Credentials], broker: Broker, account: str) -> Credentials | None:
    """What a login has kept for this account.

    Raises:
        VaultError: it cannot be read, or is no such thing.
    """
    text = vault.read(f"{broker}/{account}")
    try:
        return None if text is None else shape.model_validate_json(text)
    except ValidationError:
        raise VaultError(
            f"What is kept as {broker}/{account} is damaged; run `stockdesk login {broker} --account {account!r}`."
        ) from None


def keep(vault: Vault, credentials: KiteCredentials | AlpacaCredentials, broker: Broker, account: str) -> str:
    """Keep them for this account, and return the words for where they are now."""
    return vault.write(f"{broker}/{account}", credentials.model_dump_json())


def kite_of_environment(environment: Mapping[str, str]) -> KiteCredentials | None:
    """The app, and the token if somebody else takes care of logging in.

    Raises:
        VaultError: a value that no key can have.
    """
    if not environment.get("KITE_API_KEY"):
        return None
    return _of_environment(
        KiteCredentials,
        api_key=environment["KITE_API_KEY"],
        api_secret=environment.get("KITE_API_SECRET") or None,
        access_token=environment.get("KITE_ACCESS_TOKEN") or None,
    )


def alpaca_of_environment(environment: Mapping[str, str]) -> AlpacaCredentials | None:
    """The pair under Alpaca's own names; of a paper account, unless APCA_API_BASE_URL is that of live ones.

    Raises:
        VaultError: a value that no key can have.
    """
    if not (environment.get("APCA_API_KEY_ID") and environment.get("APCA_API_SECRET_KEY")):
        return None
    return _of_environment(
        AlpacaCredentials,
        key_id=environment["APCA_API_KEY_ID"],
        secret_key=environment["APCA_API_SECRET_KEY"],
        live=environment.get("APCA_API_BASE_URL", "").rstrip("/") == ALPACA_LIVE,
    )


def _of_environment(shape: type[Credentials], **values: str | bool | None) -> Credentials:
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        names = ", ".join(str(problem["loc"][0]) for problem in error.errors(include_input=False))
        raise VaultError(
            f"The {names} in the environment cannot be one: it holds a blank or another character that keys lack; "
            "copy it again."
        ) from None


def kite_expiry(logged_in_at: datetime) -> datetime:
    """Kite forgets every token at about 6 in the morning, Indian time."""
    local = logged_in_at.astimezone(_KITE_ZONE)
    day = local.date() + timedelta(days=local.time() >= _KITE_FLUSH)
    return datetime.combine(day, _KITE_FLUSH, _KITE_ZONE)


def without(text: str, credentials: KiteCredentials | AlpacaCredentials) -> str:
    """The text without the values of these secrets, should somebody echo them."""
    shown = {"api_key", "owner"}
    values = [value for name, value in credentials if isinstance(value, str) and name not in shown]
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text
