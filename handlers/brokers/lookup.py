"""Which stock a position is: by what its row states, and by the lists of instruments where that is not enough."""

import re
from dataclasses import dataclass, replace

from handlers.brokers.holding import BrokerFileError, BrokerFormat, Holding, Position
from handlers.instruments import Instruments, require_isin
from handlers.stocks import Exchange, Stock, parse_exchange, parse_stock

_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Lookup:
    """`default` is the exchange of what neither the file nor a list gives one."""

    broker: BrokerFormat
    instruments: Instruments
    default: Exchange | None

    def holding(self, position: Position) -> tuple[Holding, list[str]]:
        """The holding, and what was not taken as it stands.

        Raises:
            BrokerFileError, StockError: the row does not name one stock beyond doubt.
        """
        isin = _isin(position.isin)
        stated = self._stock(position, isin)
        stock, remarks = stated, [position.remark] if position.remark else []
        if renaming := self.instruments.renaming(stated, isin):
            stock = Stock(renaming.symbol, stated.exchange)
            remarks.append(f"{stated} is {stock} since {renaming.since}")
        holding = Holding(
            stock=stock,
            quantity=position.quantity,
            average_price=position.price,
            currency=_currency(stock, position.currency.upper(), position.sign),
            name=position.name or None,
            sector=position.sector or None,
            isin=isin,
        )
        return holding, remarks

    def _stock(self, position: Position, isin: str | None) -> Stock:
        match self.broker:
            case BrokerFormat.GROWW:
                return self._by_isin(position, isin)
            case BrokerFormat.KITE:
                return _stated(position, Exchange.NSE)
            case BrokerFormat.CONSOLE:
                listed = self.instruments.by_isin.get(isin or "")
                same = listed is not None and listed.symbol == position.symbol.upper()
                return listed if listed and same else _stated(position, Exchange.NSE)
            case BrokerFormat.SCHWAB | BrokerFormat.FIDELITY:
                return self._by_ticker(position)
            case BrokerFormat.IBKR:
                return _stated(_dotted(position), None) if position.exchange else self._by_ticker(position)
            case BrokerFormat.GENERIC:
                by_isin = isin is not None and not position.symbol
                return self._by_isin(position, isin) if by_isin else _stated(position, self.default)

    def _by_isin(self, position: Position, isin: str | None) -> Stock:
        """Never by the company's name: many have nearly the same."""
        if isin is None:
            raise BrokerFileError(f"the ISIN of {position.name[:60] or 'the stock'} is blank.")
        if isin not in self.instruments.by_isin:
            raise BrokerFileError(
                f"no list has the ISIN {isin} ({position.name[:60] or 'no name'}); put NSE's current EQUITY_L.csv "
                "into the folder instruments of Stockdesk's home, or an instruments.csv with its isin, symbol and "
                "exchange."
            )
        return self.instruments.by_isin[isin]

    def _by_ticker(self, position: Position) -> Stock:
        if stock := self.instruments.of_ticker(position.symbol):
            return stock
        if self.default is None:
            raise BrokerFileError(
                f"the list of US stocks lacks {position.symbol[:40]!r} ({position.name[:60]}), as it lacks most "
                "funds; pass exchange (ARCA, NASDAQ …) for all such, or add it to the instruments.csv in the folder "
                "instruments of Stockdesk's home."
            )
        return _stated(_dotted(position), self.default)


def _dotted(position: Position) -> Position:
    """With a dot before the class of its shares, which is BRK/B at Schwab and BRK B at IBKR."""
    return replace(position, symbol=re.sub(r"[ /](?=[A-Z]{1,3}$)", ".", position.symbol))


def _stated(position: Position, default: Exchange | None) -> Stock:
    """The symbol, on its own exchange, that of its column, or the default one."""
    if not position.symbol:
        raise BrokerFileError("the symbol is blank.")
    column = parse_exchange(position.exchange) if position.exchange else None
    stock = parse_stock(position.symbol, column or default)
    if column is not None and stock.exchange is not column:
        raise BrokerFileError(f"the symbol says {stock}, the exchange column {column}; correct one of them.")
    return stock


def _isin(text: str) -> str | None:
    try:
        return require_isin(text) if text else None
    except ValueError as error:
        raise BrokerFileError(f"{error}; correct it.") from error


def _currency(stock: Stock, stated: str, sign: str | None) -> str:
    """The stated currency, else the exchange's. A sign at the price that contradicts it is an error."""
    if stated and not _CURRENCY.fullmatch(stated):
        raise BrokerFileError(f"the currency {stated[:20]!r} is not a code like INR or USD.")
    currency = stated or stock.exchange.currency
    # "$" also marks the dollars of other countries, so it contradicts rupees only.
    if (sign == "INR") != (currency == "INR") and sign is not None:
        raise BrokerFileError(
            f"the average price is marked as {sign}, but the currency of {stock} is {currency}."
        )
    return currency
