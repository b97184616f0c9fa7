"""Each broker's export, in files made by hand with the columns that the broker documents."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from openpyxl import Workbook

from handlers.brokers.holding import BrokerFileError, BrokerFormat, HoldingsFile
from handlers.brokers.reader import Reading, read_export, read_holdings
from handlers.instruments import load_instruments
from handlers.stocks import Exchange

SAMPLES = Path(__file__).parent / "brokers"


def read(name: str) -> HoldingsFile:
    return read_export((SAMPLES / name).read_bytes(), Reading())


def held(file: HoldingsFile) -> list[tuple[str, str, str, str]]:
    return [
        (account, str(each.stock), str(each.quantity), str(each.average_price))
        for account, holdings in file.accounts.items()
        for each in holdings
    ]


CONSOLE = [
    ("", "NSE:ETERNAL", "100", "121.55"),
    ("", "NSE:INFY", "60", "1412.333333"),
    ("", "NSE:M&M", "4", "1200"),
    ("", "NSE:NIFTYBEES", "250", "210.25"),
]


def test_console_counts_pledged_shares_and_says_which_it_does_not_count() -> None:
    file = read("console.csv")
    assert (file.format, held(file)) == (BrokerFormat.CONSOLE, CONSOLE)
    assert file.skipped == {"only discrepant shares": 1}
    assert file.remarks == (
        "Row 9, NSE:ETERNAL: NSE:ZOMATO is NSE:ETERNAL since 2025-04-09.",
        "Row 10, NSE:INFY: 5 discrepant shares are not counted.",
    )
    assert (file.holdings[1].isin, file.holdings[1].sector) == ("INE009A01021", "IT")


def test_groww_has_no_tickers_so_the_isin_tells_the_stock_and_the_name_is_kept() -> None:
    file = read("groww.csv")
    assert (file.format, file.skipped) == (BrokerFormat.GROWW, {"quantity 0": 1})
    assert held(file) == [("", "NSE:ETERNAL", "50", "121.5"), ("", "NSE:BAJAJ-AUTO", "2", "7870.25")]
    assert file.holdings[1].name == "BAJAJ AUTO LTD, PUNE"


def test_schwab_has_a_section_for_each_account_and_states_what_all_shares_cost() -> None:
    file = read("schwab.csv")
    assert held(file) == [
        ("123", "NYSE:BRK.B", "12", "310.1"),
        ("123", "NASDAQ:AAPL", "3.125", "160"),
        ("456", "NASDAQ:AAPL", "10", "150.25"),
    ]
    assert (file.format, file.skipped) == (
        BrokerFormat.SCHWAB,
        {"option": 1, "cash and money market": 2, "total": 2},
    )


def test_fidelity_names_the_account_in_each_row_and_ends_in_text() -> None:
    file = read("fidelity.csv")
    assert held(file) == [
        ("5678", "NYSE:BRK.B", "18", "456.67"),
        ("5678", "NASDAQ:AAPL", "25.123456", "210"),
        ("9123", "NASDAQ:MSFT", "5", "350"),
    ]
    assert (file.format, file.skipped) == (
        BrokerFormat.FIDELITY,
        {"cash and money market": 1, "option": 1, "pending activity": 1, "footer": 3},
    )


def test_a_flex_query_is_read_by_its_summaries_of_stocks() -> None:
    file = read("flex.xml")
    assert held(file) == [
        ("4567", "NYSE:BRK.B", "12", "310.1"),
        ("4321", "NSE:INFY", "30", "1412.333333"),
        ("4321", "NASDAQ:AAPL", "1.5", "150.25"),
    ]
    assert (file.format, file.skipped) == (BrokerFormat.IBKR, {"lot": 1, "asset category OPT": 1})
    assert [each.currency for each in file.holdings] == ["USD", "INR", "USD"]


def workbook(sheets: dict[str, Sequence[Sequence[object]]]) -> bytes:
    book, file = Workbook(), io.BytesIO()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(file)
    return file.getvalue()


def console_rows() -> list[list[object]]:
    """The rows of console.csv as Excel would hold them, numbers as numbers."""
    rows = [line.split(",") for line in (SAMPLES / "console.csv").read_text("utf-8").splitlines()]
    return [
        [float(cell) if cell.replace(".", "").isdigit() else cell or None for cell in row] for row in rows
    ]


def test_of_consoles_workbook_the_equity_sheet_is_read_and_named() -> None:
    rows = console_rows()
    file = read_export(workbook({"Equity": rows, "Mutual Funds": [["none"]], "Combined": rows}), Reading())
    assert (file.sheet, held(file)) == ("Equity", CONSOLE)


def test_a_workbook_with_two_tables_and_no_equity_sheet_is_refused() -> None:
    rows = [["symbol", "quantity", "average price"], ["NSE:INFY", 1, 2]]
    with pytest.raises(BrokerFileError, match="'One', 'Two' all hold a table of holdings; keep one"):
        read_export(workbook({"One": rows, "Two": rows}), Reading())


def test_a_formula_that_was_never_computed_is_a_blank_and_excels_binary_fractions_are_rounded() -> None:
    head = ["symbol", "quantity", "average price"]
    file = read_export(workbook({"Mine": [head, ["NSE:INFY", 0.1 + 0.2, 1 / 3]]}), Reading())
    assert held(file) == [("", "NSE:INFY", "0.3", "0.333333333333")]
    with pytest.raises(BrokerFileError, match="Row 2: the quantity is blank"):
        read_export(workbook({"Mine": [head, ["NSE:INFY", "=1+1", 5]]}), Reading())


def test_a_workbook_that_claims_to_be_huge_is_refused_at_once() -> None:
    book, file = Workbook(), io.BytesIO()
    book.worksheets[0].cell(1_048_576, 16_384, 1)  # 5 kB that some readers make 17 billion cells of
    book.save(file)
    with pytest.raises(BrokerFileError, match="more than 20000 rows or 200 columns"):
        read_export(file.getvalue(), Reading())
    with pytest.raises(BrokerFileError, match=r"unpacks to \d+ bytes, more than 20000000"):
        read_export(workbook({"Zeros": [["0" * 30_000 + str(row)] for row in range(700)]}), Reading())


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        (
            '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><FlexQueryResponse>&b;</FlexQueryResponse>',
            "not XML that can be trusted",
        ),
        (
            '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><FlexQueryResponse>&f;</FlexQueryResponse>',
            "not XML that can be trusted",
        ),
        ("<html><body>Sign in</body></html>", "begins with <html>, not with <FlexQueryResponse>"),
        ('<FlexQueryResponse><OpenPosition assetCategory="STK"', "not XML that can be trusted"),
        ("<FlexQueryResponse/>", "holds no holdings"),
    ],
)
def test_xml_that_is_no_statement_is_refused(xml: str, reason: str) -> None:
    with pytest.raises(BrokerFileError, match=reason):
        read_holdings(xml, None)


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("console.csv", "INE009A01021", "INE009A01022", "Row 10: INE009A01022 is no ISIN: its check digit"),
        (
            "console.csv",
            ",20,5,20,30,10,",
            ",20,5,20,-30,10,",
            r"Row 10: the quantity \(margin\) is negative",
        ),
        ("groww.csv", "INE758T01015", "INE0AAA01010", r"Row 11: no list has the ISIN INE0AAA01010 \(ETERNAL"),
        ("groww.csv", "INE758T01015", "", "Row 11: the ISIN of ETERNAL LTD is blank"),
        ("groww.csv", '"7,870.25"', "7,870.25", "Row 12: it has 9 cells, the header 8; quote numbers"),
        ("schwab.csv", "$3,721.20", "N/A", "Row 5: the cost basis 'N/A' is not a number"),
        ("schwab.csv", '"12"', '"(12)"', r"Row 5: the quantity is negative \(\(12\)\); short positions"),
        ("schwab.csv", '"Option"', '"Warrant"', "Row 7: the security type 'warrant' is not known"),
        ("schwab.csv", '"AAPL"', '"VTI"', r"Row 6: the list of US stocks lacks 'VTI' \(APPLE INC\)"),
        ("schwab.csv", "...456", "...123", "Two accounts of the file end in '123'; export them one by one"),
        ("schwab.csv", '"BRK/B"', '"AAPL"', "Row 6: NASDAQ:AAPL already stands in row 5"),
        ("fidelity.csv", "238999123", "Z0005678", "Two accounts of the file end in '5678'"),
        ("fidelity.csv", "MSFT", "", "Row 7: the list of US stocks lacks ''"),
        ("fidelity.csv", '"Date downloaded', '"Data', "Row 12: it has 1 cells, the header 16"),
        ("flex.xml", 'position="30"', 'position="-30"', "Position 4: the position is negative"),
        ("flex.xml", '"NYSE"', '"LSE"', "Position 1: Exchange 'LSE' is not known"),
    ],
)
def test_a_file_that_a_hand_has_changed_is_refused_with_the_row(
    name: str, old: str, new: str, reason: str
) -> None:
    text = (SAMPLES / name).read_text("utf-8")
    assert old in text
    with pytest.raises(BrokerFileError, match="^" + reason):
        read_holdings(text.replace(old, new), None)


def test_a_file_cut_off_in_the_title_of_a_section_is_refused() -> None:
    text = (SAMPLES / "schwab.csv").read_text("utf-8")
    with pytest.raises(BrokerFileError, match="Row 12: it has one cell, and no header of a section follows"):
        read_holdings(text[: text.index("456") + 5], None)


def test_what_the_lists_lack_is_on_the_exchange_that_was_passed() -> None:
    text = (SAMPLES / "schwab.csv").read_text("utf-8").replace('"BRK/B"', '"VTI"')
    assert held(read_holdings(text, Exchange.ARCA))[:2] == [
        ("123", "ARCA:VTI", "12", "310.1"),
        ("123", "NASDAQ:AAPL", "3.125", "160"),
    ]


def test_columns_with_any_names_are_read_by_a_mapping() -> None:
    text = "My paper\nStock code,Held,Paid each,Quantity\nINFY,10,1500,99\n"
    mapping = {"symbol": "Stock code", "quantity": "held", "average price": "Paid each"}
    reading = Reading(default_exchange=Exchange.NSE, mapping=mapping)
    assert held(read_export(text.encode(), reading)) == [("", "NSE:INFY", "10", "1500")]
    reading = Reading(mapping={**mapping, "quantity": "Owned"})
    with pytest.raises(BrokerFileError, match=r"No row names the columns .* quantity 'Owned'"):
        read_export(text.encode(), reading)


def test_a_file_of_another_broker_may_say_the_stock_by_its_isin_alone() -> None:
    text = "Company,ISIN,Qty,Avg price\nInfosys,INE009A01021,10,1500\n"
    assert held(read_holdings(text, None)) == [("", "NSE:INFY", "10", "1500")]


def test_an_error_about_the_header_does_not_show_a_clients_number() -> None:
    with pytest.raises(BrokerFileError, match="it reads 'Client ID, …1234'") as caught:
        read_holdings("Client ID,XAB1234\nStock,Amount\n", None)
    assert "XAB1234" not in str(caught.value)


def test_a_users_own_lists_overrule_the_bundled_ones(tmp_path: Path) -> None:
    (tmp_path / "instruments.csv").write_text("isin,symbol,exchange\nINE0AAA01010,MINE,BSE\n", "utf-8")
    reading = Reading(instruments=load_instruments(tmp_path))
    content = (SAMPLES / "groww.csv").read_bytes().replace(b"INE758T01015", b"INE0AAA01010")
    assert held(read_export(content, reading))[0] == ("", "BSE:MINE", "50", "121.5")
