"""Which stock an ISIN or a ticker means, by lists that are bundled and lists that the user adds."""

from handlers.instruments.companies import Listing, search_lists
from handlers.instruments.isin import require_isin
from handlers.instruments.lists import Instruments, InstrumentsError, bundled, load_instruments

__all__ = [
    "Instruments",
    "InstrumentsError",
    "Listing",
    "bundled",
    "load_instruments",
    "require_isin",
    "search_lists",
]
