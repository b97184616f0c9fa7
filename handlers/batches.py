"""How stocks are dealt into analysis sessions: two or three to a session, so that none runs out of turns."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def plan_batches(items: Sequence[T], size: int = 2) -> list[tuple[T, ...]]:
    """Deal `items`, in order, into batches of 2 or 3; a batch of 1 only if there is one item.

    `size` 2 makes as many batches as fit (81 items: 39 of 2 and one of 3), `size` 3 as few (81 items: 27).
    Batches of the asked size come first.

    Raises:
        ValueError: `size` is neither 2 nor 3.
    """
    if size not in (2, 3):
        raise ValueError(
            f"{size} stocks per session are not possible; set STOCKDESK_STOCKS_PER_SESSION to 2 or 3."
        )
    count = len(items)
    sessions = max(1, count // 2) if size == 2 else -(-count // 3)  # noqa: PLR2004 (the two sizes there are)
    if not count:
        return []
    smaller, longer = divmod(count, sessions)
    lengths = [smaller + 1] * longer + [smaller] * (sessions - longer)
    lengths.sort(key=lambda length: length != size)
    batches: list[tuple[T, ...]] = []
    start = 0
    for length in lengths:
        batches.append(tuple(items[start : start + length]))
        start += length
    return batches
