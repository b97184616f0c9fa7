"""How a task is named where it is shown."""

from typing import Any

import pytest

from server.titles import title
from tests.server.seeding import many_stocks


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"stocks": ["NSE:INFY", "NSE:TCS", "NSE:SBIN"]}, "NSE:INFY, NSE:TCS, NSE:SBIN"),
        ({"stocks": [f"NSE:S{n}" for n in range(10)]}, "NSE:S0, NSE:S1, NSE:S2 and 7 more"),
        (
            {"stocks": [str(stock) for stock in many_stocks(3)]},
            f"{', '.join(map(str, many_stocks(2)))} and 1 more",
        ),
        ({"account": "main", "path": "/x.csv"}, "account main"),
        ({"account": "main", "remove": True}, "remove account main"),
        ({"number": 1}, "work"),
    ],
    ids=str,
)
def test_a_task_is_named_by_its_stocks_and_none_of_them_is_cut(payload: dict[str, Any], words: str) -> None:
    assert title("work", payload) == words
