"""What a stock is compared with: the broad market of its currency, as a fund that can be bought."""

from collections.abc import Mapping

from handlers.stocks import Exchange, Stock

# Funds rather than indices: their adjusted prices are total returns, and any source of stocks has them.
BENCHMARKS: Mapping[str, Stock] = {
    "INR": Stock("NIFTYBEES", Exchange.NSE),  # Nippon India ETF Nifty 50 BeES
    "USD": Stock("SPY", Exchange.ARCA),  # SPDR S&P 500 ETF Trust
}


def benchmark_of(stock: Stock) -> Stock:
    return BENCHMARKS[stock.exchange.currency]
