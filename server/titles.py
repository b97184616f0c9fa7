"""A few words for a task, wherever tasks are shown."""

from queues.model import JsonObject

LONGEST = 50
# As many as a session judges.
NAMED = 3


def title(kind: str, payload: JsonObject) -> str:
    """The first of its stocks, each whole, or its account; else its kind."""
    match payload:
        case {"stocks": [*stocks]}:
            names = [str(stock) for stock in stocks[:NAMED]]
            while len(", ".join(names)) > LONGEST and len(names) > 1:
                names.pop()
            more = len(stocks) - len(names)
            return ", ".join(names) + (f" and {more} more" if more else "")
        case {"account": str(account), "remove": True}:
            return f"remove account {account}"
        case {"account": str(account)}:
            return f"account {account}"
        case _:
            return kind
