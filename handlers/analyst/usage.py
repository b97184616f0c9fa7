"""What Claude last said of a subscription's usage windows."""

from dataclasses import dataclass
from datetime import datetime

from queues.database import Transaction
from queues.moments import from_micros, to_micros


@dataclass(frozen=True, slots=True)
class UsageWindow:
    """`window` is its name ("five_hour"); `utilization` a share, 0 to 1, where it was told; `status` the API's word."""

    window: str
    status: str
    utilization: float | None
    resets_at: datetime | None
    seen_at: datetime


def store_usage_window(
    tx: Transaction, window: str, status: str, utilization: float | None, resets_at: datetime | None
) -> None:
    tx.run(
        "INSERT INTO usage_windows (window, status, utilization, resets_at, seen_at)"
        " VALUES (:window, :status, :utilization, :resets_at, :now)"
        " ON CONFLICT (window) DO UPDATE SET status = excluded.status, utilization = excluded.utilization,"
        " resets_at = excluded.resets_at, seen_at = excluded.seen_at",
        window=window,
        status=status,
        utilization=utilization,
        resets_at=None if resets_at is None else to_micros(resets_at),
        now=tx.micros,
    )
    tx.touch()


def usage_warnings(tx: Transaction, now: datetime) -> list[UsageWindow]:
    """The windows that are nearly or fully used up and whose reset is still ahead, the next reset first."""
    rows = tx.rows(
        "SELECT window, status, utilization, resets_at, seen_at FROM usage_windows"
        " WHERE status <> 'allowed' AND resets_at > :now ORDER BY resets_at, window",
        now=to_micros(now),
    )
    return [
        UsageWindow(window, status, utilization, from_micros(resets_at), from_micros(seen_at))
        for window, status, utilization, resets_at, seen_at in rows
    ]
