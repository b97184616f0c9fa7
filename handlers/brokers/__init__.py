"""What a broker's export file says is held."""

from handlers.brokers.holding import BrokerFileError, BrokerFormat, Holding, HoldingsFile
from handlers.brokers.reader import read_holdings
from handlers.brokers.text import MAX_FILE_BYTES, read_text

__all__ = [
    "MAX_FILE_BYTES",
    "BrokerFileError",
    "BrokerFormat",
    "Holding",
    "HoldingsFile",
    "read_holdings",
    "read_text",
]
