"""Any portfolio, written as each broker writes it, is read back exactly; a damaged file never says something else."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.brokers.holding import BrokerFileError, BrokerFormat, HoldingsFile
from handlers.brokers.reader import read_holdings
from handlers.instruments import bundled
from handlers.stocks import Exchange, Stock

Held: TypeAlias = Mapping[tuple[str, Stock], tuple[Decimal, Decimal]]
"""Quantity and average price by account and stock."""

ISINS = {stock: isin for isin, stock in bundled().by_isin.items()}
INDIAN = st.sampled_from(sorted(ISINS)[::60])
# Those with classes of shares are the hard ones.
AMERICAN = st.sampled_from(sorted(stock for ticker, stock in bundled().tickers.items() if "." in ticker)[::9])
QUANTITIES = st.decimals("0.000001", "9999999", places=6)
PRICES = st.decimals("0", "999999", places=2)
TWO = st.sampled_from(["U1234567", "U7654321"])


def portfolios(accounts: st.SearchStrategy[str], stocks: st.SearchStrategy[Stock]) -> st.SearchStrategy[Held]:
    keys, amounts = st.tuples(accounts, stocks), st.tuples(QUANTITIES, PRICES)
    return st.dictionaries(keys, amounts, min_size=1, max_size=6)


def table(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def kite(held: Held) -> str:
    head = [
        "Instrument",
        "Qty.",
        "Avg. cost",
        "LTP",
        "Invested",
        "Cur. val",
        "P&L",
        "Net chg.",
        "Day chg.",
        "",
    ]
    rows = [[stock.symbol, f"{n:,}", p, 1, 1, 1, -1, 1, 1, ""] for (_, stock), (n, p) in held.items()]
    return table([head, *rows])


def console(held: Held) -> str:
    head = "Symbol,ISIN,Sector,Quantity Available,Quantity Discrepant,Quantity Long Term,Quantity Pledged (Margin)"
    more = "Quantity Pledged (Loan),Average Price,Previous Closing Price,Unrealized P&L,Unrealized P&L Pct."
    rows = [
        ["", stock.symbol, ISINS[stock], "IT", 0, 0, 0, n, 0, p, 1, -1, 1]
        for (_, stock), (n, p) in held.items()
    ]
    return table([["", "Client ID", "AB1234"], [], ["", *head.split(","), *more.split(",")], *rows])


def groww(held: Held) -> str:
    head = "Stock Name,ISIN,Quantity,Average buy price,Buy value,Closing price,Closing value,Unrealised P&L"
    rows = [["A, B & Co", ISINS[stock], n, p, 1, 1, 1, -1] for (_, stock), (n, p) in held.items()]
    return table([["Name", "A Person"], [], head.split(","), *rows])


def schwab(held: Held) -> str:
    head = ["Symbol", "Description", "Qty (Quantity)", "Mkt Val (Market Value)", "Cost Basis", "Asset Type"]
    rows: list[Sequence[object]] = [["Positions for All-Accounts as of 09:00 AM ET, 2026/11/20"]]
    for account in sorted({account for account, _ in held}):
        rows += [[f"Individual ...{account[-3:]}"], head]
        rows += [
            [stock.symbol.replace(".", "/"), "X", f"{n:,}", "$1.00", f"${n * p:,f}", "Equity"]
            for (owner, stock), (n, p) in held.items()
            if owner == account
        ]
        rows += [["Account Total", "", "--", "$1.00", "--", "--"]]
    return table(rows)


def fidelity(held: Held) -> str:
    head = "Account Number,Account Name,Symbol,Description,Quantity,Current Value,Average Cost Basis,Type"
    rows = [
        [account, "IRA", stock.symbol, "X", n, "$1.00", f"${p:,}", "Cash"]
        for (account, stock), (n, p) in held.items()
    ]
    return table([head.split(","), *rows, [], ["Date downloaded 11/20/2026"]])


def flex(held: Held) -> str:
    positions = "".join(
        f'<OpenPosition accountId="{account}" currency="USD" assetCategory="STK" listingExchange="{stock.exchange}" '
        f'symbol={quoteattr(stock.symbol.replace(".", " "))} position="{n}" costBasisPrice="{p}" '
        'levelOfDetail="SUMMARY" />'
        for (account, stock), (n, p) in held.items()
    )
    return f"<FlexQueryResponse><FlexStatements>{positions}</FlexStatements></FlexQueryResponse>"


FORMATS = pytest.mark.parametrize(
    ("broker", "write", "portfolio"),
    [
        (BrokerFormat.KITE, kite, portfolios(st.just(""), INDIAN)),
        (BrokerFormat.CONSOLE, console, portfolios(st.just(""), INDIAN)),
        (BrokerFormat.GROWW, groww, portfolios(st.just(""), INDIAN)),
        (BrokerFormat.SCHWAB, schwab, portfolios(TWO, AMERICAN)),
        (BrokerFormat.FIDELITY, fidelity, portfolios(TWO, AMERICAN)),
        (BrokerFormat.IBKR, flex, portfolios(TWO, AMERICAN)),
    ],
)


def as_held(file: HoldingsFile) -> dict[tuple[str, Stock], tuple[Decimal, Decimal]]:
    return {
        (account, each.stock): (each.quantity, each.average_price)
        for account, holdings in file.accounts.items()
        for each in holdings
    }


def suffixed(broker: BrokerFormat, held: Held) -> Held:
    end = -3 if broker is BrokerFormat.SCHWAB else -4
    return {(account[end:], stock): amounts for (account, stock), amounts in held.items()}


@FORMATS
@given(data=st.data())
def test_what_a_broker_writes_is_what_is_read(
    broker: BrokerFormat,
    write: Callable[[Held], str],
    portfolio: st.SearchStrategy[Held],
    data: st.DataObject,
) -> None:
    held = data.draw(portfolio)
    file = read_holdings(write(held), Exchange.NSE)
    assert (file.format, as_held(file)) == (broker, suffixed(broker, held))


def damaged(text: str, data: st.DataObject) -> str:
    """Cut off anywhere, or without one of its cells, or with one of its rows twice."""
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    row = data.draw(st.integers(0, len(rows) - 1))
    match data.draw(st.sampled_from(["cut", "cell", "row"])):
        case "cut":
            return text[: data.draw(st.integers(0, len(text) - 1))]
        case "cell":
            del rows[row][data.draw(st.integers(0, len(rows[row]) - 1))]
        case _:
            rows.insert(row, rows[row])
    return table(rows)


@FORMATS
@given(data=st.data())
def test_a_damaged_file_is_refused_or_says_nothing_that_the_whole_one_does_not(
    broker: BrokerFormat,
    write: Callable[[Held], str],
    portfolio: st.SearchStrategy[Held],
    data: st.DataObject,
) -> None:
    held = data.draw(portfolio)
    try:
        file = read_holdings(damaged(write(held), data), Exchange.NSE)
    except BrokerFileError:
        return
    assert as_held(file).items() <= suffixed(broker, held).items()
