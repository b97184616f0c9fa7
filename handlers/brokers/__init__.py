"""What a broker's export file says is held."""

from handlers.brokers.content import MAX_FILE_BYTES, read_file
from handlers.brokers.holding import BrokerFileError, BrokerFormat, Holding, HoldingsFile
from handlers.brokers.reader import Reading, read_export, read_holdings

__all__ = [
    "MAX_FILE_BYTES",
    "BrokerFileError",
    "BrokerFormat",
    "Holding",
    "HoldingsFile",
    "Reading",
    "read_export",
    "read_file",
    "read_holdings",
]
