"""Asking a broker: a client that can send a few requests and no others, and the ways in which it can fail.

BrokerError              the broker's answer is of no use
├── LoginNeededError     it wants the person to log in, or other keys
└── RefusedError         it said no, or holds what the desk cannot
"""

from collections.abc import AsyncGenerator, Container, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import anyio.to_thread
import httpx

from handlers.brokers.holding import Holding
from handlers.brokers.live.credentials import Broker

TIMEOUT = httpx.Timeout(10, connect=5)


class BrokerError(Exception):
    """The broker gave no holdings; the message is one sentence with the next step, and holds no secret."""


class LoginNeededError(BrokerError):
    """A person has to log in; until then there is no use in asking again."""


class RefusedError(BrokerError):
    """The answer is no, or says what cannot be held; asking again will not help."""


class ForbiddenRequestError(RuntimeError):
    """A request that may not be sent was about to be. It was not."""


class Route(NamedTuple):
    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveHoldings:
    """What the account holds now: complete, or there is none of this.

    `owner` is the end of the user's id, where it is known. `skipped` counts what is no holding, by reason;
    `remarks` says what else is there.
    """

    broker: Broker
    holdings: tuple[Holding, ...]
    skipped: Mapping[str, int]
    remarks: tuple[str, ...] = ()
    owner: str | None = None


@asynccontextmanager
async def open_client(base_url: str, routes: Container[Route]) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of these routes under `base_url`: every other request raises before anything is sent.

    There is no route of orders in any set of this package, so no code can reach one, nor can a redirect.

    Raises:
        BrokerError: the certificates cannot be read.
    """
    base = httpx.URL(base_url)

    async def guard(request: httpx.Request) -> None:
        same_host = (request.url.scheme, request.url.netloc) == (base.scheme, base.netloc)
        if not same_host or Route(request.method, request.url.path) not in routes:
            raise ForbiddenRequestError(
                f"{request.method} {request.url.copy_with(query=None)} is none of the requests that may be sent."
            )

    try:
        # In a thread: reading the certificates takes a while.
        client = await anyio.to_thread.run_sync(
            lambda: httpx.AsyncClient(
                timeout=TIMEOUT, headers={"User-Agent": "Stockdesk"}, event_hooks={"request": [guard]}
            )
        )
    except OSError as error:
        raise BrokerError(
            f"The certificates for HTTPS cannot be read ({error}); correct or unset SSL_CERT_FILE."
        ) from error
    async with client:
        yield client
