"""What an export says is held, and what it must not say."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.brokers.holding import BrokerFileError, BrokerFormat, Holding
from handlers.brokers.reader import read_holdings
from handlers.sources.sample import sample_holdings, sample_stocks
from handlers.stocks import Exchange, Stock

KITE = (
    '"Instrument","Qty.","Avg. cost","LTP","Invested","Cur. val","P&L","Net chg.","Day chg.",""\n'
    '"INFY","10","1,412.50","1500","14125","15000","875","6.19","0.3",""\n'
    '"M&M","4","1200","1300","4800","5200","400","8.33","-1.2",""\n'
    '"BAJAJ-AUTO","0","0","4000","0","0","0","0","0",""\n'
)
OLD_KITE = (
    '"Instrument","Qty.","Avg. cost","LTP","Cur. val","P&L","Net chg.","Day chg."\n'
    '"TCS","3","3100.25","3","1","1","1","1"\n'
)
GENERIC = (
    "Symbol,Exchange,Quantity,Average Price,Currency,Name,Sector\n"
    "BRK.B,NYSE,2.5,310.1,USD,Berkshire,Financials\n"
)


def holding(
    symbol: str,
    exchange: Exchange,
    quantity: str,
    price: str,
    *,
    name: str | None = None,
    sector: str | None = None,
) -> Holding:
    return Holding(
        stock=Stock(symbol, exchange),
        quantity=Decimal(quantity),
        average_price=Decimal(price),
        currency=exchange.currency,
        name=name,
        sector=sector,
    )


def test_a_kite_file_means_nse_in_rupees_whatever_the_default_exchange() -> None:
    file = read_holdings(KITE, Exchange.NYSE)
    assert file.format is BrokerFormat.KITE
    assert file.holdings == (
        holding("INFY", Exchange.NSE, "10", "1412.5"),
        holding("M&M", Exchange.NSE, "4", "1200"),
    )
    assert file.skipped == {"quantity 0": 1}


def test_the_older_kite_header_is_known_too() -> None:
    file = read_holdings(OLD_KITE, None)
    assert file.format is BrokerFormat.KITE
    assert file.holdings == (holding("TCS", Exchange.NSE, "3", "3100.25"),)


def test_a_generic_file_states_everything_itself() -> None:
    file = read_holdings(GENERIC, None)
    assert file.format is BrokerFormat.GENERIC
    assert file.holdings == (
        holding("BRK.B", Exchange.NYSE, "2.5", "310.1", name="Berkshire", sector="Financials"),
    )


@pytest.mark.parametrize(
    "header",
    [
        "ticker,shares,average cost",
        "Trading Symbol, QTY ,Avg. Buy Price (INR)",
        "\ufeffINSTRUMENT,No. of Shares,Cost Per Share",
        "\n\nscrip\tUnits\tPurchase price",
    ],
)
def test_columns_are_found_by_what_brokers_call_them(header: str) -> None:
    separator = "\t" if "\t" in header else ","
    file = read_holdings(f"{header}\r\n" + separator.join(["infy", "5", "1500"]) + "\r\n\r\n", Exchange.BSE)
    assert file.holdings == (holding("INFY", Exchange.BSE, "5", "1500"),)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1,234.50", "1234.5"),
        ("12,34,567", "1234567"),
        ("₹ 1,500", "1500"),
        ("Rs. 99.9", "99.9"),
        ("100", "100"),
        (".5", "0.5"),
        ("7.", "7"),
    ],
)
def test_prices_are_read_exactly_as_people_write_them(written: str, meant: str) -> None:
    file = read_holdings(f'symbol,quantity,average price\nINFY,1,"{written}"\n', Exchange.NSE)
    assert str(file.holdings[0].average_price) == meant


@pytest.mark.parametrize(
    "written", ["1.234,5", "1e5", "(5)", "12,3", "1,2345", "nan", "inf", "--5", "₹", "1 2", "0x10", "٣"]
)
def test_what_could_be_read_in_two_ways_is_no_number(written: str) -> None:
    with pytest.raises(BrokerFileError, match=r"^Row 2: the quantity .*is not a number|two minus"):
        read_holdings(f'symbol,quantity,average price\nINFY,"{written}",5\n', Exchange.NSE)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("INFY,-5,100", "Row 3: the quantity is negative (-5); short positions cannot be held here."),
        ("INFY,,100", "Row 3: the quantity is blank."),
        ("INFY,5,", "Row 3: the average price is blank."),
        ("INFY,5,n/a", "Row 3: the average price 'n/a' is not a number; write it like 1234.5."),
        ("INFY,5,-1", "Row 3: the average price is negative (-1)"),
        (",5,100", "Row 3: the symbol is blank."),
        ("IN FY,5,100", "Row 3: 'IN FY' is not a stock symbol"),
        ("LSE:VOD,5,100", "Row 3: Exchange 'LSE' is not known; use one of NSE"),
        ("INFY,1,200,1500", "Row 3: it has 4 cells, the header 3; quote numbers that contain commas."),
        ("INFY,5", "Row 3: it has 2 cells, the header 3"),
        ("INFY,5,$100", "Row 3: the average price is marked as USD, but the currency of NSE:INFY is INR."),
        (
            "TCS,5,100",
            "Row 3: NSE:TCS already stands in row 2; merge the two rows, or sync them as two accounts.",
        ),
        ('INFY,5,"100', "Row 3 is not CSV: unexpected end of data."),
    ],
)
def test_a_bad_row_is_named_with_its_reason(row: str, reason: str) -> None:
    with pytest.raises(BrokerFileError) as caught:
        read_holdings(f"symbol,quantity,average price\nTCS,1,3000\n{row}", Exchange.NSE)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The file is empty"),
        ("\n \n", "The file is empty"),
        ("symbol,quantity,average price\n", "The file holds no holdings; rows that were skipped: none."),
        (
            "symbol,quantity,average price\nTCS,0,\n",
            "The file holds no holdings; rows that were skipped: quantity 0: 1.",
        ),
        ("symbol,price\nTCS,1\n", "Row 1 is not a header with a column for quantity and average price"),
        ("symbol;quantity;average price\nTCS;1;2\n", "Row 1 is not a header with a column for symbol"),
        (
            "symbol,ticker,quantity,average price\nA,B,1,1\n",
            "Row 1: the columns 1 ('symbol') and 2 ('ticker') could both",
        ),
        (
            "symbol,quantity,average price,currency\nNSE:TCS,1,1,rupees\n",
            "Row 2: the currency 'RUPEES' is not a code",
        ),
        (
            "symbol,quantity,average price,exchange\nNSE:TCS,1,1,BSE\n",
            "Row 2: the symbol says NSE:TCS, the exchange",
        ),
        (
            "symbol,quantity,average price,sector\nNSE:TCS,1,200,1500\n",
            "Row 2: the sector is a number (1500)",
        ),
        (
            "symbol,quantity,average price\nTCS,1,1\n",
            "Row 2: The exchange of TCS is not known; write NSE:TCS or",
        ),
    ],
)
def test_a_file_without_one_clear_meaning_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BrokerFileError) as caught:
        read_holdings(text, None)
    assert str(caught.value).startswith(reason)


def test_the_same_symbol_on_two_exchanges_is_two_stocks() -> None:
    file = read_holdings("symbol,quantity,average price\nNSE:INFY,1,1\nBSE:INFY,2,1\n", None)
    assert [str(each.stock) for each in file.holdings] == ["NSE:INFY", "BSE:INFY"]


def test_the_bundled_exports_hold_every_stock_of_the_sample() -> None:
    files = [read_holdings(file.read_text("utf-8"), None) for file in sample_holdings().values()]
    held = [each.stock for file in files for each in file.holdings]
    assert sorted(set(held)) == sample_stocks()
    assert len(held) == 21
    assert all(each.sector and each.name for file in files for each in file.holdings)


symbols = st.from_regex(r"\A[A-Z0-9][A-Z0-9&.\-_]{0,29}\Z")
amounts = st.decimals(min_value="0.0001", max_value="999999999", places=4)
cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@given(
    st.dictionaries(symbols, st.tuples(amounts, amounts, st.sampled_from(Exchange)), min_size=1, max_size=8)
)
def test_what_was_written_is_what_is_read(held: dict[str, tuple[Decimal, Decimal, Exchange]]) -> None:
    rows = [f'"{symbol}","{exchange}","{n:,}","{price}"' for symbol, (n, price, exchange) in held.items()]
    file = read_holdings("\n".join(["symbol,exchange,quantity,average price", *rows]), None)
    assert {
        each.stock.symbol: (each.quantity, each.average_price, each.stock.exchange) for each in file.holdings
    } == held


@given(
    st.one_of(
        st.text(), st.lists(st.lists(cells, max_size=5)).map(lambda rows: "\n".join(map(",".join, rows)))
    )
)
def test_junk_raises_nothing_but_a_broker_file_error(text: str) -> None:
    for content in (text, f"symbol,quantity,average price,sector\n{text}"):
        try:
            file = read_holdings(content, Exchange.NSE)
        except BrokerFileError as error:
            assert len(str(error)) < 1000  # noqa: PT017 (either end is right, an error must be short)
        else:
            assert file.holdings
