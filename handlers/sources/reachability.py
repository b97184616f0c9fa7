"""Whether Yahoo answers from here, and what time it is there."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from handlers.sources.base import SourceError
from handlers.sources.opening import new_client
from handlers.sources.yahoo import chart_path


@dataclass(frozen=True, slots=True)
class Answer:
    """`trouble` is why no prices could be had, None if they could; `moment` the clock of whoever answered."""

    trouble: str | None
    moment: datetime | None


async def ask_yahoo(base_url: str, now: datetime) -> Answer:
    """Ask once for a week of one stock's prices; never raises for an answer or the lack of one."""
    start, end = (int(moment.timestamp()) for moment in (now - timedelta(days=7), now))
    try:
        async with await new_client() as client:
            query = {"period1": start, "period2": end, "interval": "1d"}
            response = await client.get(base_url.rstrip("/") + chart_path("KO"), params=query)
    except SourceError as error:
        return Answer(f"cannot be asked: {error}", None)
    except httpx.RequestError as error:
        return Answer(f"does not answer: {error or type(error).__name__}", None)
    trouble = None if response.is_success else f"answers {response.status_code} {response.reason_phrase}"
    return Answer(trouble, _date(response))


def _date(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return None
