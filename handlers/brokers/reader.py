"""Reads an export of holdings, in whichever of the formats in docs/brokers.md it is."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from handlers.brokers.content import decode
from handlers.brokers.holding import (
    BrokerFileError,
    BrokerFormat,
    Holding,
    HoldingsFile,
    Position,
    Skipped,
)
from handlers.brokers.lookup import Lookup
from handlers.brokers.tables import Rows, read_table, split_csv
from handlers.instruments import Instruments, bundled
from handlers.stocks import Exchange, Stock, StockError

_WORKBOOK = b"PK\x03\x04"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the reader is told beside the file.

    A stock's exchange comes from its own prefix (`NSE:INFY`), the exchange column or a list, else from
    `default_exchange`. `mapping` gives the heads of a generic file by what they mean (`SyncPayload.columns`).
    """

    default_exchange: Exchange | None = None
    mapping: Mapping[str, str] | None = None
    instruments: Instruments | None = None


Found = tuple[str, Position | Skipped | BrokerFileError]
"""How a message names a row, and what that says."""


def read_export(content: bytes, reading: Reading) -> HoldingsFile:
    """Read the whole file, or none of it. Rows count from 1, blank ones too, as a spreadsheet shows them.

    Raises:
        BrokerFileError: anything that cannot be read with one meaning only, or no holdings at all.
    """
    if not content.startswith(_WORKBOOK):
        return read_holdings(decode(content), reading.default_exchange, reading)
    # Half a second, which only who has a workbook pays.
    from handlers.brokers.workbook import read_sheets  # noqa: PLC0415

    sheet, (broker, found) = _one_sheet(read_sheets(content), reading)
    return _gather(broker, found, reading, sheet)


def read_holdings(
    text: str, default_exchange: Exchange | None, reading: Reading | None = None
) -> HoldingsFile:
    """The same for a file that is text."""
    reading = reading or Reading(default_exchange=default_exchange)
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        # The parsers of XML, which every start of a server would wait for.
        from handlers.brokers.flex import flex_positions  # noqa: PLC0415

        return _gather(BrokerFormat.IBKR, flex_positions(text), reading)
    broker, found = read_table(split_csv(text), reading.mapping)
    return _gather(broker, found, reading)


def _one_sheet(
    sheets: Mapping[str, Rows], reading: Reading
) -> tuple[str, tuple[BrokerFormat, Iterable[Found]]]:
    """The only sheet that is a table of holdings; of several, the one that is called Equity."""
    tables: dict[str, tuple[BrokerFormat, Iterable[Found]]] = {}
    reasons: list[BrokerFileError] = []
    for title, rows in sheets.items():
        try:
            tables[title] = read_table(rows, reading.mapping)
        except BrokerFileError as error:
            reasons.append(BrokerFileError(f"Sheet {title[:40]!r}: {error}"))
    equity = {title: table for title, table in tables.items() if title.strip().lower() == "equity"}
    chosen = equity if len(tables) > 1 else tables
    if len(chosen) == 1:
        return next(iter(chosen.items()))
    if tables:
        both = ", ".join(repr(title[:40]) for title in tables)
        raise BrokerFileError(f"The sheets {both} all hold a table of holdings; keep one of them.")
    raise reasons[0] if reasons else BrokerFileError("The workbook has no sheet; export the holdings again.")


def _gather(
    broker: BrokerFormat, found: Iterable[Found], reading: Reading, sheet: str | None = None
) -> HoldingsFile:
    lookup = Lookup(broker, reading.instruments or bundled(), reading.default_exchange)
    skipped: Counter[str] = Counter()
    remarks: list[str] = []
    accounts: dict[str, dict[Stock, tuple[str, Holding]]] = {}
    for where, said in found:
        try:
            if isinstance(said, Skipped):
                skipped[said.reason] += 1
                continue
            if isinstance(said, BrokerFileError):
                raise said
            holding, remarked = lookup.holding(said)
            _add(accounts.setdefault(said.account, {}), where, holding)
            remarks.extend(f"{where}, {holding.stock}: {remark}." for remark in remarked)
        except (BrokerFileError, StockError) as error:
            raise BrokerFileError(f"{where}: {error}") from error
    if not accounts:
        count = ", ".join(f"{reason}: {number}" for reason, number in skipped.items()) or "none"
        raise BrokerFileError(f"The file holds no holdings; rows that were skipped: {count}.")
    return HoldingsFile(
        format=broker,
        accounts=_by_suffix(accounts),
        skipped=dict(skipped),
        remarks=tuple(remarks),
        sheet=sheet,
    )


def _add(held: dict[Stock, tuple[str, Holding]], where: str, holding: Holding) -> None:
    if holding.stock in held:
        raise BrokerFileError(
            f"{holding.stock} already stands in {held[holding.stock][0].lower()}; "
            "merge the two rows, or sync them as two accounts."
        )
    held[holding.stock] = (where, holding)


def _by_suffix(
    accounts: Mapping[str, Mapping[Stock, tuple[str, Holding]]],
) -> dict[str, tuple[Holding, ...]]:
    by_suffix: dict[str, tuple[Holding, ...]] = {}
    for account, held in accounts.items():
        suffix = account_suffix(account)
        if suffix in by_suffix:
            raise BrokerFileError(
                f"Two accounts of the file end in {suffix!r}; export them one by one, and sync each under a name."
            )
        by_suffix[suffix] = tuple(holding for _, holding in held.values())
    return by_suffix


def account_suffix(account: str) -> str:
    """What may be stored and shown of an account's id: its last four digits; of a mere name, its words."""
    digits = re.search(r"[0-9]{2,}$", account)
    words = re.findall(r"[a-z0-9]+", account.lower())
    return digits[0][-4:] if digits else "-".join(words)[:20]
