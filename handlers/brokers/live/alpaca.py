"""Alpaca's Trading API 2: `GET /v2/positions`, a list in which numbers are strings.

Source: docs.alpaca.markets, "Get All Open Positions".
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, Field, RootModel

from handlers.brokers.holding import Holding
from handlers.brokers.live.asking import LiveHoldings, LoginNeededError, RefusedError, Route, open_client
from handlers.brokers.live.credentials import ALPACA_LIVE, AlpacaCredentials, Broker
from handlers.brokers.numbers import plain
from handlers.plain_text import cut, plain_text
from handlers.sources.http import Host, parse
from handlers.sources.pace import Pace
from handlers.stocks import Exchange, Stock, StockError, parse_stock

ALPACA_PAPER = "https://paper-api.alpaca.markets"
_POSITIONS = "/v2/positions"
READING = frozenset({Route("GET", _POSITIONS)})
_PER_SECOND = 200 / 60
_MAX_BODY = 4 * 2**20  # a position takes 700 bytes
_EXCHANGES = {
    "NYSE": Exchange.NYSE,
    "NASDAQ": Exchange.NASDAQ,
    "AMEX": Exchange.AMEX,
    "ARCA": Exchange.ARCA,
    "NYSEARCA": Exchange.ARCA,
    "BATS": Exchange.BATS,
}
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class _Position(BaseModel):
    symbol: str
    exchange: str = ""
    asset_class: str
    side: str
    qty: Annotated[Decimal, Field(gt=-(10**15), lt=10**15)]
    avg_entry_price: Annotated[Decimal, Field(ge=0, lt=10**15)]


class _Positions(RootModel[list[_Position]]):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AlpacaAccount:
    """`name` is the account in the desk. `base_url` replaces the address that the kind of account demands."""

    name: str
    credentials: AlpacaCredentials
    base_url: str | None = None

    @property
    def kind(self) -> str:
        return "live" if self.credentials.live else "paper"


async def alpaca_holdings(account: AlpacaAccount) -> LiveHoldings:
    """The stocks of the account; options, crypto currencies and stocks of other exchanges (OTC) are skipped.

    The remarks name those of other exchanges: the desk could not tell where their prices come from.

    Raises:
        LoginNeededError: Alpaca does not know the keys.
        RefusedError: it refuses, or a position is short or does not name a stock.
        SourceBusyError, BadDataError: as every host.
    """
    keys = account.credentials
    headers = {"APCA-API-KEY-ID": keys.key_id, "APCA-API-SECRET-KEY": keys.secret_key}
    base_url = account.base_url or (ALPACA_LIVE if keys.live else ALPACA_PAPER)
    async with open_client(base_url, READING) as client:
        host = Host("Alpaca", base_url, client, Pace(_PER_SECOND), headers=headers, max_body=_MAX_BODY)
        answer = await host.get(_POSITIONS, account.name)
        if answer.status in _REFUSED:
            raise LoginNeededError(
                f"Alpaca does not accept the keys of {account.name} for a {account.kind} account: run `stockdesk login "
                f"alpaca --account {account.name!r}` with the keys of the right account (--live if it is no paper one)."
            )
        if not answer.is_success:
            raise RefusedError(f"Alpaca refused to tell the positions of {account.name} ({answer.status}).")
        return _read(parse(_Positions, answer, host, account.name).root, account)


def _read(rows: Sequence[_Position], account: AlpacaAccount) -> LiveHoldings:
    held: dict[Stock, Holding] = {}
    skipped: Counter[str] = Counter()
    remarks: list[str] = []
    for number, row in enumerate(rows, start=1):
        where = f"Position {number} ({cut(plain_text(row.symbol), 30)}) of {account.name} at Alpaca"
        if row.asset_class != "us_equity":
            skipped[f"asset class {cut(plain_text(row.asset_class), 30)}"] += 1
        elif (exchange := _EXCHANGES.get(row.exchange)) is None:
            skipped["another exchange"] += 1
            remarks.append(f"{where}: it is listed on {row.exchange[:20]!r}, which the desk does not know.")
        else:
            holding = _holding(row, exchange, where)
            if holding.stock in held:
                raise RefusedError(f"{where} is the second one of {holding.stock}.")
            held[holding.stock] = holding
    return LiveHoldings(
        broker=Broker.ALPACA, holdings=tuple(held.values()), skipped=dict(skipped), remarks=tuple(remarks)
    )


def _holding(row: _Position, exchange: Exchange, where: str) -> Holding:
    if row.side != "long" or row.qty <= 0:
        raise RefusedError(
            f"{where} is short or empty ({row.side[:10]} {row.qty}); only shares that are held can be taken."
        )
    try:
        stock = parse_stock(row.symbol, exchange)
    except StockError as error:
        raise RefusedError(f"{where} cannot be taken: {error}") from error
    return Holding(
        stock=stock,
        quantity=plain(row.qty),
        average_price=plain(row.avg_entry_price),
        currency=exchange.currency,
    )
