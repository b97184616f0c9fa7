"""The store of what is held: a snapshot per sync of an account; the newest of each account is current."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from handlers.brokers.holding import Holding
from handlers.stocks import Exchange, Stock
from queues.database import Transaction
from queues.moments import from_micros

# The source of the empty snapshot with which an account is removed.
REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantityChange:
    """`before` is 0 for a stock that was added, `quantity` is 0 for one that was removed."""

    stock: Stock
    quantity: Decimal
    before: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotDiff:
    """What a snapshot changed against the account's last one, each part ordered by symbol."""

    added: tuple[QuantityChange, ...]
    removed: tuple[QuantityChange, ...]
    changed: tuple[QuantityChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHolding:
    """One holding of one account, as of the moment when its snapshot was stored."""

    account: str
    holding: Holding
    taken_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account and its current snapshot; `source` is where that came from ("kite export holdings.csv")."""

    name: str
    source: str
    taken_at: datetime
    holdings: int


def compare_with_current(tx: Transaction, account: str, holdings: Sequence[Holding]) -> SnapshotDiff:
    """What these holdings would change against the account's current ones; all are added if it has none."""
    before = {held.holding.stock: held.holding.quantity for held in current_holdings(tx, account)}
    after = {holding.stock: holding.quantity for holding in holdings}
    nothing = Decimal(0)
    changes = [
        QuantityChange(stock=stock, quantity=after.get(stock, nothing), before=before.get(stock, nothing))
        for stock in sorted(before.keys() | after.keys())
    ]
    return SnapshotDiff(
        added=tuple(change for change in changes if change.before == 0),
        removed=tuple(change for change in changes if change.quantity == 0),
        changed=tuple(
            change for change in changes if change.quantity and 0 != change.before != change.quantity
        ),
    )


def store_snapshot(
    tx: Transaction, account: str, holdings: Sequence[Holding], source: str, task_id: str
) -> SnapshotDiff:
    """Make these the account's current holdings, and return what that changed. Older snapshots stay."""
    diff = compare_with_current(tx, account, holdings)
    tx.run(
        "INSERT INTO snapshots (account, source, task_id, taken_at)"
        " VALUES (:account, :source, :task_id, :now)",
        account=account,
        source=source,
        task_id=task_id,
        now=tx.micros,
    )
    tx.run_many(
        "INSERT INTO holdings (snapshot, symbol, exchange, quantity, average_price, currency, name, sector, isin)"
        " VALUES ((SELECT max(seq) FROM snapshots), :symbol, :exchange, :quantity, :average_price, :currency,"
        " :name, :sector, :isin)",
        [
            {
                "symbol": holding.stock.symbol,
                "exchange": holding.stock.exchange.value,
                "quantity": f"{holding.quantity:f}",
                "average_price": f"{holding.average_price:f}",
                "currency": holding.currency,
                "name": holding.name,
                "sector": holding.sector,
                "isin": holding.isin,
            }
            for holding in holdings
        ],
    )
    return diff


def current_holdings(tx: Transaction, account: str | None = None) -> list[AccountHolding]:
    """The current holdings of one account, or of all, ordered by account and symbol; empty if none."""
    rows = tx.rows(
        "SELECT account, symbol, exchange, quantity, average_price, currency, name, sector, isin, taken_at"
        " FROM snapshots JOIN holdings ON snapshot = seq"
        " WHERE seq IN (SELECT max(seq) FROM snapshots WHERE :account IS NULL OR account = :account"
        " GROUP BY account) ORDER BY account, symbol, exchange",
        account=account,
    )
    return [_account_holding(row) for row in rows]


def accounts(tx: Transaction) -> list[Account]:
    """Every account that was ever synced and has not been removed since, ordered by name."""
    rows = tx.rows(
        "SELECT account, source, taken_at, (SELECT count(*) FROM holdings WHERE snapshot = seq)"
        " FROM snapshots WHERE seq IN (SELECT max(seq) FROM snapshots GROUP BY account) AND source != :removed"
        " ORDER BY account",
        removed=REMOVED,
    )
    return [
        Account(name=name, source=source, taken_at=from_micros(taken_at), holdings=count)
        for name, source, taken_at, count in rows
    ]


def held_exchanges(tx: Transaction, symbol: str) -> list[Exchange]:
    """The exchanges on which this symbol is held now, in any account: more than one if it is ambiguous."""
    return sorted(
        {held.holding.stock.exchange for held in current_holdings(tx) if held.holding.stock.symbol == symbol}
    )


def _account_holding(row: tuple[object, ...]) -> AccountHolding:
    account, symbol, exchange, quantity, average_price, currency, name, sector, isin, taken_at = row
    assert isinstance(taken_at, int)
    holding = Holding(
        stock=Stock(str(symbol), Exchange(str(exchange))),
        quantity=Decimal(str(quantity)),
        average_price=Decimal(str(average_price)),
        currency=str(currency),
        name=None if name is None else str(name),
        sector=None if sector is None else str(sector),
        isin=None if isin is None else str(isin),
    )
    return AccountHolding(account=str(account), holding=holding, taken_at=from_micros(taken_at))
