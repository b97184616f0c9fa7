"""Which stock a person means by a company's name: by the lists, and only where they have nothing by Yahoo's search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import anyio
import anyio.to_thread

from handlers.instruments import Listing, load_instruments, search_lists
from handlers.sources.base import SourceBusyError, SourceError
from handlers.sources.pace import Pace

# Somebody waits for the answer.
PATIENCE_SECONDS = 6.0


class FindError(Exception):
    """No list has it, and nobody else could be asked; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """The likeliest first; `by` is who knew them, or was asked in vain."""

    listings: Sequence[Listing]
    by: str


@dataclass(slots=True)
class Finder:
    """One per process: its requests keep Yahoo's pace together, and leave Yahoo alone where that is asked for.

    In the folder `instruments` are the user's own lists. Without a `yahoo_url` only the lists are searched.
    """

    instruments: Path
    cache: Path
    yahoo_url: str | None
    pace: Pace
    patience_seconds: float = PATIENCE_SECONDS
    monotonic: Callable[[], float] = anyio.current_time
    _rests_until: float = field(default=0.0, init=False)

    async def find(self, query: str) -> Found:
        """Every stock that may be meant.

        Raises:
            InstrumentsError: one of the user's lists cannot be read.
            FindError: no list has it, and Yahoo is not to be asked, or gives no answer within seconds.
        """
        lists = await anyio.to_thread.run_sync(load_instruments, self.instruments)
        listed = await anyio.to_thread.run_sync(search_lists, query, lists)
        if listed:
            return Found(listed, "the desk's lists")
        nothing = f"No list of the desk has {query[:40]!r}"
        if self.yahoo_url is None:
            raise FindError(
                f"{nothing}, and without yahoo among STOCKDESK_PRICE_SOURCES nobody else is asked; "
                "write the symbol with its exchange, like NSE:INFY."
            )
        if (left := self._rests_until - self.monotonic()) > 0:
            raise FindError(
                f"{nothing}, and Yahoo wants to be left alone for another {left:.0f} s; ask again then."
            )
        try:
            with anyio.fail_after(self.patience_seconds):
                return Found(await self._ask_yahoo(query, self.yahoo_url), "Yahoo")
        except TimeoutError:
            raise FindError(
                f"{nothing}, and Yahoo gave no answer within {self.patience_seconds:g} s; ask again later."
            ) from None
        except SourceError as error:
            if isinstance(error, SourceBusyError) and error.retry_after is not None:
                self._rests_until = self.monotonic() + error.retry_after.total_seconds()
            raise FindError(
                f"{nothing}. {error} Ask again later, or write the symbol with its exchange, like NSE:INFY."
            ) from error

    async def _ask_yahoo(self, query: str, url: str) -> list[Listing]:
        await anyio.to_thread.run_sync(import_module, "handlers.sources.search")
        from handlers.sources.cache import Cache  # noqa: PLC0415
        from handlers.sources.http import Host  # noqa: PLC0415
        from handlers.sources.opening import new_client  # noqa: PLC0415
        from handlers.sources.search import search_yahoo  # noqa: PLC0415 (it imports HTTP, which no start should pay)

        async with await new_client() as client:
            host = Host("Yahoo", url, client, self.pace, cache=Cache(self.cache))
            return list(await search_yahoo(host, query))
