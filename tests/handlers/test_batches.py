"""Sessions hold two or three stocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.batches import plan_batches


@pytest.mark.parametrize(
    ("count", "size", "lengths"),
    [
        (0, 2, []),
        (1, 2, [1]),
        (2, 2, [2]),
        (3, 2, [3]),
        (4, 2, [2, 2]),
        (5, 2, [2, 3]),
        (7, 2, [2, 2, 3]),
        (81, 2, [2] * 39 + [3]),
        (0, 3, []),
        (1, 3, [1]),
        (2, 3, [2]),
        (4, 3, [2, 2]),
        (5, 3, [3, 2]),
        (7, 3, [3, 2, 2]),
        (81, 3, [3] * 27),
    ],
)
def test_stocks_are_dealt_into_sessions_of_two_or_three(count: int, size: int, lengths: list[int]) -> None:
    assert [len(batch) for batch in plan_batches(range(count), size)] == lengths


@given(items=st.lists(st.integers()), size=st.sampled_from([2, 3]))
def test_every_stock_is_in_one_session_in_order(items: list[int], size: int) -> None:
    assert [item for batch in plan_batches(items, size) for item in batch] == items


@given(count=st.integers(min_value=2, max_value=2000), size=st.sampled_from([2, 3]))
def test_no_session_holds_one_stock_or_more_than_three(count: int, size: int) -> None:
    assert {len(batch) for batch in plan_batches(range(count), size)} <= {2, 3}


@pytest.mark.parametrize("size", [0, 1, 4, 81])
def test_any_other_size_is_refused_by_a_sentence_that_names_the_setting(size: int) -> None:
    with pytest.raises(ValueError, match="STOCKDESK_STOCKS_PER_SESSION"):
        plan_batches([1, 2, 3], size)
