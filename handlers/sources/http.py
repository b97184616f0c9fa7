"""One host as the desk asks it: at its pace, within bounds of time and size, and left alone when it asks for that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar

import anyio
import httpx
from pydantic import BaseModel, ValidationError

from handlers.sources.base import BadDataError, SourceBusyError
from handlers.sources.cache import Cache, Kept
from handlers.sources.pace import Pace
from queues.clock import Clock, system_clock

# What a server asks for is honoured up to here; beyond, a wrong clock or header is more likely.
_LONGEST_PAUSE = timedelta(hours=6)
_BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
# Prices of two years are 120 kB, a feed of news 200 kB, all that Apple ever reported to the SEC 4 MB.
MAX_BODY = 32 * 2**20
# What is kept is a report of a quarter, or news; neither is worth much less after a week of outage.
_STALE_AT_MOST = timedelta(weeks=1)
# A client's timeouts are per read: without this, a body that drips a byte a second would hold a task for days.
_WHOLE_ANSWER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer. `fetched_at` is earlier than now where the cache had it.

    `conditions` are the headers that ask for it only if it has changed.
    """

    status: int
    body: bytes
    url: str
    fetched_at: datetime
    conditions: Mapping[str, str]

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 (the class of success)


class Host:
    """`name` is how errors call it. All sources of one host share this object, its pace and its rest.

    Once the host has asked to be left alone, nothing is sent until that time has passed, whoever asks for what.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        client: httpx.AsyncClient,
        pace: Pace,
        *,
        cache: Cache | None = None,
        headers: Mapping[str, str] | None = None,
        max_body: int = MAX_BODY,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = anyio.current_time,
    ) -> None:
        self.name = name
        self.base_url = base_url.rstrip("/")
        self._client = client
        self._pace = pace
        self._cache = cache
        self._headers = headers or {}
        self._max_body = max_body
        self._clock = clock
        self._monotonic = monotonic
        self._rests_until = 0.0

    def now(self) -> datetime:
        return self._clock()

    async def get(
        self,
        path: str,
        subject: str,
        query: Mapping[str, str | int] | None = None,
        keep: timedelta | None = None,
    ) -> Answer:
        """Ask for `path`, which is encoded already; `subject` is for whom, in errors.

        With `keep` a good answer goes into the cache: for so long it is given again unasked; after that the host
        says whether it has changed; and while the host is busy it is given for another week, with its `fetched_at`.

        Raises:
            SourceBusyError: the host cannot answer now, or is not asked because it wants to be left alone.
            BadDataError: the answer cannot be decoded, or is larger than an answer can be.
        """
        url = str(httpx.URL(self.base_url + path, params=query))
        if keep is None or self._cache is None:
            return await self._ask(url, subject, {})
        kept = await self._cache.read(url)
        if kept is not None and self._clock() - kept.fetched_at < keep:
            return _from_cache(kept, url)
        try:
            answer = await self._ask(url, subject, {} if kept is None else kept.conditions)
        except SourceBusyError:
            if kept is None or self._clock() - kept.fetched_at > keep + _STALE_AT_MOST:
                raise
            return _from_cache(kept, url)
        if answer.status == HTTPStatus.NOT_MODIFIED and kept is not None:
            answer = replace(answer, status=HTTPStatus.OK, body=kept.body, conditions=kept.conditions)
        if answer.status == HTTPStatus.OK:
            fresh = Kept(body=answer.body, fetched_at=answer.fetched_at, conditions=answer.conditions)
            await self._cache.write(url, fresh)
        return answer

    async def _ask(self, url: str, subject: str, conditions: Mapping[str, str]) -> Answer:
        self._require_awake(subject)
        await self._pace.turn()
        self._require_awake(subject)  # an answer may have come while this one waited for its turn
        try:
            with anyio.fail_after(_WHOLE_ANSWER.total_seconds()):
                response, body = await self._send(url, subject, {**self._headers, **conditions})
        except (httpx.TransportError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise SourceBusyError(f"{self.name} did not answer for {subject}: {reason}.") from error
        except httpx.RequestError as error:
            raise BadDataError(f"{self.name}'s answer for {subject} cannot be read: {error}.") from error
        self._require_not_busy(response, subject)
        return Answer(
            status=response.status_code,
            body=body,
            url=url,
            fetched_at=self._clock(),
            conditions=_conditions(response),
        )

    async def _send(self, url: str, subject: str, headers: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        body = bytearray()
        async with self._client.stream("GET", url, headers=headers) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._max_body:
                    raise BadDataError(
                        f"{self.name}'s answer for {subject} is larger than {self._max_body / 2**20:.0f} MB; "
                        "the rest was not read."
                    )
        return response, bytes(body)

    def _require_not_busy(self, response: httpx.Response, subject: str) -> None:
        if not (response.status_code in _BUSY or response.is_server_error):
            return
        pause = _retry_after(response)
        if pause is not None:
            self._rests_until = max(self._rests_until, self._monotonic() + pause.total_seconds())
        raise SourceBusyError(f"{self.name} answered {response.status_code} for {subject}.", pause)

    def _require_awake(self, subject: str) -> None:
        left = self._rests_until - self._monotonic()
        if left > 0:
            raise SourceBusyError(
                f"{self.name} was not asked for {subject}: it wants to be left alone for another {left:.0f} s.",
                timedelta(seconds=left),
            )


_Shape = TypeVar("_Shape", bound=BaseModel)


def parse(shape: type[_Shape], answer: Answer, host: Host, subject: str) -> _Shape:
    """The body as documented JSON.

    Raises:
        BadDataError: it is anything else, such as a page of HTML, or the beginning of an answer.
    """
    try:
        return shape.model_validate_json(answer.body, strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "body"
        raise BadDataError(
            f"{host.name}'s answer for {subject} has another shape: {place}: {problem['msg']}."
        ) from error


def _conditions(response: httpx.Response) -> Mapping[str, str]:
    """The headers that ask for this answer only if it has changed (RFC 9110, 13.1)."""
    names = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
    return {ask: response.headers[name] for name, ask in names.items() if name in response.headers}


def _from_cache(kept: Kept, url: str) -> Answer:
    return Answer(
        status=HTTPStatus.OK,
        body=kept.body,
        url=url,
        fetched_at=kept.fetched_at,
        conditions=kept.conditions,
    )


def _retry_after(response: httpx.Response) -> timedelta | None:
    """Seconds, or a date (RFC 9110, 10.2.3), which counts from the server's own `Date`."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), _LONGEST_PAUSE)
    try:
        pause = parsedate_to_datetime(value) - parsedate_to_datetime(response.headers.get("Date", ""))
    except (ValueError, TypeError):  # TypeError: one of them without a zone
        return None
    return min(max(pause, timedelta()), _LONGEST_PAUSE)
