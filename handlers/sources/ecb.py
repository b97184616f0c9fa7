"""The euro's reference rates of the European Central Bank: once a day of its calendar, public, without a key.

`GET /stats/eurofxref/eurofxref-daily.xml` answers `<Cube time="2024-08-01"><Cube currency="USD" rate="1.0789"/>…`,
each rate being how much of the currency one euro buys; https://www.ecb.europa.eu/stats/policy_and_exchange_rates.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import partial
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from handlers.sources.base import BadDataError, SourceError
from handlers.sources.http import Host
from handlers.sources.opening import new_client
from handlers.sources.pace import Pace

ECB_URL = "https://www.ecb.europa.eu"
_DAILY = "/stats/eurofxref/eurofxref-daily.xml"
_SUBJECT = "the reference rates"
_CURRENCY = re.compile(r"[A-Z]{3}")
# The rupiah, the largest, is at 18,000.
_LARGEST = Decimal(10_000_000)


@dataclass(frozen=True, slots=True)
class DayOfRates:
    """What one euro bought on `day`, by ISO 4217 code."""

    day: date
    per_euro: Mapping[str, Decimal]


@asynccontextmanager
async def open_ecb(
    requests_per_second: float, url: str = ECB_URL
) -> AsyncGenerator[Callable[[], Awaitable[DayOfRates]]]:
    """What asks the bank for its `newest_rates`, for as long as the context is open."""
    async with await new_client() as client:
        yield partial(newest_rates, Host("The ECB", url, client, Pace(requests_per_second)))


async def newest_rates(host: Host) -> DayOfRates:
    """The last day that was published.

    Raises:
        SourceError: the bank gives no answer, or one that is not in the documented shape, or of a day to come.
    """
    answer = await host.get(_DAILY, _SUBJECT)
    if not answer.is_success:
        raise SourceError(f"{host.name} answered {answer.status} for {_SUBJECT}.")
    try:
        found = _read(fromstring(answer.body, forbid_dtd=True))
    except (ParseError, DefusedXmlException, ValueError, LookupError, InvalidOperation) as error:
        raise BadDataError(f"{host.name}'s answer for {_SUBJECT} cannot be read: {error}.") from error
    if found.day > host.now().date():
        raise BadDataError(f"{host.name}'s answer for {_SUBJECT} is of {found.day}, which is to come.")
    return found


def _read(root: Element) -> DayOfRates:
    days = [element for element in root.iter() if element.get("time")]
    if len(days) != 1:
        raise ValueError(f"it has {len(days)} days")
    per_euro = dict(map(_rate, days[0]))
    if not per_euro:
        raise ValueError("it has no rates")
    return DayOfRates(date.fromisoformat(days[0].attrib["time"]), per_euro)


def _rate(element: Element) -> tuple[str, Decimal]:
    currency, text = element.get("currency", ""), element.get("rate", "")
    rate = Decimal(text)
    if not _CURRENCY.fullmatch(currency) or not 0 < rate < _LARGEST:  # false of NaN, too
        raise ValueError(f"{currency[:10]!r} cannot be at {text[:20]!r}")
    return currency, rate
