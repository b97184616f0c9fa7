"""Zerodha's Kite Connect 3: `GET /portfolio/holdings`, `GET /portfolio/positions`, `POST /session/token`.

Answers are `{"status": "success", "data": …}`, or `{"status": "error", "message", "error_type"}` with a status of
400 to 599. Source: kite.trade/docs/connect/v3, chapters User, Portfolio, Exceptions.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx
from pydantic import BaseModel, Field, ValidationError

from handlers.analyst.secrets import HIDDEN
from handlers.brokers.holding import BrokerFileError, BrokerFormat, Holding, Position
from handlers.brokers.live.asking import (
    BrokerError,
    LiveHoldings,
    LoginNeededError,
    RefusedError,
    Route,
    open_client,
)
from handlers.brokers.live.credentials import Broker, KiteCredentials, Word, kite_expiry, without
from handlers.brokers.lookup import Lookup
from handlers.brokers.numbers import plain
from handlers.brokers.reader import account_suffix
from handlers.instruments import Instruments
from handlers.plain_text import cut, plain_text
from handlers.sources.http import Host, parse
from handlers.sources.pace import Pace
from handlers.stocks import Stock, StockError

KITE_URL = "https://api.kite.trade"
_HOLDINGS, _POSITIONS, _SESSION = "/portfolio/holdings", "/portfolio/positions", "/session/token"
READING = frozenset({Route("GET", _HOLDINGS), Route("GET", _POSITIONS)})
LOGGING_IN = frozenset({Route("POST", _SESSION)})
_PER_SECOND = 10  # "all other endpoints" in the chapter on rate limits
_MAX_BODY = 4 * 2**20  # a holding takes 600 bytes
_MOST_SAID = 200
_TOKEN = re.compile(r"[A-Za-z0-9]{8,64}")

_Shape = TypeVar("_Shape", bound=BaseModel)
# So that a float can stand for it, as for every other quantity of the desk.
_Amount = Annotated[Decimal, Field(ge=0, lt=10**15)]


class _Financed(BaseModel):
    quantity: _Amount = Decimal(0)


class _Holding(BaseModel):
    """`quantity` is in the demat account and free, `t1_quantity` on its way there, the other one pledged."""

    tradingsymbol: str
    exchange: str
    isin: str = ""
    quantity: _Amount
    t1_quantity: _Amount = Decimal(0)
    collateral_quantity: _Amount = Decimal(0)
    average_price: _Amount
    mtf: _Financed = _Financed()

    @property
    def held(self) -> Decimal:
        return self.quantity + self.t1_quantity + self.collateral_quantity


class _Holdings(BaseModel):
    data: list[_Holding]


class _Position(BaseModel):
    tradingsymbol: str
    exchange: str
    product: str
    quantity: Decimal


class _Net(BaseModel):
    net: list[_Position]


class _Positions(BaseModel):
    data: _Net


class _Session(BaseModel):
    user_id: Annotated[str, Field(min_length=1)]
    access_token: Word


class _LoggedIn(BaseModel):
    data: _Session


class _Error(BaseModel):
    message: str = ""
    error_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KiteAccount:
    """`name` is the account in the desk, `credentials` hold a token."""

    name: str
    credentials: KiteCredentials
    instruments: Instruments
    base_url: str = KITE_URL


async def kite_holdings(account: KiteAccount) -> LiveHoldings:
    """What the account holds, shares that are pledged or on their way included.

    What was bought today is a position until it settles, and no holding; the remarks name it.

    Raises:
        LoginNeededError: the token has ended.
        RefusedError: Kite refuses, or a row does not name a stock and its quantity beyond doubt.
        SourceBusyError, BadDataError: as every host.
    """
    credentials = account.credentials
    headers = {
        "X-Kite-Version": "3",
        "Authorization": f"token {credentials.api_key}:{credentials.access_token}",
    }
    async with open_client(account.base_url, READING) as client:
        host = Host("Kite", account.base_url, client, Pace(_PER_SECOND), headers=headers, max_body=_MAX_BODY)
        rows = (await _ask(host, _HOLDINGS, _Holdings, account)).data
        positions = (await _ask(host, _POSITIONS, _Positions, account)).data.net
    return _read(rows, positions, account)


def login_link(account: str, credentials: KiteCredentials) -> str:
    """What the person has to do."""
    option = "" if account == "main" else f" --account {account!r}"
    return f"log in at {credentials.login_url}, then run `stockdesk login kite{option}`"


async def _ask(host: Host, path: str, shape: type[_Shape], account: KiteAccount) -> _Shape:
    answer = await host.get(path, account.name)
    if not answer.is_success:
        raise _refusal(answer.status, answer.body, account)
    return parse(shape, answer, host, account.name)


def _refusal(status: int, body: bytes, account: KiteAccount) -> BrokerError:
    said = what_kite_says(body, account.credentials)
    if said.error_type == "TokenException" or (status == HTTPStatus.FORBIDDEN and not said.error_type):
        return LoginNeededError(
            f"Kite's session of {account.name} has ended: {login_link(account.name, account.credentials)}."
        )
    return RefusedError(f"Kite refused to tell the holdings of {account.name} ({status} {said.message}).")


def what_kite_says(body: bytes, credentials: KiteCredentials, *more: str) -> _Error:
    """What an error says, for people: without markup and secrets; "no reason" for a page of HTML."""
    try:
        error = _Error.model_validate_json(body)
    except ValidationError:
        return _Error(message="no reason")
    message = without(error.message, credentials)
    for secret in more:
        message = message.replace(secret, HIDDEN)
    return _Error(message=cut(plain_text(message), _MOST_SAID) or "no reason", error_type=error.error_type)


def _read(rows: Sequence[_Holding], positions: Sequence[_Position], account: KiteAccount) -> LiveHoldings:
    lookup = Lookup(BrokerFormat.GENERIC, account.instruments, None)
    held: dict[Stock, Holding] = {}
    skipped: Counter[str] = Counter()
    remarks: list[str] = []
    for number, row in enumerate(rows, start=1):
        where = f"Holding {number} ({cut(plain_text(row.tradingsymbol), 30)})"
        try:
            if row.mtf.quantity:
                remarks.append(f"{where}: {plain(row.mtf.quantity)} bought on margin (MTF) are not counted.")
            if not row.held:
                skipped["nothing left of it"] += 1
                continue
            holding, remarked = lookup.holding(_position(row, account.instruments))
        except (BrokerFileError, StockError) as error:
            raise RefusedError(f"{where} of {account.name} at Kite cannot be taken: {error}") from error
        if holding.stock in held:
            raise RefusedError(f"Kite tells the holding {holding.stock} of {account.name} twice.")
        held[holding.stock] = holding
        remarks.extend(f"{where}: {remark}." for remark in remarked)
    remarks += _not_settled(positions, skipped)
    return LiveHoldings(
        broker=Broker.KITE,
        holdings=tuple(held.values()),
        skipped=dict(skipped),
        remarks=tuple(remarks),
        owner=account.credentials.owner,
    )


def _position(row: _Holding, instruments: Instruments) -> Position:
    """NSE lists some stocks in series, which Kite adds to the symbol: ABC-BE is ABC, if the ISIN says so too."""
    listed = instruments.by_isin.get(row.isin)
    base = re.sub(r"-[A-Z]{2}$", "", row.tradingsymbol) if row.exchange == "NSE" else row.tradingsymbol
    is_series = listed is not None and listed.symbol == base
    return Position(
        quantity=plain(row.held),
        price=plain(row.average_price),
        symbol=base if is_series else row.tradingsymbol,
        isin=row.isin,
        exchange=row.exchange,
    )


def _not_settled(positions: Sequence[_Position], skipped: Counter[str]) -> list[str]:
    remarks: list[str] = []
    for each in positions:
        if each.product != "CNC" and each.quantity:
            skipped["a position of the day, of margin or of derivatives"] += 1
        elif each.quantity > 0:
            symbol = cut(plain_text(each.tradingsymbol), 30)
            remarks.append(
                f"{symbol}: {plain(each.quantity)} bought today become a holding when they settle."
            )
    return remarks


def request_token(pasted: str) -> str:
    """The token in the address that the login ended at, or the token itself.

    Raises:
        RefusedError: neither, or the address says that the login did not succeed.
    """
    text = pasted.strip()
    try:
        query = parse_qs(urlsplit(text).query, max_num_fields=20)
    except ValueError:  # no address at all
        query = {}
    found = query.get("request_token", [text])
    if len(found) == 1 and _TOKEN.fullmatch(found[0]) and query.get("status", ["success"]) == ["success"]:
        return found[0]
    raise RefusedError(
        "That holds no request_token; log in at the link, then paste the whole address that the browser ends at."
    )


async def exchange(
    credentials: KiteCredentials, token: str, clock: Callable[[], datetime], base_url: str = KITE_URL
) -> KiteCredentials:
    """The same app, logged in. A request token can be exchanged once, and within a few minutes.

    Raises:
        RefusedError: Kite does not accept the token or the secret.
        BrokerError: it cannot be reached, or answers something else.
    """
    assert credentials.api_secret is not None
    checksum = hashlib.sha256(f"{credentials.api_key}{token}{credentials.api_secret}".encode()).hexdigest()
    form = {"api_key": credentials.api_key, "request_token": token, "checksum": checksum}
    started_at = clock()
    async with open_client(base_url, LOGGING_IN) as client:
        answer = await _post(client, f"{base_url}{_SESSION}", form)
    if not answer.is_success:
        said = what_kite_says(answer.content, credentials, token, checksum)
        raise RefusedError(
            f"Kite did not accept the login ({answer.status_code} {said.message}); log in again for a new "
            "request_token, with --anew if the API secret has changed."
        )
    try:
        session = _LoggedIn.model_validate_json(answer.content, strict=True).data
    except ValidationError:
        raise BrokerError("Kite's answer to the login has another shape; log in again later.") from None
    return credentials.model_copy(
        update={
            "access_token": session.access_token,
            "expires_at": kite_expiry(started_at),
            "owner": account_suffix(session.user_id),
        }
    )


async def _post(client: httpx.AsyncClient, url: str, form: Mapping[str, str]) -> httpx.Response:
    try:
        return await client.post(url, data=form, headers={"X-Kite-Version": "3"})
    except httpx.RequestError as error:
        raise BrokerError(
            f"Kite cannot be reached ({type(error).__name__}); check the connection, then log in again."
        ) from error
