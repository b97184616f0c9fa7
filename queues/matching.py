"""Finding tasks by a part of their id, as somebody types it."""

from queues.database import Transaction


def ids_with(tx: Transaction, part: str, *, limit: int) -> tuple[list[str], int]:
    """Ids that hold `part`, those that begin with it first, then newest first; and how many there are in all.

    `part` is in lower case, as ids are.
    """
    rows = tx.rows(
        "SELECT id, (SELECT count(*) FROM tasks WHERE instr(id, :part) > 0) FROM tasks WHERE instr(id, :part) > 0"
        " ORDER BY instr(id, :part) = 1 DESC, seq DESC LIMIT :limit",
        part=part,
        limit=limit,
    )
    return [task_id for task_id, _ in rows], rows[0][1] if rows else 0
