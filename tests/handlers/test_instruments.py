"""ISINs, and the lists that tell their stocks."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.instruments import InstrumentsError, bundled, load_instruments, require_isin, search_lists
from handlers.stocks import Exchange, Stock


def test_every_bundled_isin_has_the_right_check_digit() -> None:
    assert [isin for isin in bundled().by_isin if require_isin(isin) != isin] == []
    assert len(bundled().by_isin) > 2000


@given(st.sampled_from(["INE009A01021", "US0378331005", "AU0000XVGZA3"]), st.integers(2, 11), st.data())
def test_an_isin_with_one_wrong_digit_is_refused(isin: str, place: int, data: st.DataObject) -> None:
    assert require_isin(isin.lower()) == isin
    if isin[place].isdigit():
        wrong = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != isin[place]]))
        with pytest.raises(ValueError, match="check digit does not fit"):
            require_isin(isin[:place] + wrong + isin[place + 1 :])


@pytest.mark.parametrize("written", ["BRK.B", "BRK/B", "BRK B", "brkb", "BRK-B"])
def test_a_class_of_shares_is_known_in_every_spelling(written: str) -> None:
    assert bundled().of_ticker(written) == Stock("BRK.B", Exchange.NYSE)


def test_of_two_tickers_with_one_spelling_the_exact_one_is_meant() -> None:
    assert [str(bundled().of_ticker(ticker)) for ticker in ("BCPC", "BC/PC")] == ["NASDAQ:BCPC", "NYSE:BC.PC"]


@pytest.mark.parametrize(
    ("symbol", "isin", "now"),
    [
        ("ZOMATO", None, "ETERNAL"),
        ("ZOMATO", "INE758T01015", "ETERNAL"),
        ("ZOMATO", "INE009A01021", None),  # Infosys: whatever it is, it is not Zomato
        ("LTI", None, "LTM"),  # renamed twice
        ("INFY", None, None),
    ],
)
def test_a_symbol_that_was_given_up_leads_to_todays_but_never_against_the_isin(
    symbol: str, isin: str | None, now: str | None
) -> None:
    renaming = bundled().renaming(Stock(symbol, Exchange.NSE), isin)
    assert (None if renaming is None else renaming.symbol) == now


def test_nses_own_files_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "EQUITY_L.csv").write_text(
        "SYMBOL,NAME OF COMPANY, SERIES, DATE OF LISTING, PAID UP VALUE, MARKET LOT, ISIN NUMBER, FACE VALUE\n"
        "NEWCO,New Company Limited,EQ,01-OCT-2026,1,1,INE0AAA01010,1\n",
        encoding="utf-8",
    )
    (tmp_path / "symbolchange.csv").write_text(
        " Old, New & Co Limited,OLDCO,NEWCO,02-NOV-2026\n", encoding="utf-8"
    )
    lists = load_instruments(tmp_path)
    assert lists.by_isin["INE0AAA01010"] == Stock("NEWCO", Exchange.NSE)
    renaming = lists.renaming(Stock("OLDCO", Exchange.NSE), None)
    assert renaming is not None
    assert (renaming.symbol, str(renaming.since)) == ("NEWCO", "2026-11-02")
    assert lists.by_isin["INE009A01021"] == bundled().by_isin["INE009A01021"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("instruments.csv", "isin,symbol\n", "its row 1: 'exchange' is not in list"),
        ("instruments.csv", "isin,symbol,exchange\n\n,VTI,LSE\n", "its row 3: Exchange 'LSE' is not known"),
        (
            "EQUITY_L.csv",
            "symbol,isin number,name of company\nINFY,INE009A01022,Infosys\n",
            "its row 2: INE009A01022 is no ISIN",
        ),
        ("symbolchange.csv", "Old,OLD,NEW,2026-11-02\n", "its row 1: time data"),
        ("symbolchange.csv", "<html>\n", "its row 1: not enough values"),
    ],
)
def test_a_list_with_a_bad_row_is_refused_with_its_name_and_row(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InstrumentsError, match=f"{name} cannot be used, for {reason}"):
        load_instruments(tmp_path)


@pytest.mark.parametrize(
    ("query", "likeliest"),
    [
        ("Infosys Ltd.", ["NSE:INFY", "NYSE:INFY"]),
        ("reliance ind", ["NSE:RELIANCE"]),
        ("apple", ["NASDAQ:AAPL"]),  # before those that are called Apple and something
        ("mahindra & mahindra", ["NSE:M&M"]),
        ("bank of india state", ["NSE:SBIN"]),
        ("McDonald's", ["NYSE:MCD"]),
        ("m&m", ["NSE:M&M"]),
        ("nse:infy", ["NSE:INFY"]),
        *((query, ["NYSE:BRK.B"]) for query in ("BRKB", "BRK-B", "BRK/B", "brk b", "nyse:brk-b")),
        ("HDFCB", ["NSE:HDFCBANK"]),
        ("ine009a01021", ["NSE:INFY"]),
        ("zomato", ["NSE:ETERNAL"]),
    ],
)
def test_a_company_is_found_by_the_words_of_its_name_or_any_code(query: str, likeliest: list[str]) -> None:
    found = [str(each.stock) for each in search_lists(query, bundled())]
    assert found[: len(likeliest)] == likeliest
    assert len(found) == len(set(found))


@pytest.mark.parametrize("query", ["xyzzy", "&", " ", "INE009A01022", "मारुति", "limited xyzzy"])
def test_what_no_list_has_finds_nothing(query: str) -> None:
    assert search_lists(query, bundled()) == []


def test_a_user_s_own_lists_are_searched_too(tmp_path: Path) -> None:
    (tmp_path / "instruments.csv").write_text("isin,symbol,exchange\n,VTI,ARCA\n", encoding="utf-8")
    (tmp_path / "EQUITY_L.csv").write_text(
        "SYMBOL,NAME OF COMPANY,ISIN NUMBER\nNEWCO,Brandnew Company Limited,INE0AAA01010\n", encoding="utf-8"
    )
    lists = load_instruments(tmp_path)
    found = [
        (str(each.stock), each.company)
        for query in ("arca:vti", "brandnew")
        for each in search_lists(query, lists)
    ]
    assert found == [("ARCA:VTI", None), ("NSE:NEWCO", "Brandnew Company Limited")]
