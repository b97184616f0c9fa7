"""Files on the disk, in whatever encoding a spreadsheet wrote them."""

from pathlib import Path

import pytest

from handlers.brokers.content import MAX_FILE_BYTES, read_file
from handlers.brokers.holding import BrokerFileError, HoldingsFile
from handlers.brokers.reader import Reading, read_export
from handlers.stocks import Exchange


def read(path: Path, exchange: Exchange = Exchange.NSE) -> HoldingsFile:
    return read_export(read_file(path), Reading(default_exchange=exchange))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_are_read_in_the_encodings_of_spreadsheets(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "holdings.csv"
    path.write_bytes("symbol,quantity,average price\nINFY,5,₹1500\n".encode(encoding))
    assert read(path).holdings[0].average_price == 1500


def test_a_file_that_is_not_utf8_is_windows_1252(tmp_path: Path) -> None:
    path = tmp_path / "holdings.csv"
    path.write_bytes("symbol,quantity,average price,name\nMC,5,700,Moët\n".encode("cp1252"))
    assert read(path, Exchange.NYSE).holdings[0].name == "Moët"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04rest of a workbook", r"workbook cannot be read \(BadZipFile"),
        (b"symbol\x81", "is not text: byte 6"),
        (b"\xff\xfea", "is not text"),
        (b"x" * (MAX_FILE_BYTES + 1), "is larger than 10 MB"),
    ],
)
def test_what_is_not_a_text_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "holdings.csv"
    path.write_bytes(content)
    with pytest.raises(BrokerFileError, match=reason):
        read(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        BrokerFileError, match=r"nothing\.csv cannot be read: No such file or directory; check"
    ):
        read(tmp_path / "nothing.csv")
    with pytest.raises(BrokerFileError, match="is not a regular file"):
        read(tmp_path)
